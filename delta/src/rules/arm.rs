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
use crate::field::{Base, Field, Form, Kind, Target};
use crate::image::Section;
use crate::num::{extend, u32_at};

const RECORD: u64 = 8;

/// Finds the references of a window of relocations.
pub(super) fn scan_rel(
    context: &mut Context<'_>,
    _: usize,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let (records, dealt) = window.records(section, 0, RECORD);
    for at in records {
        let bytes = context.peek.bytes(at, 8);
        let Some((offset, info)) = u32_at(bytes, 0).zip(u32_at(bytes, 4)) else { break };
        let patched = context.image.sections.get(section.info).filter(|_| context.image.relocatable);
        let base = if patched.is_some() { context.base_of(section.info) } else { Some(0) };
        if let Some(base) = base {
            let start = patched.map_or(0, |patched| patched.addr);
            let target = Target::Address(start.wrapping_add(u64::from(offset)));
            window
                .keep(Field { at, form: &Form::U32, kind: Kind::Reloc, base: Base::At(base), target }, found);
        }
        let table = context.image.sections.get(section.link);
        if let (Some(table), Some(base), true) = (table, context.base_of(section.link), info >> 8 != 0) {
            let length = context.image.class().symbol;
            let target = table.addr.wrapping_add(u64::from(info >> 8).wrapping_mul(length));
            let (at, base) = (at.wrapping_add(4), Base::At(base));
            let target = Target::Address(target);
            window.keep(Field { at, form: &Form::SYMBOL24, kind: Kind::Symbol, base, target }, found);
        }
    }
    dealt
}

/// Finds the references of a window of the exception index.
pub(super) fn scan_index(
    context: &mut Context<'_>,
    _: usize,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let (records, dealt) = window.records(section, 0, RECORD);
    for at in records {
        for at in [at, at.wrapping_add(4)] {
            let Some(word) = context.peek.u32_at(at).filter(|word| *word != 1 && word >> 31 == 0) else {
                continue;
            };
            let target = section.address_of(at).wrapping_add(extend(u64::from(word), 31)) & 0xffff_ffff;
            let (base, target) = (Base::Place(0), Target::Address(target));
            window.keep(Field { at, form: &Form::REL31, kind: Kind::Frame, base, target }, found);
        }
    }
    dealt
}
