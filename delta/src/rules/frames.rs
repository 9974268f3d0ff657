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
use crate::field::{Base, Form, Kind, Target, What};
use crate::image::Section;
use crate::io::Peek;
use crate::num::{extend, extend32, le32_at, u8_at, u32_at};

const BACK: What = What::new(Form::NEG32, Kind::Frame, Base::Place, Target::Address);
const RELATIVE: What = What::new(Form::REL32, Kind::Frame, Base::Place, Target::Address);
const LENGTH: What = What::new(Form::U32, Kind::Frame, Base::Mapped, Target::End);
const ENTRY: What = What::new(Form::REL32, Kind::Frame, Base::At, Target::Address);
const EXCEPTION: What = What::new(Form::REL31, Kind::Frame, Base::Place, Target::Address);

/// Length of the record at `at` with its length word; `None` at the end and for 64-bit records.
pub(super) fn record_length(peek: &mut Peek<'_>, at: u64) -> Option<u64> {
    match peek.u32_at(at)? {
        0 | 0xffff_ffff => None,
        length => Some(u64::from(length).wrapping_add(4)),
    }
}

/// Finds the references of one frame record.
pub(super) fn record(
    context: &mut Context<'_>,
    section: &Section,
    window: &mut Window<'_>,
    at: u64,
) -> Option<()> {
    let bytes = context.peek.bytes(at, 21);
    let start: &[u8; 16] = bytes.first_chunk()?;
    let (back, begin, range) = (le32_at(start, 4), le32_at(start, 8), le32_at(start, 12));
    if back == 0 {
        return None;
    }
    let lsda = u32_at(bytes, 17).filter(|lsda| *lsda != 0 && u8_at(bytes, 16) == Some(4));
    let address = section.address_of(at);
    window.keep(at.wrapping_add(4), BACK, 0, address.wrapping_add(4).wrapping_sub(u64::from(back)));
    if context.image.relocatable {
        return None;
    }
    let start = address.wrapping_add(8).wrapping_add(extend32(begin));
    window.keep(at.wrapping_add(8), RELATIVE, 0, start);
    window.keep(at.wrapping_add(12), LENGTH, start, start.wrapping_add(range.into()));
    let target = address.wrapping_add(17).wrapping_add(extend32(lsda?));
    window.keep(at.wrapping_add(17), RELATIVE, 0, target);
    None
}

/// Whether a frame index is encoded in the one way that is known.
pub(super) fn is_known_index(peek: &mut Peek<'_>, section: &Section) -> bool {
    peek.u32_at(section.offset) == Some(0x3b03_1b01)
}

/// Finds one word of the frame index: first the pointer to the frames, then their number, then the pairs.
pub(super) fn index_word(
    context: &mut Context<'_>,
    section: &Section,
    window: &mut Window<'_>,
    at: u64,
) -> Option<()> {
    let distance = extend32(context.peek.u32_at(at)?);
    let base = context.base_of(window.section)?;
    match at.wrapping_sub(section.offset) {
        4 => window.keep(at, RELATIVE, 0, section.addr.wrapping_add(4).wrapping_add(distance)),
        8 => {}
        _ => window.keep(at, ENTRY, base, section.addr.wrapping_add(distance)),
    }
    None
}

/// Finds one entry of the exception index of Arm: a function and, unless it has none or they are in the entry, its tables.
pub(super) fn exception(
    context: &mut Context<'_>,
    section: &Section,
    window: &mut Window<'_>,
    at: u64,
) -> Option<()> {
    for at in [at, at.wrapping_add(4)] {
        let word = context.peek.u32_at(at)?;
        if word != 1 && word >> 31 == 0 {
            let target = section.address_of(at).wrapping_add(extend(u64::from(word), 31)) & 0xffff_ffff;
            window.keep(at, EXCEPTION, 0, target);
        }
    }
    None
}
