//! RELA sections: records of 24 bytes.
//!
//! | at | field | linked file | relocatable file |
//! |---|---|---|---|
//! | 0 | r_offset u64 | address | offset in the section that sh_info names |
//! | 8 | type u32 | - | - |
//! | 12 | symbol u32 | position in the table that sh_link names | likewise |
//! | 16 | addend i64 | address | offset in the section of a section symbol, + 4 for x86-64 PC32 and PLT32 to code |

use super::{Context, Window};
use crate::field::{Base, Form, Kind, Target, What};
use crate::image::elf::symbol_type;
use crate::image::{Machine, Section};
use crate::num::{index, le32_at, le64_at, u16_at};

/// Length of a record.
pub(super) const RECORD: usize = 24;
const SYMBOL: u64 = 24;
/// `STT_SECTION`.
const SECTION_SYMBOL: u8 = 3;
/// `R_X86_64_PC32` and `R_X86_64_PLT32`.
const RELATIVE_TO_END: [u32; 2] = [2, 4];

const OFFSET: What = What::new(Form::U64, Kind::Reloc, Base::At, Target::Address);
const NUMBER: What = What::new(Form::INDEX24, Kind::Symbol, Base::At, Target::Address);
const ADDEND: What = What::new(Form::U64, Kind::Addend, Base::At, Target::Address);

/// Finds the references of one relocation.
pub(super) fn record(
    context: &mut Context<'_>,
    section: &Section,
    window: &mut Window<'_>,
    at: u64,
) -> Option<()> {
    let bytes: &[u8; RECORD] = context.peek.bytes(at, RECORD).try_into().ok()?;
    let (offset, kind, symbol) = (le64_at(bytes, 0), le32_at(bytes, 8), le32_at(bytes, 12));
    let addend = le64_at(bytes, 16);
    let image = context.image;
    if !image.relocatable {
        window.keep(at, OFFSET, 0, offset);
    } else if let Some(patched) = image.sections.get(section.info) {
        context.keep(window, at, OFFSET, section.info, patched.addr.wrapping_add(offset), 0);
    }
    let table = image.sections.get(section.link)?;
    let symbol_at = u64::from(symbol).wrapping_mul(SYMBOL);
    if symbol != 0 {
        let target = table.addr.wrapping_add(symbol_at);
        context.keep(window, at.wrapping_add(12), NUMBER, section.link, target, 0);
    }
    let at = at.wrapping_add(16);
    if !image.relocatable {
        if image.section_at(addend).is_some() {
            window.keep(at, ADDEND, 0, addend);
        }
        return None;
    }
    let bytes = context.far.bytes(table.offset.wrapping_add(symbol_at), index(SYMBOL));
    if symbol_type(bytes) == SECTION_SYMBOL {
        let number = usize::from(u16_at(bytes, 6)?);
        let pointed = image.sections.get(number)?;
        let to_end = image.machine == Machine::X86_64 && RELATIVE_TO_END.contains(&kind);
        let bias = if to_end && pointed.is_code() { 4 } else { 0 };
        let target = pointed.addr.wrapping_add(addend).wrapping_add(bias);
        context.keep(window, at, ADDEND, number, target, bias);
    }
    None
}
