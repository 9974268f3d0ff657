//! `.eh_frame` and `.eh_frame_hdr` (Linux Standard Base, core, chapter 10.6).
//!
//! | record | at | field | target |
//! |---|---|---|---|
//! | FDE | 4 | CIE pointer u32 | backwards from the field |
//! | FDE | 8 | PC begin i32 | relative to the field (linked files) |
//! | FDE | 12 | PC range u32 | the end of the function, from its start |
//! | FDE | 17 | LSDA i32, if the byte before is 4 | relative to the field, 0 for none |
//! | index | 4 | `.eh_frame` i32 | relative to the field |
//! | index | 12 + 8 n | PC begin i32, FDE i32 | relative to the start of the index |

use super::{Context, Window};
use crate::field::{Base, Field, Form, Kind, Target};
use crate::image::Section;
use crate::io::Peek;
use crate::num::{extend32, index, u8_at, u32_at};

/// Length of the record at `at` with its length word; `None` at the end and for 64-bit records.
pub(super) fn record_length(peek: &mut Peek<'_>, at: u64) -> Option<u64> {
    match peek.u32_at(at)? {
        0 | 0xffff_ffff => None,
        length => Some(u64::from(length).wrapping_add(4)),
    }
}

/// Finds the references of a window of frame records.
pub(super) fn scan(
    context: &mut Context<'_>,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let mut at = context.checkpoints.before(section.offset, window.start);
    while at < window.end() {
        let Some(length) = record_length(&mut context.peek, at) else { return window.bytes.len() };
        let next = at.wrapping_add(length);
        if next > window.end() && !window.last && at > window.start {
            return index(at.saturating_sub(window.start));
        }
        if next > window.start {
            description(context, section, at, window, found);
        }
        at = next;
    }
    window.bytes.len()
}

fn description(
    context: &mut Context<'_>,
    section: &Section,
    at: u64,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> Option<()> {
    let bytes = context.peek.bytes(at, 21);
    let back = u32_at(bytes, 4).filter(|back| *back != 0)?;
    let (begin, range) = (u32_at(bytes, 8)?, u64::from(u32_at(bytes, 12)?));
    let lsda = u32_at(bytes, 17).filter(|lsda| *lsda != 0 && u8_at(bytes, 16) == Some(4));
    let address = |skip: u64| section.address_of(at.wrapping_add(skip));
    let mut keep = |skip: u64, form: &'static Form, base: Base, target: Target| {
        window.keep(Field { at: at.wrapping_add(skip), form, kind: Kind::Frame, base, target }, found);
    };
    let record = address(4).wrapping_sub(u64::from(back));
    keep(4, &Form::NEG32, Base::Place(0), Target::Address(record));
    if context.image.relocatable {
        return Some(());
    }
    let start = address(8).wrapping_add(extend32(begin));
    keep(8, &Form::REL32, Base::Place(0), Target::Address(start));
    keep(12, &Form::U32, Base::Mapped(start), Target::End(start.wrapping_add(range)));
    if let Some(lsda) = lsda {
        keep(17, &Form::REL32, Base::Place(0), Target::Address(address(17).wrapping_add(extend32(lsda))));
    }
    Some(())
}

/// Finds the references of a window of the frame index.
pub(super) fn scan_index(
    context: &mut Context<'_>,
    number: usize,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let known = context.peek.bytes(section.offset, 4) == b"\x01\x1b\x03\x3b";
    let Some(base) = context.base_of(number).filter(|_| known) else { return window.bytes.len() };
    let pointer = section.offset.wrapping_add(4);
    if let Some(value) = context.peek.u32_at(pointer) {
        let target = Target::Address(section.addr.wrapping_add(4).wrapping_add(extend32(value)));
        let base = Base::Place(0);
        window.keep(Field { at: pointer, form: &Form::REL32, kind: Kind::Frame, base, target }, found);
    }
    let (records, dealt) = window.records(section, 12, 4);
    for at in records {
        if let Some(value) = context.peek.u32_at(at) {
            let target = Target::Address(section.addr.wrapping_add(extend32(value)));
            let base = Base::At(base);
            window.keep(Field { at, form: &Form::REL32, kind: Kind::Frame, base, target }, found);
        }
    }
    dealt
}
