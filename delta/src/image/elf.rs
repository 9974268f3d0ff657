//! ELF headers and section tables, 64-bit little-endian (System V gABI, chapters 4 and 5).

use super::{Image, Machine, NO_BYTES, Section, UNALLOCATED};
use crate::io::ReadAt;
use crate::num::{index, u8_at, u16_at, u32_at, u64_at, wide};
use crate::rules::Rule;

pub(crate) const SHT_RELA: u32 = 4;
pub(crate) const SHT_NOBITS: u32 = 8;
pub(crate) const SHT_DYNSYM: u32 = 11;
pub(crate) const SHT_SYMTAB: u32 = 2;
const SHT_PROGBITS: u32 = 1;
const SHT_DYNAMIC: u32 = 6;
const SHT_INIT_ARRAY: u32 = 14;
const SHT_PREINIT_ARRAY: u32 = 16;
const SHT_X86_64_UNWIND: u32 = 0x7000_0001;
pub(crate) const SHF_ALLOC: u64 = 2;
pub(crate) const SHF_WRITE: u64 = 1;
pub(crate) const SHF_EXECINSTR: u64 = 4;
pub(crate) const SHF_TLS: u64 = 0x400;

/// Length of the ELF header, of a program header, of a section header in bytes.
pub(crate) const HEADER: u64 = 64;
pub(crate) const PROGRAM_HEADER: u64 = 56;
pub(crate) const SECTION_HEADER: u64 = 64;

/// Most sections of a file that is predicted; more and the file is treated as bytes.
pub(crate) const MAX_SECTIONS: u64 = 2048;
/// Longest section name that is looked at.
const MAX_NAME: usize = 24;

/// Takes an ELF file apart; `None` is any other file.
pub(super) fn parse(file: &dyn ReadAt) -> Option<Image> {
    let head = read(file, 0, HEADER)?;
    if head.get(..7)? != b"\x7fELF\x02\x01\x01" {
        return None;
    }
    let relocatable = match u16_at(&head, 16)? {
        1 => true,
        2 | 3 => false,
        _ => return None,
    };
    let machine = match u16_at(&head, 18)? {
        62 => Machine::X86_64,
        183 => Machine::Aarch64,
        _ => return None,
    };
    let table_at = u64_at(&head, 40)?;
    let programs = u64::from(u16_at(&head, 56)?);
    let count = u64::from(u16_at(&head, 60)?);
    if count > MAX_SECTIONS || u16_at(&head, 58)? != 64 || u64_at(&head, 32)? > HEADER {
        return None;
    }
    let table = read(file, table_at, count.checked_mul(SECTION_HEADER)?)?;
    let mut sections = Vec::with_capacity(index(count).saturating_add(2));
    for (number, record) in table.chunks_exact(index(SECTION_HEADER)).enumerate() {
        sections.push(section(record, number, relocatable)?);
    }
    let names = sections.get(usize::from(u16_at(&head, 62)?)).map_or(0, |names| names.offset);
    for (section, record) in sections.iter_mut().zip(table.chunks_exact(index(SECTION_HEADER))) {
        if section.offset.checked_add(section.file_size)? > file.size() {
            return None;
        }
        section.name = name(file, names.checked_add(u64::from(u32_at(record, 0)?))?);
        section.rule = rule(section, machine, relocatable);
    }
    let listed = sections.len();
    let header_size = HEADER.checked_add(programs.checked_mul(PROGRAM_HEADER)?)?;
    for (rule, offset, size) in
        [(Rule::ElfHeader, 0, header_size), (Rule::SectionTable, table_at, wide(table.len()))]
    {
        let addr = UNALLOCATED.wrapping_add(offset);
        sections.push(Section { addr, offset, size, file_size: size, rule, ..Section::default() });
    }
    Some(Image::new(machine, relocatable, sections, listed))
}

fn read(file: &dyn ReadAt, offset: u64, count: u64) -> Option<Vec<u8>> {
    if offset.checked_add(count)? > file.size() {
        return None;
    }
    let mut bytes = vec![0; index(count)];
    file.read_at(offset, &mut bytes).ok()?;
    Some(bytes)
}

fn section(record: &[u8], number: usize, relocatable: bool) -> Option<Section> {
    let kind = u32_at(record, 4)?;
    let flags = u64_at(record, 8)?;
    let (vaddr, offset, size) = (u64_at(record, 16)?, u64_at(record, 24)?, u64_at(record, 32)?);
    let file_size = if kind == SHT_NOBITS || kind == 0 { 0 } else { size };
    let addr = address(relocatable, flags, vaddr, offset, file_size, number);
    Some(Section {
        name: Vec::new(),
        kind,
        flags,
        vaddr,
        addr,
        offset,
        size: if kind == 0 { 0 } else { size },
        file_size,
        link: index(u64::from(u32_at(record, 40)?)),
        info: index(u64::from(u32_at(record, 44)?)),
        align: u64_at(record, 48)?,
        rule: Rule::Bytes,
    })
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

fn name(file: &dyn ReadAt, offset: u64) -> Vec<u8> {
    let count = file.size().saturating_sub(offset).min(wide(MAX_NAME));
    let mut name = read(file, offset, count).unwrap_or_default();
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    name.truncate(end);
    name
}

fn rule(section: &Section, machine: Machine, relocatable: bool) -> Rule {
    if section.file_size == 0 {
        return Rule::Bytes;
    }
    match (section.kind, section.name.as_slice()) {
        (SHT_RELA, _) => Rule::Rela,
        (SHT_SYMTAB | SHT_DYNSYM, _) => Rule::Symbols,
        (SHT_PROGBITS | SHT_X86_64_UNWIND, b".eh_frame") => Rule::Frames,
        (SHT_PROGBITS, b".BTF") => Rule::Types,
        (SHT_PROGBITS, b".eh_frame_hdr") => Rule::FrameIndex,
        _ if relocatable || !section.is_alloc() => Rule::Bytes,
        (SHT_PROGBITS, _) if section.is_code() && machine == Machine::X86_64 => Rule::CodeX86,
        (SHT_PROGBITS, _) if section.is_code() => Rule::CodeAarch64,
        (SHT_PROGBITS, _) if section.flags & SHF_WRITE == 0 => Rule::ReadOnly,
        (SHT_PROGBITS | SHT_DYNAMIC | SHT_INIT_ARRAY..=SHT_PREINIT_ARRAY, _) => Rule::Words,
        _ => Rule::Bytes,
    }
}

/// Reads a byte of `st_info`-like fields by name of the place.
pub(crate) fn symbol_type(record: &[u8]) -> u8 {
    u8_at(record, 4).unwrap_or(0) & 0xf
}
