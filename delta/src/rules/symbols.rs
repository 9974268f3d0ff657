//! Symbol tables: records of 24 bytes, in 32-bit files 16.
//!
//! | at | in 32-bit files | field | target |
//! |---|---|---|---|
//! | 0 | 0 | st_name u32 | position in the string table that sh_link names |
//! | 6 | 14 | st_shndx u16 | - |
//! | 8 | 4 | st_value | address; in relocatable files offset in section st_shndx |
//! | 16 | 8 | st_size | the end of the symbol, from its start |

use super::{Context, Window};
use crate::field::{Base, Field, Form, Kind, Target};
use crate::image::Section;
use crate::num::{index, u16_at, u32_at};

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
    let (records, dealt) = window.records(section, 0, context.image.class().symbol);
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
    let class = context.image.class();
    let [value_at, size_at, number_at] = class.symbol_fields;
    let bytes = context.peek.bytes(at, index(class.symbol));
    let (name, number) = (u64::from(u32_at(bytes, 0)?), u16_at(bytes, index(number_at))?);
    let (value, size) = (class.word_at(bytes, index(value_at))?, class.word_at(bytes, index(size_at))?);
    let mut keep = |skip: u64, form: &'static Form, base: Base, target: Target| {
        window.keep(Field { at: at.wrapping_add(skip), form, kind: Kind::Symbol, base, target }, found);
    };
    let names = context.image.sections.get(section.link)?;
    if name != 0
        && let Some(base) = context.base_of(section.link)
    {
        keep(0, &Form::U32, Base::At(base), Target::Address(names.addr.wrapping_add(name)));
    }
    if number == 0 || number >= RESERVED {
        return None;
    }
    let number = usize::from(number);
    let (base, start) = match context.image.relocatable {
        true => (context.base_of(number)?, context.image.sections.get(number)?.addr.wrapping_add(value)),
        false => (0, value),
    };
    keep(value_at, class.form(), Base::At(base), Target::Address(start));
    if size != 0 {
        keep(size_at, class.form(), Base::Mapped(start), Target::End(start.wrapping_add(size)));
    }
    Some(())
}
