//! Symbol tables: records of 24 bytes.
//!
//! | at | field | target |
//! |---|---|---|
//! | 0 | st_name u32 | position in the string table that sh_link names |
//! | 6 | st_shndx u16 | - |
//! | 8 | st_value u64 | address; in relocatable files offset in section st_shndx |
//! | 16 | st_size u64 | the end of the symbol, from its start |

use super::{Context, Window};
use crate::field::{Base, Field, Form, Kind, Target};
use crate::image::Section;
use crate::num::{index, u16_at, u32_at, u64_at};

const RECORD: u64 = 24;
/// `SHN_LORESERVE`.
const RESERVED: u16 = 0xff00;

/// Finds the references of a window of symbols.
pub(super) fn scan(
    context: &mut Context<'_>,
    _: usize,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let (records, dealt) = window.records(section, 0, RECORD);
    for at in records {
        record(context, section, at, window, found);
    }
    dealt
}

fn record(
    context: &mut Context<'_>,
    section: &Section,
    at: u64,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> Option<()> {
    let bytes = context.peek.bytes(at, index(RECORD));
    let (name, number) = (u64::from(u32_at(bytes, 0)?), u16_at(bytes, 6)?);
    let (value, size) = (u64_at(bytes, 8)?, u64_at(bytes, 16)?);
    let mut keep = |skip: u64, form: Form, base: Base, target: Target| {
        window.keep(Field { at: at.saturating_add(skip), form, kind: Kind::Symbol, base, target }, found);
    };
    let names = context.image.sections.get(section.link)?;
    if name != 0
        && let Some(base) = context.base_of(section.link)
    {
        keep(0, Form::U32(1), Base::At(base), Target::Address(names.addr.wrapping_add(name)));
    }
    if number == 0 || number >= RESERVED {
        return None;
    }
    let number = usize::from(number);
    let (base, start) = match context.image.relocatable {
        true => (context.base_of(number)?, context.image.sections.get(number)?.addr.wrapping_add(value)),
        false => (0, value),
    };
    keep(8, Form::U64, Base::At(base), Target::Address(start));
    if size != 0 {
        keep(16, Form::U64, Base::Mapped(start), Target::End(start.wrapping_add(size)));
    }
    Some(())
}
