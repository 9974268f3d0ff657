//! ELF headers and section tables, little-endian, 32 and 64 bits (System V gABI, chapters 4 and 5).

use super::{Image, Machine, NO_BYTES, Section, UNALLOCATED};
use crate::field::Form;
use crate::io::{Peek, ReadAt};
use crate::num::{array_at, index, le32_at, le64_at, number_at, u8_at, wide};
use crate::rules::Rule;

/// `EM_386`, `EM_ARM`, `EM_X86_64`, `EM_AARCH64`.
pub(crate) const I386: u16 = 3;
pub(crate) const ARM: u16 = 40;
pub(crate) const X86_64: u16 = 62;
pub(crate) const AARCH64: u16 = 183;
pub(crate) const SHT_RELA: u32 = 4;
pub(crate) const SHT_NOBITS: u32 = 8;
const SHT_REL: u32 = 9;
const SHT_ARM_EXIDX: u32 = 0x7000_0001;
pub(crate) const SHT_DYNSYM: u32 = 11;
pub(crate) const SHT_SYMTAB: u32 = 2;
pub(crate) const SHT_PROGBITS: u32 = 1;
const SHT_DYNAMIC: u32 = 6;
const SHT_INIT_ARRAY: u32 = 14;
const SHT_PREINIT_ARRAY: u32 = 16;
pub(crate) const SHF_ALLOC: u64 = 2;
pub(crate) const SHF_WRITE: u64 = 1;
pub(crate) const SHF_EXECINSTR: u64 = 4;
pub(crate) const SHF_TLS: u64 = 0x400;

/// Where the fields of ELF structures are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// Length of an address in bytes.
    pub(crate) word: u64,
    /// Length of the ELF header, then offsets of `e_phoff`, `e_shoff`, `e_phnum`, `e_shentsize`.
    pub(crate) header: u64,
    pub(crate) programs_at: usize,
    pub(crate) table_at: usize,
    pub(crate) program_count: usize,
    pub(crate) section_length: usize,
    /// Length of a program header, then offsets of `p_offset`, `p_vaddr`, `p_paddr`, `p_filesz`, `p_memsz`.
    pub(crate) program: u64,
    pub(crate) program_fields: [u64; 5],
    /// Length of a section header, then offsets of `sh_addr`, `sh_offset`, `sh_size`, `sh_link`, `sh_addralign`.
    pub(crate) section: u64,
    pub(crate) section_fields: [usize; 5],
    /// Length of a symbol, then offsets of `st_value`, `st_size`, `st_shndx`.
    pub(crate) symbol: u64,
    pub(crate) symbol_fields: [u64; 3],
}

/// ELFCLASS32.
pub(crate) const BITS_32: Class = Class {
    word: 4,
    header: 52,
    programs_at: 28,
    table_at: 32,
    program_count: 44,
    section_length: 46,
    program: 32,
    program_fields: [4, 8, 12, 16, 20],
    section: 40,
    section_fields: [12, 16, 20, 24, 32],
    symbol: 16,
    symbol_fields: [4, 8, 14],
};

/// ELFCLASS64.
pub(crate) const BITS_64: Class = Class {
    word: 8,
    header: 64,
    programs_at: 32,
    table_at: 40,
    program_count: 56,
    section_length: 58,
    program: 56,
    program_fields: [8, 16, 24, 32, 40],
    section: 64,
    section_fields: [16, 24, 32, 40, 48],
    symbol: 24,
    symbol_fields: [8, 16, 6],
};

impl Class {
    /// An address or length at `at`.
    pub(crate) fn word_at(&self, bytes: &[u8], at: usize) -> Option<u64> {
        number_at(bytes, at, index(self.word))
    }

    /// The same where the bytes are known to have one.
    #[inline(always)]
    pub(crate) fn word(&self, bytes: &[u8], at: usize) -> u64 {
        if self.word == 8 { le64_at(bytes, at) } else { le32_at(bytes, at).into() }
    }

    /// How an address is written.
    pub(crate) fn form(&self) -> Form {
        if self.word == 8 { Form::U64 } else { Form::U32 }
    }
}

/// Most sections of a file that is predicted; more and the file is treated as bytes.
pub(crate) const MAX_SECTIONS: u64 = 2048;
/// Longest section name that is looked at.
pub(super) const MAX_NAME: usize = 24;

