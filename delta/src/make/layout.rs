//! Writes the section list of a new file; the mirror of `image/layout.rs`.

use super::tokens::{number, signed};
use crate::image::layout::{Guess, Layout, unlike};
use crate::image::{Image, elf};
use crate::num::{wide, zigzag};
use std::collections::HashMap;

/// The layout of `new` as the decoder will see it, and the tokens that say so.
pub(super) fn encode(new: &Image, old: &Image, out: &mut Vec<u8>) -> Layout {
    let mut by_name: HashMap<(&[u8], u32, usize), usize> = HashMap::new();
    let mut seen: HashMap<(&[u8], u32), usize> = HashMap::new();
    for (at, section) in old.sections.iter().take(old.listed).enumerate() {
        let count = seen.entry((section.name(), section.kind)).or_default();
        by_name.insert((section.name(), section.kind, *count), at);
        *count += 1;
    }
    seen.clear();
    number(out, wide(new.listed));
    let mut guess = Guess::default();
    let mut places = Vec::new();
    for section in new.sections.iter().take(new.listed) {
        let count = seen.entry((section.name(), section.kind)).or_default();
        let like = by_name.get(&(section.name(), section.kind, *count)).copied();
        *count += 1;
        let no_bytes = section.kind == elf::SHT_NOBITS || section.kind == 0;
        let flags = u64::from(section.is_alloc()) | if no_bytes { 2 } else { 0 };
        match like {
            Some(like) => number(out, 1 + zigzag(wide(like).wrapping_sub(guess.next))),
            None => {
                number(out, 0);
                number(out, flags);
            }
        }
        let (mut known, kind) = ([section.offset, section.vaddr, section.size].into_iter(), unlike(flags));
        let (is_old, number) = (like.is_some(), like.unwrap_or(places.len()));
        let like = like.map_or(&kind, |like| &old.sections[like]);
        let place = guess.place(old.relocatable, like, number, is_old, &mut |guess| {
            let truth = known.next().expect("three are asked for");
            signed(out, truth.wrapping_sub(guess));
            truth
        });
        places.push(place);
    }
    Layout::new(places)
}

/// The layout of a file that did not change.
pub(super) fn identity(image: &Image) -> Layout {
    let places = image.sections.iter().take(image.listed).enumerate().map(|(at, section)| {
        crate::image::layout::Place {
            addr: section.addr,
            vaddr: section.vaddr,
            offset: section.offset,
            size: section.size,
            file_size: section.file_size,
            old: Some(at),
        }
    });
    Layout::new(places.collect())
}
