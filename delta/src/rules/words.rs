//! Data: aligned words that are addresses, and the jump tables among read-only data.

use super::{Context, Window};
use crate::field::{Base, Form, Kind, Target, What};
use crate::image::Section;
use crate::num::{align_up, extend32, index, u32_at, wide};

const ENTRY: What = What::new(Form::REL32, Kind::Table, Base::Mapped, Target::Address);

/// Finds the entries of jump tables, which only read-only data has, and between them aligned words of the length of an address
/// that hold the address of something loaded.
pub(super) fn scan(context: &mut Context<'_>, section: &Section, window: &mut Window<'_>) -> usize {
    let class = context.image.class();
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
            window.keep(offset, ENTRY, table, table.wrapping_add(extend32(value)));
        } else if address & class.word.wrapping_sub(1) == 0
            && let Some(value) = class.word_at(window.bytes, at)
            && context.image.loaded_at(value).is_some()
        {
            window.keep(offset, What::new(class.form(), Kind::Word, Base::At, Target::Address), 0, value);
            step = index(class.word);
        }
        at = at.wrapping_add(step);
    }
    if window.last { window.bytes.len() } else { at.min(window.bytes.len()) }
}
