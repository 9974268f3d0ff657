//! RELA sections: records of 24 bytes.
//!
//! | at | field | linked file | relocatable file |
//! |---|---|---|---|
//! | 0 | r_offset u64 | address | offset in the section that sh_info names |
//! | 8 | type u32 | - | - |
//! | 12 | symbol u32 | position in the table that sh_link names | likewise |
//! | 16 | addend i64 | address | offset in the section of a section symbol, + 4 for x86-64 PC32 and PLT32 to code |

use super::{Context, Window};
use crate::field::{Base, Field, Form, Kind, Target};
use crate::image::elf::symbol_type;
use crate::image::{Machine, Section};
use crate::num::{index, u16_at, u32_at, u64_at};

const RECORD: u64 = 24;
const SYMBOL: u64 = 24;
/// `STT_SECTION`.
const SECTION_SYMBOL: u8 = 3;
/// `R_X86_64_PC32` and `R_X86_64_PLT32`.
const RELATIVE_TO_END: [u32; 2] = [2, 4];

/// Finds the references of a window of relocations.
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
    let (offset, kind, symbol) = (u64_at(bytes, 0)?, u32_at(bytes, 8)?, u32_at(bytes, 12)?);
    let addend = u64_at(bytes, 16)?;
    let linked = !context.image.relocatable;
    let mut keep = |skip: u64, form: &'static Form, kind: Kind, base: Option<u64>, target: u64| {
        if let Some(base) = base {
            let (at, base) = (at.wrapping_add(skip), Base::At(base));
            window.keep(Field { at, form, kind, base, target: Target::Address(target) }, found);
        }
    };
    if linked {
        keep(0, &Form::U64, Kind::Reloc, Some(0), offset);
    } else if let Some(patched) = context.image.sections.get(section.info) {
        keep(0, &Form::U64, Kind::Reloc, context.base_of(section.info), patched.addr.wrapping_add(offset));
    }
    let table = context.image.sections.get(section.link)?;
    let symbol_at = u64::from(symbol).wrapping_mul(SYMBOL);
    if symbol != 0 {
        let form = &Form::INDEX24;
        keep(12, form, Kind::Symbol, context.base_of(section.link), table.addr.wrapping_add(symbol_at));
    }
    if linked {
        if context.image.section_at(addend).is_some() {
            keep(16, &Form::U64, Kind::Addend, Some(0), addend);
        }
        return Some(());
    }
    let bytes = context.far.bytes(table.offset.wrapping_add(symbol_at), index(SYMBOL));
    if symbol_type(bytes) == SECTION_SYMBOL {
        let number = usize::from(u16_at(bytes, 6)?);
        let pointed = context.image.sections.get(number)?;
        let to_end = context.image.machine == Machine::X86_64 && RELATIVE_TO_END.contains(&kind);
        let bias = if to_end && pointed.is_code() { 4 } else { 0 };
        let base = context.base_of(number).map(|base| base.wrapping_add(bias));
        let target = pointed.addr.wrapping_add(addend).wrapping_add(bias);
        keep(16, &Form::U64, Kind::Addend, base, target);
    }
    Some(())
}
