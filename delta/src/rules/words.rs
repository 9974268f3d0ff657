//! Data: aligned words that are addresses, and the jump tables among read-only data.

use super::{Context, Window};
use crate::field::{Base, Field, Form, Kind, Target};
use crate::image::Section;
use crate::num::{align_up, extend32, index, u32_at, u64_at, wide};

/// Finds aligned words of the length of an address that hold the address of something loaded.
pub(super) fn scan(
    context: &mut Context<'_>,
    _: usize,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let class = context.image.class();
    let start = section.address_of(window.start);
    let mut at = index(align_up(start, class.word).wrapping_sub(start));
    while let Some(value) = class.word_at(window.bytes, at) {
        if let Some(field) = word(context, window.start.wrapping_add(wide(at)), value) {
            found.push(field);
        }
        at = at.wrapping_add(index(class.word));
    }
    if window.last { window.bytes.len() } else { at.min(window.bytes.len()) }
}

fn word(context: &Context<'_>, at: u64, value: u64) -> Option<Field> {
    context.image.loaded_at(value)?;
    let target = Target::Address(value);
    Some(Field { at, form: context.image.class().form(), kind: Kind::Word, base: Base::At(0), target })
}

/// Finds the entries of jump tables, and between them addresses like [`scan`].
pub(super) fn scan_read_only(
    context: &mut Context<'_>,
    _: usize,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let start = section.address_of(window.start);
    let mut at = index(align_up(start, 4).wrapping_sub(start));
    let stop = if window.last { window.bytes.len() } else { window.bytes.len().saturating_sub(7) };
    while at < stop
        && let Some(value) = u32_at(window.bytes, at)
    {
        let address = start.wrapping_add(wide(at));
        let offset = window.start.wrapping_add(wide(at));
        let mut step = 4usize;
        if let Some(table) = context.tables.at(address) {
            found.push(Field {
                at: offset,
                form: &Form::REL32,
                kind: Kind::Table,
                base: Base::Mapped(table),
                target: Target::Address(table.wrapping_add(extend32(value))),
            });
        } else if address & 7 == 0
            && let Some(value) = u64_at(window.bytes, at)
            && let Some(field) = word(context, offset, value)
        {
            found.push(field);
            step = 8;
        }
        at = at.wrapping_add(step);
    }
    if window.last { window.bytes.len() } else { at.min(window.bytes.len()) }
}
