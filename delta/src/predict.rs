//! The new value of a reference, guessed from where everything moved and from earlier wrong guesses.
//!
//! Three candidates per reference:
//! 1. what its target's new address makes of it; the target's new address is what an earlier reference to the same
//!    target turned out to be, else what the copy map says;
//! 2. its old value changed by as much as the last one of the same kind, section and column changed;
//! 3. its old value.
//!
//! The one that was right most often lately in the same slot (kind, section, column) is taken. All state is per file.

use crate::copymap::{Copy, CopyMap};
use crate::field::{Base, Field, Kind, Target};
use crate::image::Image;
use crate::image::layout::Layout;
use crate::num::{index, wide};
use crate::shift::Shifts;

/// Entries of the table of learned targets, a power of two. Changing it breaks the format.
const LEARNED: usize = 1 << 14;
/// Sections that keep scores of their own; further ones share. Changing it breaks the format.
const SECTIONS: usize = 64;
/// Columns of 8 bytes in a record of 24.
const COLUMNS: u64 = 3;
/// Scores at the start, by candidate. Changing them breaks the format.
const START: [u16; 3] = [40_000, 0, 20_000];
/// What a right guess adds; each guess first takes a sixteenth away. Changing it breaks the format.
const RIGHT: u16 = 4_095;

/// The state of one kind of reference in one column of one section.
#[derive(Clone, Copy)]
struct Slot {
    scores: [u16; 3],
    change: u64,
}

/// What the references of one file have taught.
pub(crate) struct Predictor<'a> {
    image: &'a Image,
    layout: &'a Layout,
    copies: &'a CopyMap,
    slots: Vec<Slot>,
    learned: Vec<(u64, u64)>,
    names: Shifts,
    types: Shifts,
}

/// A guess, and what is needed to learn from the truth.
pub(crate) struct Guess {
    candidates: [u64; 3],
    old: u64,
    base: u64,
    slot: usize,
    /// The value to write.
    pub(crate) value: u64,
}

