//! Symbol tables: records of 24 bytes, in 32-bit files 16.
//!
//! | at | in 32-bit files | field | target |
//! |---|---|---|---|
//! | 0 | 0 | st_name u32 | position in the string table that sh_link names |
//! | 6 | 14 | st_shndx u16 | - |
//! | 8 | 4 | st_value | address; in relocatable files offset in section st_shndx |
//! | 16 | 8 | st_size | the end of the symbol, from its start |

use super::{Context, Window};
use crate::field::{Base, Form, Kind, Target, What};
use crate::image::Section;
use crate::num::{index, u16_at, u32_at};

/// `SHN_LORESERVE`.
const RESERVED: u16 = 0xff00;

/// Finds the references of one symbol.
pub(super) fn record(
    context: &mut Context<'_>,
    section: &Section,
    window: &mut Window<'_>,
    at: u64,
) -> Option<()> {
    let image = context.image;
    let class = image.class();
    let [value_at, size_at, number_at] = class.symbol_fields;
    let bytes = context.peek.bytes(at, index(class.symbol));
    let (name, number) = (u64::from(u32_at(bytes, 0)?), u16_at(bytes, index(number_at))?);
    let (value, size) = (class.word_at(bytes, index(value_at))?, class.word_at(bytes, index(size_at))?);
    let what = |form: Form, base: Base, target: Target| What::new(form, Kind::Symbol, base, target);
    let names = image.sections.get(section.link)?;
    if name != 0 {
        let target = names.addr.wrapping_add(name);
        context.keep(window, at, what(Form::U32, Base::At, Target::Address), section.link, target, 0);
    }
    if number == 0 || number >= RESERVED {
        return None;
    }
    let number = usize::from(number);
    let (base, start) = match image.relocatable {
        true => (context.base_of(number)?, image.sections.get(number)?.addr.wrapping_add(value)),
        false => (0, value),
    };
    window.keep(at.wrapping_add(value_at), what(class.form(), Base::At, Target::Address), base, start);
    if size != 0 {
        let end = start.wrapping_add(size);
        window.keep(at.wrapping_add(size_at), what(class.form(), Base::Mapped, Target::End), start, end);
    }
    None
}
