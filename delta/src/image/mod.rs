//! What is known of an executable file: its sections, and the addresses that references use.
//!
//! Every byte of a section has an address, also where the file has none:
//!
//! | file | section | address |
//! |---|---|---|
//! | linked | allocated | as the section header says |
//! | linked | not allocated | [`UNALLOCATED`] + offset in the file |
//! | relocatable | with bytes | offset in the file |
//! | relocatable | without bytes (.bss) | [`NO_BYTES`] + section number << 32 |

pub(crate) mod elf;
#[cfg(feature = "aarch64")]
mod kernel;
#[cfg(not(feature = "aarch64"))]
#[path = "disabled_kernel.rs"]
mod kernel;
pub(crate) mod layout;

use crate::io::ReadAt;
use crate::num::{ascend, before, index, u16_at, up_to, wide};
use crate::rules::{Rule, pools};

/// Where sections that are not loaded are put. Changing it does not break the format.
pub(crate) const UNALLOCATED: u64 = 1 << 52;
/// Where sections without bytes of relocatable files are put. Changing it does not break the format.
pub(crate) const NO_BYTES: u64 = 1 << 53;

/// Architectures with a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    X86_64,
    I386,
    Aarch64,
    Arm,
}

/// One section of an ELF file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Section {
    name: [u8; elf::MAX_NAME],
    /// `sh_type`.
    pub(crate) kind: u32,
    /// `sh_flags`.
    pub(crate) flags: u64,
    /// `sh_addr`.
    pub(crate) vaddr: u64,
    /// The address as in the table above.
    pub(crate) addr: u64,
    pub(crate) offset: u64,
    /// Length in memory.
    pub(crate) size: u64,
    /// Length in the file.
    pub(crate) file_size: u64,
    pub(crate) link: usize,
    pub(crate) info: usize,
    pub(crate) align: u64,
    pub(crate) rule: Rule,
}

impl Section {
    pub(crate) fn is_alloc(&self) -> bool {
        self.flags & elf::SHF_ALLOC != 0
    }

    pub(crate) fn is_code(&self) -> bool {
        self.is_alloc() && self.flags & elf::SHF_EXECINSTR != 0 && self.file_size > 0
    }

    /// The start of its name.
    pub(crate) fn name(&self) -> &[u8] {
        self.name.split(|byte| *byte == 0).next().unwrap_or(&[])
    }

    /// The address of the byte at `offset` of the file.
    pub(crate) fn address_of(&self, offset: u64) -> u64 {
        self.addr.wrapping_add(offset.wrapping_sub(self.offset))
    }
}

/// An old file taken apart.
#[derive(Debug)]
pub(crate) struct Image {
    class: &'static elf::Class,
    pub(crate) machine: Machine,
    pub(crate) relocatable: bool,
    /// In the order of the section table; two more at the end stand for the ELF header and the section table.
    pub(crate) sections: Vec<Section>,
    /// Number of sections that the file itself lists.
    pub(crate) listed: usize,
    /// Address, or offset, and number of each section that has any, ascending.
    by_addr: Vec<(u64, u64)>,
    by_offset: Vec<(u64, u64)>,
}

/// Whether all architectures of `profile` are in this build.
pub(crate) fn is_complete(profile: u32) -> bool {
    cfg!(all(feature = "x86", feature = "aarch64", feature = "arm"))
        && (cfg!(feature = "i386") || profile < 2)
}

/// Takes a file apart; `None` is any file that no profile knows.
pub(crate) fn parse(file: &dyn ReadAt) -> Option<Image> {
    elf::parse(file).or_else(|| kernel::parse(file))
}

/// The same; with `anew`, what has rules since profile 3 gets those.
pub(crate) fn parse_by(file: &dyn ReadAt, anew: bool) -> Option<Image> {
    let mut image = parse(file);
    if let (Some(image), true) = (&mut image, anew) {
        pools::renew(file, image);
    }
    image
}

/// The ELF machine of a file whose references `profile` predicts, but only in another build.
pub(crate) fn missing_machine(file: &dyn ReadAt, profile: u32) -> Option<u16> {
    machine(file, profile).filter(|machine| match *machine {
        elf::I386 => !cfg!(feature = "i386"),
        elf::ARM => !cfg!(feature = "arm"),
        elf::X86_64 => !cfg!(feature = "x86"),
        _ => !cfg!(feature = "aarch64"),
    })
}

