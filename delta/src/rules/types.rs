//! BTF (Linux, Documentation/bpf/btf.rst): type numbers and name offsets.
//!
//! In a module both count on from those of the kernel itself, which the module does not hold; so they are not looked
//! up but shifted as their neighbours were, see `shift.rs`. In the kernel a name is a position in the strings, and the
//! numbers of types that were copied together are shifted alike.
//!
//! | record | at | field |
//! |---|---|---|
//! | all | 0 | name u32 |
//! | all | 4 | info u32: kind in bits 24 to 28, count in 0 to 15 |
//! | 2, 8 to 14, 17, 18 | 8 | type u32 |
//! | array 3 | 12 | type u32, index type u32, length u32 |
//! | struct 4, union 5 | 12 + 12 n | name u32, type u32, offset u32 |
//! | enum 6 | 12 + 8 n | name u32, value u32 |
//! | function prototype 13 | 12 + 8 n | name u32, type u32 |
//! | section 15 | 12 + 12 n | type u32, offset u32, size u32 |
//! | enum 19 | 12 + 12 n | name u32, low u32, high u32 |

use super::{Context, Extent, Window};
use crate::field::{Base, Form, Kind, Target, What};
use crate::image::Section;
use crate::io::Peek;
use crate::num::{index, le32_at, u32_at};

/// Length of the header that is known.
const HEADER: u64 = 24;

/// What the members of a record are: their length, whether the info word counts them, what their first two words are.
struct Members {
    length: u8,
    counted: bool,
    words: [Option<Kind>; 2],
}

const NAME: Option<Kind> = Some(Kind::Name);
const TYPE: Option<Kind> = Some(Kind::Type);

const fn many(length: u8, words: [Option<Kind>; 2]) -> Members {
    Members { length, counted: true, words }
}

const fn one(length: u8, words: [Option<Kind>; 2]) -> Members {
    Members { length, counted: false, words }
}

/// By kind, from 0.
static MEMBERS: [Members; 20] = [
    one(0, [None; 2]),
    one(4, [None; 2]),
    one(0, [None; 2]),
    one(12, [TYPE, TYPE]),
    many(12, [NAME, TYPE]),
    many(12, [NAME, TYPE]),
    many(8, [NAME, None]),
    one(0, [None; 2]),
    one(0, [None; 2]),
    one(0, [None; 2]),
    one(0, [None; 2]),
    one(0, [None; 2]),
    one(0, [None; 2]),
    many(8, [NAME, TYPE]),
    one(4, [None; 2]),
    many(12, [TYPE, None]),
    one(0, [None; 2]),
    one(4, [None; 2]),
    one(0, [None; 2]),
    many(12, [NAME, None]),
];

/// Kind, members, their length and number, from the info word.
fn shape(info: u32) -> (u32, &'static Members, u64, u64) {
    let kind = (info >> 24) & 31;
    let members = MEMBERS.get(index(kind.into())).unwrap_or(&MEMBERS[0]);
    let length = u64::from(members.length);
    (kind, members, length, if members.counted { u64::from(info & 0xffff) } else { 1 })
}

/// Where the records of a section are, if its header is one that is known.
pub(super) fn extent(section: &Section, peek: &mut Peek<'_>, end: u64) -> Option<Extent> {
    let bytes: &[u8; 20] = peek.bytes(section.offset, index(HEADER)).first_chunk()?;
    if !bytes.starts_with(b"\x9f\xeb\x01\x00\x18\x00\x00\x00") {
        return None;
    }
    let after = section.offset.wrapping_add(HEADER);
    let start = after.wrapping_add(u64::from(le32_at(bytes, 8)));
    let types_end = start.wrapping_add(u64::from(le32_at(bytes, 12)));
    let strings = after.wrapping_add(u64::from(le32_at(bytes, 16)));
    Some(Extent { of_types: true, start, end: types_end.min(end), strings })
}

/// Length of the record at `at`.
pub(super) fn record_length(peek: &mut Peek<'_>, at: u64) -> Option<u64> {
    let (_, _, length, count) = shape(peek.u32_at(at.wrapping_add(4))?);
    Some(length.wrapping_mul(count).wrapping_add(12))
}

/// Finds the references of one record; `strings` is the address of the names.
pub(super) fn record(
    context: &mut Context<'_>,
    strings: u64,
    window: &mut Window<'_>,
    at: u64,
) -> Option<()> {
    let (kind, members, length, count) = shape(context.peek.u32_at(at.wrapping_add(4))?);
    keep(context, strings, window, at, Kind::Name);
    if matches!(kind, 2 | 8..=14 | 17 | 18) {
        keep(context, strings, window, at.wrapping_add(8), Kind::Type);
    }
    let mut member = at.wrapping_add(12);
    for _ in 0..count {
        if member >= window.end() {
            break;
        }
        let [first, second] = members.words;
        if let Some(kind) = first {
            keep(context, strings, window, member, kind);
        }
        if let Some(kind) = second {
            keep(context, strings, window, member.wrapping_add(4), kind);
        }
        member = member.wrapping_add(length);
    }
    None
}

/// A name or the number of a type; in an Image names are positions in the strings, and records of types can be found.
fn keep(context: &mut Context<'_>, strings: u64, window: &mut Window<'_>, at: u64, kind: Kind) {
    let Some(into) = at.checked_sub(window.start) else { return };
    let Some(number) = u32_at(window.bytes, index(into)).filter(|number| *number != 0) else { return };
    let number = u64::from(number);
    let shifted = What::new(Form::U32, kind, Base::At, Target::Shifted);
    if context.image.relocatable {
        window.keep(at, shifted, 0, number);
    } else if kind == Kind::Name {
        let name = What::new(Form::U32, kind, Base::Mapped, Target::Address);
        window.keep(at, name, strings, strings.wrapping_add(number));
    } else {
        match context.checkpoints.record(&mut context.far, number) {
            Some(record) => window.keep(at, What { base: Base::Record, ..shifted }, record, number),
            None => window.keep(at, shifted, 0, number),
        }
    }
}
