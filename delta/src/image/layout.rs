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
use crate::error::{Error, Result};
use crate::num::{align_up, ascend, index, unzigzag, up_to, wide};

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
    /// For each old section the new one.
    counterparts: Vec<Option<usize>>,
    by_offset: Vec<(u64, usize)>,
}

impl Layout {
    pub(crate) fn new(places: Vec<Place>, old_sections: usize) -> Layout {
        let mut counterparts = vec![None; old_sections];
        let mut by_offset = Vec::new();
        for (number, place) in places.iter().enumerate() {
            if let Some(slot) = place.old.and_then(|old| counterparts.get_mut(old)) {
                slot.get_or_insert(number);
            }
            if place.file_size > 0 {
                by_offset.push((place.offset, number));
            }
        }
        ascend(&mut by_offset);
        Layout { places, counterparts, by_offset }
    }

    /// The new section that took the place of an old one.
    pub(crate) fn counterpart(&self, old: usize) -> Option<&Place> {
        self.places.get((*self.counterparts.get(old)?)?)
    }

    /// The address of the byte at `offset` in the new file.
    pub(crate) fn address_of(&self, offset: u64) -> Option<u64> {
        let (_, number) = self.by_offset.get(up_to(&self.by_offset, offset).checked_sub(1)?)?;
        let place = self.places.get(*number)?;
        Some(place.addr.wrapping_add(offset.wrapping_sub(place.offset)))
    }

    /// Reads the section list of a new file that is made from `old`.
    pub(crate) fn decode(stream: &mut Stream<'_>, old: &Image) -> Result<Layout> {
        let count = stream.number("sections")?;
        if count > elf::MAX_SECTIONS {
            return Err(Error::limit("sections", elf::MAX_SECTIONS, count));
        }
        let mut guess = Guess::default();
        let mut places = Vec::with_capacity(index(count));
        for _ in 0..count {
            let like = match stream.number("like section")? {
                0 => None,
                like => Some(index(guess.next.wrapping_add(unzigzag(like.wrapping_sub(1))))),
            };
            let flags = if like.is_none() { stream.number("section flags")? } else { 0 };
            let mut place = guess.place(old, like, flags, places.len())?;
            place.offset = place.offset.wrapping_add(stream.signed("section offset")?);
            guess.align_address(old, &mut place);
            place.vaddr = place.vaddr.wrapping_add(stream.signed("section address")?);
            place.size = place.size.wrapping_add(stream.signed("section size")?);
            guess.settle(old, &mut place, flags);
            places.push(place);
        }
        Ok(Layout::new(places, old.sections.len()))
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
    /// A section like the old one, with the offset that its predecessor leads to.
    pub(crate) fn place(&self, old: &Image, like: Option<usize>, flags: u64, number: usize) -> Result<Place> {
        let Some(like) = like else {
            let file_size = if flags & 2 == 0 { 1 } else { 0 };
            return Ok(Place { old: None, file_size, addr: wide(number), ..Place::default() });
        };
        let Some(section) = old.sections.get(like).filter(|_| like < old.listed) else {
            return Err(Error::count(
                "section list: like",
                wide(old.listed),
                "old sections at most",
                wide(like),
            ));
        };
        let offset = self.along(0, section.offset, section.align);
        Ok(Place {
            addr: 0,
            vaddr: section.vaddr,
            offset,
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
        let axes = [
            (section.offset, section.file_size, place.offset, place.file_size, true),
            (section.vaddr, section.size, place.vaddr, place.size, section.is_alloc()),
        ];
        for ((old, old_size, new, new_size, counts), (ends, moved)) in
            axes.into_iter().zip(self.ends.iter_mut().zip(self.moved.iter_mut()))
        {
            if counts {
                *ends = (old.wrapping_add(old_size), new.wrapping_add(new_size));
                *moved = new.wrapping_sub(old);
            }
        }
    }
}
