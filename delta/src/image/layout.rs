//! Where the sections of the new file are: the first thing in a predicted file's control stream.
//!
//! ```text
//! count              number of sections
//! for each section:
//!   like             0, or 1 + zigzag(old section - (last old section + 1))
//!   flags            only after like = 0: 1 allocated, 2 without bytes
//!   offset, address, size   zigzag differences to what the rule below predicts
//! ```
//! Predicted size: that of the old section. Predicted offset: the end of the section before, raised to the first of
//! (the section's alignment, 4096, 65536) that explains the old offset; if none does, the old offset moved as
//! the section before moved. Addresses likewise, from the last loaded section.

use super::{Image, Section, elf};
use crate::backend::Stream;
use crate::error::Error;
use crate::num::{align_up, ascend, before, index, unzigzag, wide};

/// A section of the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// The address in the sense of the module above.
    pub(crate) addr: u64,
    pub(crate) vaddr: u64,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) file_size: u64,
    pub(crate) old: Option<usize>,
}

/// The sections of the new file.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    places: Vec<Place>,
    /// Offset and number of each place with bytes, ascending.
    by_offset: Vec<(u64, u64)>,
    /// Number of each old section that has a new one, and the complement of that one's number, ascending: of several the first is the last.
    by_old: Vec<(u64, u64)>,
}

impl Layout {
    pub(crate) fn new(places: Vec<Place>) -> Layout {
        let (mut by_offset, mut by_old) = (Vec::new(), Vec::new());
        for (number, place) in places.iter().enumerate() {
            let number = wide(number);
            if place.file_size > 0 {
                by_offset.push((place.offset, number));
            }
            if let Some(old) = place.old {
                by_old.push((wide(old), !number));
            }
        }
        ascend(&mut by_offset);
        ascend(&mut by_old);
        Layout { places, by_offset, by_old }
    }

    /// The new section that took the place of an old one.
    pub(crate) fn counterpart(&self, old: usize) -> Option<&Place> {
        let (number, place) = before(&self.by_old, wide(old))?;
        self.places.get(index(!place)).filter(|_| *number == wide(old))
    }

    /// The address of the byte at `offset` in the new file.
    pub(crate) fn address_of(&self, offset: u64) -> Option<u64> {
        let (_, number) = before(&self.by_offset, offset)?;
        let place = self.places.get(index(*number))?;
        Some(place.addr.wrapping_add(offset.wrapping_sub(place.offset)))
    }

    /// Reads the section list of a new file that is made from `old`; what is wrong about it is the stream's error.
    #[inline(never)]
    pub(crate) fn decode(stream: &mut Stream<'_>, old: &Image) -> Layout {
        let count = stream.number();
        let mut guess = Guess::default();
        let mut places = Vec::new();
        if stream.bound("sections", elf::MAX_SECTIONS, count) {
            for _ in 0..count {
                let like = stream.number();
                let number = index(guess.next.wrapping_add(unzigzag(like.wrapping_sub(1))));
                let new = if like == 0 { unlike(stream.number()) } else { Section::default() };
                let known = old.sections.get(number).filter(|_| number < old.listed);
                let (section, number, is_old) = match known {
                    _ if like == 0 => (&new, places.len(), false),
                    Some(section) => (section, number, true),
                    None => {
                        let got = wide(number);
                        let most = wide(old.listed);
                        stream.fail(Error::count("section list: like", most, "old sections at most", got));
                        break;
                    }
                };
                let mut add = |guess: u64| guess.wrapping_add(stream.signed());
                places.push(guess.place(old.relocatable, section, number, is_old, &mut add));
            }
        }
        Layout::new(places)
    }
}

/// What a section that is like no old one has of one, by its flags in the list.
pub(crate) fn unlike(flags: u64) -> Section {
    let kind = if flags & 2 == 0 { elf::SHT_PROGBITS } else { elf::SHT_NOBITS };
    Section { kind, flags: if flags & 1 == 0 { 0 } else { elf::SHF_ALLOC }, ..Section::default() }
}

/// The state of the prediction of one section from the one before.
#[derive(Default)]
pub(crate) struct Guess {
    /// The old section that the next new one is most likely like.
    pub(crate) next: u64,
    offsets: Axis,
    addresses: Axis,
}

impl Guess {
    /// The next new section. It is like `section`, the old one of that number, or new and its own number; `truth` makes of the
    /// predicted offset, address and size the true ones.
    #[inline(never)]
    pub(crate) fn place(
        &mut self,
        relocatable: bool,
        section: &Section,
        number: usize,
        is_old: bool,
        truth: &mut dyn FnMut(u64) -> u64,
    ) -> Place {
        let moves = is_old && section.is_alloc();
        let offset = truth(if is_old { self.offsets.along(section.offset, section.align) } else { 0 });
        let is_loaded = moves && !relocatable;
        let vaddr =
            truth(if is_loaded { self.addresses.along(section.vaddr, section.align) } else { section.vaddr });
        let size = truth(section.size);
        let file_size = if section.kind == elf::SHT_NOBITS || section.kind == 0 { 0 } else { size };
        if is_old {
            self.next = wide(number).wrapping_add(1);
            self.offsets.note((section.offset, section.file_size), (offset, file_size));
        }
        if moves {
            self.addresses.note((section.vaddr, section.size), (vaddr, size));
        }
        let addr = elf::address(relocatable, section.flags, vaddr, offset, file_size, number);
        Place { addr, vaddr, offset, size, file_size, old: is_old.then_some(number) }
    }
}

/// Where the last section ended, old and new, and how far it moved: in the file, or in memory.
#[derive(Default)]
struct Axis {
    old_end: u64,
    new_end: u64,
    moved: u64,
}

impl Axis {
    /// The predicted place of a section that was at `old`.
    fn along(&self, old: u64, align: u64) -> u64 {
        let explains = |to: &u64| to.is_power_of_two() && align_up(self.old_end, *to) == old;
        match [align, 4096, 65536].iter().find(|to| explains(to)) {
            Some(to) => align_up(self.new_end, *to),
            None => old.wrapping_add(self.moved),
        }
    }

    /// Notes start and length of a section, old and new.
    fn note(&mut self, (old, old_size): (u64, u64), (new, new_size): (u64, u64)) {
        self.old_end = old.wrapping_add(old_size);
        self.new_end = new.wrapping_add(new_size);
        self.moved = new.wrapping_sub(old);
    }
}
