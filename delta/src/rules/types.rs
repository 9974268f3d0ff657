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

use super::{Context, Window};
use crate::field::{Base, Field, Form, Kind, Target};
use crate::image::Section;
use crate::io::Peek;
use crate::num::{index, u32_at};

/// Length of the header that is known.
const HEADER: u64 = 24;

/// What the members of a record are: their length, whether they start with a name, where a type stands.
struct Members {
    length: u64,
    name: bool,
    types: &'static [u64],
}

const NO_MEMBERS: Members = Members { length: 0, name: false, types: &[] };

/// Kind, members and their number, from the info word.
fn shape(info: u32) -> (u32, Members, u64) {
    let (kind, count) = ((info >> 24) & 31, u64::from(info & 0xffff));
    let many =
        |length: u64, name: bool, types: &'static [u64]| (kind, Members { length, name, types }, count);
    let one = |length: u64, types: &'static [u64]| (kind, Members { length, name: false, types }, 1);
    match kind {
        1 | 14 | 17 => one(4, &[]),
        3 => one(12, &[0, 4]),
        4 | 5 => many(12, true, &[4]),
        6 => many(8, true, &[]),
        13 => many(8, true, &[4]),
        15 => many(12, false, &[0]),
        19 => many(12, true, &[]),
        _ => (kind, NO_MEMBERS, 0),
    }
}

/// Where the pieces of a section are, as offsets in the file.
#[derive(Clone, Copy, Default)]
pub(super) struct Bounds {
    pub(super) start: u64,
    pub(super) end: u64,
    strings: u64,
}

/// The pieces of a section, if its header is one that is known.
pub(super) fn bounds(section: &Section, peek: &mut Peek<'_>) -> Option<Bounds> {
    let bytes = peek.bytes(section.offset, index(HEADER));
    if bytes.get(..4)? != b"\x9f\xeb\x01\x00" || u32_at(bytes, 4)? != 24 {
        return None;
    }
    let after = section.offset.wrapping_add(HEADER);
    let start = after.wrapping_add(u64::from(u32_at(bytes, 8)?));
    let end = start.wrapping_add(u64::from(u32_at(bytes, 12)?));
    let strings = after.wrapping_add(u64::from(u32_at(bytes, 16)?));
    Some(Bounds { start, end: end.min(section.offset.wrapping_add(section.file_size)), strings })
}

/// Length of the record at `at`.
pub(super) fn record_length(peek: &mut Peek<'_>, at: u64) -> Option<u64> {
    let (_, members, count) = shape(peek.u32_at(at.wrapping_add(4))?);
    Some(members.length.wrapping_mul(count).wrapping_add(12))
}

/// Finds the references of a window of type records.
pub(super) fn scan(
    context: &mut Context<'_>,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let Some(bounds) = bounds(section, &mut context.peek) else { return window.bytes.len() };
    let strings = (!context.image.relocatable).then(|| section.address_of(bounds.strings));
    let mut at = context.checkpoints.before(bounds.start, window.start);
    while at < window.end().min(bounds.end) {
        let Some(length) = record_length(&mut context.peek, at) else { return window.bytes.len() };
        let next = at.wrapping_add(length);
        if next > window.end() && !window.last && at > window.start {
            return index(at.saturating_sub(window.start));
        }
        if next > window.start {
            record(context, strings, at, window, found);
        }
        at = next;
    }
    window.bytes.len()
}

/// Reports the references of one record; `strings` is the address of the names, if this file holds them.
fn record(
    context: &mut Context<'_>,
    strings: Option<u64>,
    at: u64,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> Option<()> {
    let Context { peek, far, checkpoints, .. } = context;
    let mut keep = |at: u64, kind: Kind| {
        let into = index(at.wrapping_sub(window.start));
        let Some(value) = u32_at(window.bytes, into).filter(|value| *value != 0 && at >= window.start) else {
            return;
        };
        let number = u64::from(value);
        let (base, target) = match strings {
            None => (Base::At(0), Target::Shifted(number)),
            Some(strings) if kind == Kind::Name => {
                (Base::Mapped(strings), Target::Address(strings.wrapping_add(number)))
            }
            Some(_) => match checkpoints.record(far, number) {
                Some(at) => (Base::At(0), Target::Record { number, at }),
                None => (Base::At(0), Target::Shifted(number)),
            },
        };
        window.keep(Field { at, form: &Form::U32, kind, base, target }, found);
    };
    let info = peek.u32_at(at.wrapping_add(4))?;
    let (kind, members, count) = shape(info);
    keep(at, Kind::Name);
    if matches!(kind, 2 | 8..=14 | 17 | 18) {
        keep(at.wrapping_add(8), Kind::Type);
    }
    let first = at.wrapping_add(12);
    for number in 0..count {
        let member = first.wrapping_add(number.wrapping_mul(members.length));
        if member >= window.end() {
            break;
        }
        if members.name {
            keep(member, Kind::Name);
        }
        for skip in members.types {
            keep(member.wrapping_add(*skip), Kind::Type);
        }
    }
    Some(())
}
