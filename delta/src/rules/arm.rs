//! Tables of 32-bit Arm files: REL records and the exception index.
//!
//! | record | at | field |
//! |---|---|---|
//! | REL | 0 | r_offset u32: address; in relocatable files offset in the section that sh_info names |
//! | REL | 4 | symbol in bits 8 to 31: position in the table that sh_link names |
//! | index | 0 | start of a function, 31 bits relative to the field |
//! | index | 4 | 1, or bit 31 and inline data, or 31 bits relative to the field |
//!
//! From "ELF for the Arm Architecture" and "Exception Handling ABI for the Arm Architecture".

use super::{Context, Window};
use crate::field::{Base, Form, Kind, Target, What};
use crate::image::Section;
use crate::num::u32_at;

const OFFSET: What = What::new(Form::U32, Kind::Reloc, Base::At, Target::Address);
const NUMBER: What = What::new(Form::SYMBOL24, Kind::Symbol, Base::At, Target::Address);

/// Finds the references of one relocation.
pub(super) fn relocation(
    context: &mut Context<'_>,
    section: &Section,
    window: &mut Window<'_>,
    at: u64,
) -> Option<()> {
    let bytes = context.peek.bytes(at, 8);
    let (offset, symbol) = (u64::from(u32_at(bytes, 0)?), u64::from(u32_at(bytes, 4)? >> 8));
    let image = context.image;
    match image.sections.get(section.info).filter(|_| image.relocatable) {
        Some(patched) => {
            context.keep(window, at, OFFSET, section.info, patched.addr.wrapping_add(offset), 0);
        }
        None => window.keep(at, OFFSET, 0, offset),
    }
    let table = image.sections.get(section.link).filter(|_| symbol != 0)?;
    let target = table.addr.wrapping_add(symbol.wrapping_mul(image.class().symbol));
    context.keep(window, at.wrapping_add(4), NUMBER, section.link, target, 0);
    None
}