/// Takes an ELF file apart; `None` is any other file.
#[inline(never)]
pub(super) fn parse(file: &dyn ReadAt) -> Option<Image> {
    let mut head = [0; 64];
    let length = file.size().min(wide(head.len()));
    file.read_at(0, head.get_mut(..index(length))?).ok()?;
    let class = if cfg!(any(feature = "arm", feature = "i386")) && head.starts_with(b"\x7fELF\x01\x01\x01") {
        &BITS_32
    } else if head.starts_with(b"\x7fELF\x02\x01\x01") {
        &BITS_64
    } else {
        return None;
    };
    let half = |at: usize| u16::from_le_bytes(array_at(&head, at));
    let kind = half(16);
    let machine = match (half(18), class.word) {
        (I386, 4) if cfg!(feature = "i386") => Machine::I386,
        (ARM, 4) if cfg!(feature = "arm") => Machine::Arm,
        (X86_64, 8) if cfg!(feature = "x86") => Machine::X86_64,
        (AARCH64, 8) if cfg!(feature = "aarch64") => Machine::Aarch64,
        _ => return None,
    };
    let table_at = class.word(&head, class.table_at);
    let programs = u64::from(half(class.program_count));
    let count = u64::from(half(class.section_length.wrapping_add(2)));
    let names = usize::from(half(class.section_length.wrapping_add(4)));
    if length < class.header
        || !(1..=3).contains(&kind)
        || count > MAX_SECTIONS
        || u64::from(half(class.section_length)) != class.section
        || class.word(&head, class.programs_at) > class.header
    {
        return None;
    }
    let table = read(file, table_at, count.wrapping_mul(class.section))?;
    let records = || table.chunks_exact(index(class.section));
    let [_, offset_at, ..] = class.section_fields;
    let names = records().nth(names).map_or(0, |record| class.word(record, offset_at));
    let mut peek = Peek::far(file);
    let mut image = Image::empty(class, machine, kind == 1);
    for record in records() {
        let mut section = section(&image, record);
        if section.offset.checked_add(section.file_size)? > file.size() {
            return None;
        }
        let at = names.checked_add(u64::from(le32_at(record, 0)))?;
        section.name = name(peek.bytes(at, MAX_NAME));
        section.rule = rule(&section, machine, image.relocatable);
        image.sections.push(section);
    }
    image.listed = image.sections.len();
    let programs_end = class.header.wrapping_add(programs.wrapping_mul(class.program));
    image.sections.push(own(Rule::ElfHeader, 0, programs_end));
    image.sections.push(own(Rule::SectionTable, table_at, wide(table.len())));
    Some(image.indexed())
}

/// What stands for a part of the file's own structures.
fn own(rule: Rule, offset: u64, size: u64) -> Section {
    let addr = UNALLOCATED.wrapping_add(offset);
    Section { addr, offset, size, file_size: size, rule, ..Section::default() }
}

fn read(file: &dyn ReadAt, offset: u64, count: u64) -> Option<Vec<u8>> {
    if offset.checked_add(count)? > file.size() {
        return None;
    }
    let mut bytes = vec![0; index(count)];
    file.read_at(offset, &mut bytes).ok()?;
    Some(bytes)
}

/// The next section of an image, from its whole record.
fn section(image: &Image, record: &[u8]) -> Section {
    let class = image.class();
    let [vaddr, offset, size, link, align] = class.section_fields;
    let kind = le32_at(record, 4);
    let (flags, vaddr, offset) =
        (class.word(record, 8), class.word(record, vaddr), class.word(record, offset));
    let size = if kind == 0 { 0 } else { class.word(record, size) };
    let file_size = if kind == SHT_NOBITS { 0 } else { size };
    Section {
        kind,
        flags,
        vaddr,
        addr: address(image.relocatable, flags, vaddr, offset, file_size, image.sections.len()),
        offset,
        size,
        file_size,
        link: index(le32_at(record, link).into()),
        info: index(le32_at(record, link.wrapping_add(4)).into()),
        align: class.word(record, align),
        ..Section::default()
    }
}

/// The address of a section, by the table in the module above.
pub(crate) fn address(
    relocatable: bool,
    flags: u64,
    vaddr: u64,
    offset: u64,
    file_size: u64,
    number: usize,
) -> u64 {
    match (relocatable, file_size, flags & SHF_ALLOC) {
        (true, 0, _) => NO_BYTES.wrapping_add(wide(number).wrapping_shl(32)),
        (true, ..) => offset,
        (false, _, 0) => UNALLOCATED.wrapping_add(offset),
        (false, ..) => vaddr,
    }
}

/// A name up to its end, as a section keeps it.
pub(super) fn name(bytes: &[u8]) -> [u8; MAX_NAME] {
    let mut name = [0; MAX_NAME];
    for (place, byte) in name.iter_mut().zip(bytes.iter().take_while(|byte| **byte != 0)) {
        *place = *byte;
    }
    name
}

fn rule(section: &Section, machine: Machine, relocatable: bool) -> Rule {
    let is_arm = machine == Machine::Arm;
    let narrow = is_arm || machine == Machine::I386;
    match section.kind {
        _ if section.file_size == 0 => Rule::Bytes,
        SHT_RELA if !narrow => Rule::Rela,
        SHT_REL if narrow => Rule::Rel,
        // also X86_64_UNWIND, which has the same number
        SHT_ARM_EXIDX if !relocatable => Rule::Exceptions,
        SHT_SYMTAB | SHT_DYNSYM => Rule::Symbols,
        SHT_PROGBITS | SHT_ARM_EXIDX if !is_arm && section.name() == b".eh_frame" => Rule::Frames,
        SHT_PROGBITS if section.name() == b".BTF" => Rule::Types,
        SHT_PROGBITS if !is_arm && section.name() == b".eh_frame_hdr" => Rule::FrameIndex,
        _ if relocatable || !section.is_alloc() => Rule::Bytes,
        SHT_PROGBITS if section.is_code() => match machine {
            Machine::X86_64 => Rule::CodeX86,
            Machine::I386 => Rule::CodeI386,
            Machine::Arm => Rule::CodeThumb,
            Machine::Aarch64 => Rule::CodeAarch64,
        },
        SHT_PROGBITS if section.flags & SHF_WRITE == 0 => match machine {
            Machine::Arm => Rule::Bytes,
            Machine::I386 => Rule::ReadOnlyI386,
            _ => Rule::ReadOnly,
        },
        SHT_PROGBITS | SHT_DYNAMIC | SHT_INIT_ARRAY..=SHT_PREINIT_ARRAY => Rule::Words,
        _ => Rule::Bytes,
    }
}

/// Reads a byte of `st_info`-like fields by name of the place.
pub(crate) fn symbol_type(record: &[u8]) -> u8 {
    u8_at(record, 4).unwrap_or(0) & 0xf
}