/// The ELF machine of a file, if `profile` may predict it.
fn machine(file: &dyn ReadAt, profile: u32) -> Option<u16> {
    let mut head = [0; 60];
    file.read_at(0, &mut head).ok()?;
    if head.ends_with(b"ARM\x64") {
        return Some(elf::AARCH64);
    }
    let machine = u16_at(&head, 18).filter(|_| head.starts_with(b"\x7fELF"))?;
    let known =
        [elf::ARM, elf::X86_64, elf::AARCH64].contains(&machine) || (machine == elf::I386 && profile >= 2);
    known.then_some(machine)
}

impl Image {
    /// One without sections yet.
    fn empty(class: &'static elf::Class, machine: Machine, relocatable: bool) -> Image {
        let (sections, by_addr, by_offset) = (Vec::new(), Vec::new(), Vec::new());
        Image { class, machine, relocatable, sections, listed: 0, by_addr, by_offset }
    }

    /// The same once all sections are there.
    fn indexed(mut self) -> Image {
        for (number, section) in self.sections.iter().enumerate() {
            let thread_bss = section.flags & elf::SHF_TLS != 0 && section.file_size == 0;
            if section.size > 0 && number < self.listed && !thread_bss {
                self.by_addr.push((section.addr, wide(number)));
            }
            if section.file_size > 0 {
                self.by_offset.push((section.offset, wide(number)));
            }
        }
        ascend(&mut self.by_addr);
        ascend(&mut self.by_offset);
        self
    }

    /// Lengths and places in the file's own structures; known beforehand where no 32-bit architecture is built.
    pub(crate) fn class(&self) -> &'static elf::Class {
        if cfg!(any(feature = "arm", feature = "i386")) { self.class } else { &elf::BITS_64 }
    }

    /// The first section of that name.
    pub(crate) fn named(&self, name: &[u8]) -> Option<&Section> {
        self.sections.iter().find(|section| section.name() == name)
    }

    /// The section that has `addr`.
    pub(crate) fn section_at(&self, addr: u64) -> Option<(usize, &Section)> {
        let number = index(before(&self.by_addr, addr)?.1);
        let section = self.sections.get(number)?;
        (addr < section.addr.saturating_add(section.size)).then_some((number, section))
    }

    /// The loaded section that has `addr`.
    pub(crate) fn loaded_at(&self, addr: u64) -> Option<&Section> {
        self.section_at(addr).map(|(_, section)| section).filter(|section| section.is_alloc())
    }

    /// Whether `addr` is code.
    pub(crate) fn is_code(&self, addr: u64) -> bool {
        self.loaded_at(addr).is_some_and(Section::is_code)
    }

    /// The section whose bytes hold `offset`, if one does, and where its bytes or the hole end.
    pub(crate) fn run_at(&self, offset: u64) -> (Option<usize>, u64) {
        let next = self.by_offset.get(up_to(&self.by_offset, offset)).map_or(u64::MAX, |(start, _)| *start);
        let number = before(&self.by_offset, offset).map(|(_, number)| index(*number));
        let section = number.and_then(|number| self.sections.get(number));
        let end = section.map_or(0, |section| section.offset.saturating_add(section.file_size));
        if offset < end { (number, end.min(next)) } else { (None, next) }
    }

    /// Bytes of memory that the tables take.
    pub(crate) fn memory(&self) -> u64 {
        wide(self.sections.len()).saturating_mul(256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_of_a_file_is_known_without_its_rules() {
        let file = |start: &[u8], at: usize, middle: &[u8]| {
            let mut file = vec![0; 100];
            file[..start.len()].copy_from_slice(start);
            file[at..at + middle.len()].copy_from_slice(middle);
            file
        };
        let narrow = file(b"\x7fELF\x01\x01\x01", 18, &[3, 0]);
        for (profile, expected) in [(1, None), (2, Some(3)), (3, Some(3))] {
            assert_eq!(machine(&narrow, profile), expected, "profile {profile}");
        }
        for (file, expected) in [
            (file(b"\x7fELF\x01\x01\x01", 18, &[40, 0]), Some(40)),
            (file(b"\x7fELF\x02\x01\x01", 18, &[62, 0]), Some(62)),
            (file(b"\x7fELF\x02\x01\x01", 18, &[183, 0]), Some(183)),
            (file(b"MZ", 56, b"ARM\x64"), Some(183)),
            (file(b"\x7fELF\x02\x01\x01", 18, &[8, 0]), None),
            (file(b"text", 18, &[62, 0]), None),
            (b"\x7fELF".to_vec(), None),
        ] {
            assert_eq!(machine(&file, 1), expected, "{file:?}");
        }
    }
}