impl<'a> Predictor<'a> {
    pub(crate) fn new(image: &'a Image, layout: &'a Layout, copies: &'a CopyMap) -> Predictor<'a> {
        let slots = vec![Slot { scores: START, change: 0 }; slot(Kind::COUNT, 0, 0)];
        let learned = vec![(u64::MAX, 0); LEARNED];
        let (names, types) = (Shifts::default(), Shifts::default());
        Predictor { image, layout, copies, slots, learned, names, types }
    }

    /// Bytes of memory that the tables take.
    pub(crate) fn memory() -> u64 {
        wide(LEARNED.saturating_mul(16))
            .saturating_add(wide(slot(Kind::COUNT, 0, 0)).saturating_mul(16))
            .saturating_add(128 << 10)
    }

    /// Guesses `field`, whose bytes in the old file are `bytes`, for the copy `own` of section `section`.
    pub(crate) fn guess(&self, field: &Field, bytes: &[u8], section: usize, own: Copy) -> Option<Guess> {
        let old = field.form.get(bytes)?;
        let start = self.image.sections.get(section).map_or(0, |section| section.offset);
        let column = field.at.wrapping_sub(start).checked_rem(24).unwrap_or(0).checked_div(8).unwrap_or(0);
        let slot = slot(field.kind.number(), section, column);
        let state = self.slots.get(slot)?;
        let mapped = self.mapped(field, own);
        let changed = old.wrapping_add(state.change) & field.form.mask();
        let candidates = [mapped.map_or(old, |(bits, _)| bits), changed, old];
        let mut best = 0usize;
        for (number, score) in state.scores.iter().enumerate() {
            if state.scores.get(best).is_some_and(|best| score > best) {
                best = number;
            }
        }
        let value = candidates.get(best).copied().unwrap_or(old);
        Some(Guess { candidates, old, base: mapped.map_or(0, |(_, base)| base), slot, value })
    }

    /// The bits that the new address of the target gives, and the base they count from.
    fn mapped(&self, field: &Field, own: Copy) -> Option<(u64, u64)> {
        let base = match field.base {
            Base::At(base) => base,
            Base::Mapped(old) => self.address(old, own)?,
            Base::Place(after) => {
                let offset = field.at.wrapping_sub(own.from()).wrapping_add(own.at());
                self.layout.address_of(offset)?.wrapping_add(after)
            }
        };
        let target = match field.target {
            Target::Address(old) => self.learned(field.kind, old).or_else(|| self.address(old, own))?,
            Target::End(old) => self.address(old.wrapping_sub(1), own)?.wrapping_add(1),
            Target::Offset(old) => self.copies.offset(old, own)?,
            Target::Known(value) => value,
            Target::Shifted(old) if field.kind == Kind::Type => self.types.apply(old),
            Target::Shifted(old) => self.names.apply(old),
            Target::Record { number, at } => self.record(number, at, own),
        };
        Some((field.form.bits(target, base), base))
    }

    /// The new address of the old address `old`.
    fn address(&self, old: u64, own: Copy) -> Option<u64> {
        let (number, section) = match self.image.section_at(old) {
            Some(found) => found,
            None => self.image.section_at(old.wrapping_sub(1))?,
        };
        let into = old.wrapping_sub(section.addr);
        if section.file_size > 0
            && let Some(offset) = self.copies.offset(section.offset.wrapping_add(into), own)
        {
            return self.layout.address_of(offset);
        }
        Some(self.layout.counterpart(number)?.addr.wrapping_add(into))
    }

    /// The new number of a record: shifted as others of its copy, else as the nearest number.
    fn record(&self, number: u64, at: u64, own: Copy) -> u64 {
        let copy = self.copies.copy_of(at, own).map_or(0, copy_key);
        match self.learned.get(place(copy)) {
            Some((key, change)) if *key == copy && copy != 0 => number.wrapping_add(*change),
            _ => self.types.apply(number),
        }
    }

    fn learned(&self, kind: Kind, target: u64) -> Option<u64> {
        let (key, value) = self.learned.get(place(target))?;
        (kind.learns() && *key == target).then_some(*value)
    }

    /// Takes note of the true value of a guessed reference.
    pub(crate) fn learn(&mut self, field: &Field, guess: &Guess, bytes: &[u8], own: Copy) {
        let Some(truth) = field.form.get(bytes) else { return };
        if let Some(slot) = self.slots.get_mut(guess.slot) {
            slot.change = truth.wrapping_sub(guess.old);
            for (score, candidate) in slot.scores.iter_mut().zip(guess.candidates) {
                let right = if candidate == truth { RIGHT } else { 0 };
                *score = score.saturating_sub(*score >> 4).saturating_add(right);
            }
        }
        let [mapped, ..] = guess.candidates;
        if let Target::Record { number, at } = field.target
            && mapped != truth
        {
            self.types.learn(number, truth);
            let copy = self.copies.copy_of(at, own).map_or(0, copy_key);
            if let Some(entry) = self.learned.get_mut(place(copy)) {
                *entry = (copy, truth.wrapping_sub(number));
            }
        }
        if let Target::Shifted(old) = field.target
            && mapped != truth
        {
            let shifts = if field.kind == Kind::Type { &mut self.types } else { &mut self.names };
            shifts.learn(old, truth);
        }
        if let Target::Address(target) = field.target
            && field.kind.learns()
            && mapped != truth
            && let Some(entry) = self.learned.get_mut(place(target))
        {
            *entry = (target, field.form.target(truth, guess.base));
        }
    }
}

/// Number of the slot of a kind, section and column.
fn slot(kind: usize, section: usize, column: u64) -> usize {
    let column = index(column);
    let section = section % SECTIONS;
    kind.wrapping_mul(SECTIONS).wrapping_add(section).wrapping_mul(index(COLUMNS)).wrapping_add(column)
}

/// What stands for a copy among the learned targets: no address has this bit without the one above it.
fn copy_key(copy: Copy) -> u64 {
    (1 << 62) | copy.from()
}

/// Where a target is kept among the learned ones.
fn place(target: u64) -> usize {
    let mixed = target.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    index(mixed) % LEARNED
}
