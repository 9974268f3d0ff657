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
use crate::rebuild::Corrector;
use crate::shift::Shifts;

/// Entries of the table of learned targets, a power of two. Changing it breaks the format.
const LEARNED: usize = 1 << 14;
/// Sections that keep scores of their own; further ones share. Changing it breaks the format.
const SECTIONS: usize = 64;
/// Columns of 8 bytes in a record of 24.
const COLUMNS: u64 = 3;
/// Number of slots.
const SLOTS: usize = Kind::COUNT * SECTIONS * 3;
/// Scores at the start, by candidate, 16 bits each, the first lowest. Changing them breaks the format.
const START: u64 = 40_000 | 20_000 << 32;
/// What a right guess adds; each guess first takes a sixteenth away. Changing it breaks the format.
const RIGHT: u64 = 4_095;

/// What the references of one file have taught.
pub(crate) struct Predictor<'a> {
    image: &'a Image,
    layout: &'a Layout,
    copies: &'a CopyMap,
    /// Scores and last change of each slot: one kind of reference in one column of one section.
    slots: Vec<(u64, u64)>,
    learned: Vec<(u64, u64)>,
    names: Shifts,
    types: Shifts,
}

impl<'a> Predictor<'a> {
    pub(crate) fn new(image: &'a Image, layout: &'a Layout, copies: &'a CopyMap) -> Predictor<'a> {
        let (slots, learned) = (vec![(START, 0); SLOTS], vec![(u64::MAX, 0); LEARNED]);
        let (names, types) = (Shifts::default(), Shifts::default());
        Predictor { image, layout, copies, slots, learned, names, types }
    }

    /// Bytes of memory that the tables take.
    pub(crate) fn memory() -> u64 {
        wide(LEARNED.saturating_add(SLOTS)).saturating_mul(16).saturating_add(128 << 10)
    }

    /// Guesses `field` of section `section`, which goes with the copy `own`, has the guess corrected and learns from the truth.
    /// `bytes` are those in the old file and become the new ones.
    #[inline(never)]
    pub(crate) fn predict(
        &mut self,
        field: &Field,
        bytes: &mut [u8],
        section: usize,
        own: &Copy,
        corrector: &mut dyn Corrector,
    ) {
        let form = field.what.form;
        let slot = self.slot(field, section);
        let guess = form.get(bytes).zip(self.slots.get(slot).copied());
        let Some((old, (scores, change))) = guess else { return corrector.correct(bytes) };
        let mapped = self.mapped(field, own);
        let (first, base) = mapped.unwrap_or((old, 0));
        let candidates = [first, old.wrapping_add(change) & form.mask(), old];
        let (mut value, mut best, mut rest) = (first, 0, scores);
        for candidate in &candidates {
            let score = rest & 0xffff;
            if score > best {
                (value, best) = (*candidate, score);
            }
            rest >>= 16;
        }
        form.put(bytes, value);
        corrector.correct(bytes);
        let Some(truth) = form.get(bytes) else { return };
        let (mut after, mut rest) = (0u64, scores);
        for candidate in &candidates {
            let score = rest & 0xffff;
            let right = if *candidate == truth { RIGHT } else { 0 };
            after = after >> 16 | score.wrapping_sub(score >> 4).wrapping_add(right) << 32;
            rest >>= 16;
        }
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = (after, truth.wrapping_sub(old));
        }
        if first != truth {
            self.learn(field, truth, base, own);
        }
    }

    /// Number of the slot of a field.
    fn slot(&self, field: &Field, section: usize) -> usize {
        let start = self.image.sections.get(section).map_or(0, |section| section.offset);
        let column = field.at.wrapping_sub(start) % 24 / 8;
        let kind = Kind::number(field.what.kind).wrapping_mul(SECTIONS);
        kind.wrapping_add(section % SECTIONS).wrapping_mul(index(COLUMNS)).wrapping_add(index(column))
    }

    /// The bits that the new address of the target gives, and the base they count from.
    #[inline(never)]
    fn mapped(&self, field: &Field, own: &Copy) -> Option<(u64, u64)> {
        let (what, old) = (field.what, field.target);
        let record = if what.base == Base::Record { self.record(field, own) } else { 0 };
        let base = match what.base {
            Base::At => field.base,
            Base::Mapped => self.address(field.base, own)?,
            Base::Place => {
                let offset = field.at.wrapping_sub(own.from()).wrapping_add(own.at());
                self.layout.address_of(offset)?.wrapping_add(field.base)
            }
            Base::Record => 0,
        };
        let target = match what.target {
            Target::Address => match self.learned.get(place(old)) {
                Some((key, new)) if what.learns && *key == old => *new,
                _ => self.address(old, own)?,
            },
            Target::End => self.address(old.wrapping_sub(1), own)?.wrapping_add(1),
            Target::Offset => self.copies.offset(old, own)?,
            Target::Known => old,
            Target::Shifted => match self.learned.get(place(record)) {
                Some((key, change)) if record != 0 && *key == record => old.wrapping_add(*change),
                _ if what.kind == Kind::Type => self.types.apply(old),
                _ => self.names.apply(old),
            },
        };
        Some((what.form.bits(target, base), base))
    }

    /// The new address of the old address `old`.
    fn address(&self, old: u64, own: &Copy) -> Option<u64> {
        let (number, section) =
            self.image.section_at(old).or_else(|| self.image.section_at(old.wrapping_sub(1)))?;
        let into = old.wrapping_sub(section.addr);
        if section.file_size > 0
            && let Some(offset) = self.copies.offset(section.offset.wrapping_add(into), own)
        {
            return self.layout.address_of(offset);
        }
        Some(self.layout.counterpart(number)?.addr.wrapping_add(into))
    }

    /// What stands among the learned targets for the copy that the record of a field went with, 0 if with none: no address has this
    /// bit without the one above it.
    fn record(&self, field: &Field, own: &Copy) -> u64 {
        self.copies.copy_of(field.base, own).map_or(0, |copy| (1 << 62) | copy.from())
    }

    /// Takes note of the true value of a reference whose first candidate was wrong.
    fn learn(&mut self, field: &Field, truth: u64, base: u64, own: &Copy) {
        let (what, old) = (field.what, field.target);
        let (key, value) = match what.target {
            Target::Shifted => {
                let shifts = if what.kind == Kind::Type { &mut self.types } else { &mut self.names };
                shifts.learn(old, truth);
                if what.base != Base::Record {
                    return;
                }
                (self.record(field, own), truth.wrapping_sub(old))
            }
            _ if what.learns => (old, what.form.target(truth, base)),
            _ => return,
        };
        if let Some(entry) = self.learned.get_mut(place(key)) {
            *entry = (key, value);
        }
    }
}

/// Where a target is kept among the learned ones.
fn place(target: u64) -> usize {
    let mixed = target.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    index(mixed) % LEARNED
}
