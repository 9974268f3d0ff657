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

use super::{Image, elf};
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
    pub(crate) fn decode(stream: &mut Stream<'_>, old: &Image) -> Layout {
        let count = stream.number();
        let mut guess = Guess::default();
        let mut places = Vec::new();
        if stream.bound("sections", elf::MAX_SECTIONS, count) {
            for _ in 0..count {
                let like = match stream.number() {
                    0 => None,
                    like => Some(index(guess.next.wrapping_add(unzigzag(like.wrapping_sub(1))))),
                };
                let flags = if like.is_none() { stream.number() } else { 0 };
                let Some(mut place) = guess.place(old, like, flags, places.len()) else {
                    let listed = wide(old.listed);
                    let got = wide(like.unwrap_or(0));
                    stream.fail(Error::count("section list: like", listed, "old sections at most", got));
                    break;
                };
                place.offset = place.offset.wrapping_add(stream.signed());
                guess.align_address(old, &mut place);
                place.vaddr = place.vaddr.wrapping_add(stream.signed());
                place.size = place.size.wrapping_add(stream.signed());
                guess.settle(old, &mut place, flags);
                places.push(place);
            }
        }
        Layout::new(places)
    }
}

/// The state of the prediction of one section from the one before.
#[derive(Default)]
pub(crate) struct Guess {
    /// The old section that the next new one is most likely like.
    pub(crate) next: u64,
    ends: [(u64, u64); 2],
    moved: [u64; 2],
}

impl Guess {
    /// A section like the old one, with the offset that its predecessor leads to; `None` if there is no such old one.
    pub(crate) fn place(&self, old: &Image, like: Option<usize>, flags: u64, number: usize) -> Option<Place> {
        let Some(like) = like else {
            let file_size = if flags & 2 == 0 { 1 } else { 0 };
            return Some(Place { file_size, addr: wide(number), ..Place::default() });
        };
        let section = old.sections.get(like).filter(|_| like < old.listed)?;
        Some(Place {
            addr: 0,
            vaddr: section.vaddr,
            offset: self.along(0, section.offset, section.align),
            size: section.size,
            file_size: u64::from(section.kind != elf::SHT_NOBITS && section.kind != 0),
            old: Some(like),
        })
    }

    /// Predicts the address once the offset is known.
    pub(crate) fn align_address(&self, old: &Image, place: &mut Place) {
        if let Some(section) = place.old.and_then(|like| old.sections.get(like))
            && section.is_alloc()
            && !old.relocatable
        {
            place.vaddr = self.along(1, section.vaddr, section.align);
        }
    }

    fn along(&self, axis: usize, old: u64, align: u64) -> u64 {
        let (old_end, new_end) = self.ends.get(axis).copied().unwrap_or_default();
        let moved = self.moved.get(axis).copied().unwrap_or_default();
        let explains = |to: &u64| to.is_power_of_two() && align_up(old_end, *to) == old;
        match [align, 4096, 65536].iter().find(|to| explains(to)) {
            Some(to) => align_up(new_end, *to),
            None => old.wrapping_add(moved),
        }
    }

    /// Fixes the derived numbers of `place` and moves on to the next section.
    pub(crate) fn settle(&mut self, old: &Image, place: &mut Place, flags: u64) {
        place.file_size = if place.file_size == 0 { 0 } else { place.size };
        let like = place.old.and_then(|like| Some((like, old.sections.get(like)?)));
        let alloc = like.map_or(flags & 1, |(_, section)| u64::from(section.is_alloc()));
        let number = like.map_or(index(place.addr), |(like, _)| like);
        let flags = if alloc == 0 { 0 } else { elf::SHF_ALLOC };
        place.addr = elf::address(old.relocatable, flags, place.vaddr, place.offset, place.file_size, number);
        let Some((like, section)) = like else { return };
        self.next = wide(like).wrapping_add(1);
        self.moved(0, (section.offset, section.file_size), (place.offset, place.file_size));
        if section.is_alloc() {
            self.moved(1, (section.vaddr, section.size), (place.vaddr, place.size));
        }
    }

    /// Notes start and length of a section, old and new.
    fn moved(&mut self, axis: usize, (old, old_size): (u64, u64), (new, new_size): (u64, u64)) {
        if let (Some(ends), Some(moved)) = (self.ends.get_mut(axis), self.moved.get_mut(axis)) {
            *ends = (old.wrapping_add(old_size), new.wrapping_add(new_size));
            *moved = new.wrapping_sub(old);
        }
    }
}
