//! The ELF header, program headers and the section table of the file itself.

use super::{Context, Window};
use crate::field::{Base, Field, Form, Kind, Target};
use crate::image::Section;
use crate::image::elf::{HEADER, PROGRAM_HEADER, SECTION_HEADER};
use crate::num::{index, u64_at, wide};

/// Finds `e_entry` (24), `e_shoff` (40) and in each program header `p_offset` (8), `p_vaddr` (16), `p_paddr` (24),
/// `p_filesz` (32), `p_memsz` (40).
pub(super) fn scan_elf(
    context: &mut Context<'_>,
    _: usize,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let mut value = |at: u64| u64_at(context.peek.bytes(at, 8), 0).unwrap_or(0);
    let mut keep = |at: u64, base: Base, target: Target| {
        window.keep(Field { at, form: Form::U64, kind: Kind::Header, base, target }, found);
    };
    keep(24, Base::At(0), Target::Address(value(24)));
    keep(40, Base::At(0), Target::Offset(value(40)));
    let headers = section.size.saturating_sub(HEADER).checked_div(PROGRAM_HEADER).unwrap_or(0);
    for number in 0..headers {
        let at = |skip: u64| HEADER.wrapping_add(number.wrapping_mul(PROGRAM_HEADER)).wrapping_add(skip);
        let start = value(at(16));
        keep(at(8), Base::At(0), Target::Offset(value(at(8))));
        keep(at(16), Base::At(0), Target::Address(start));
        keep(at(24), Base::At(0), Target::Address(value(at(24))));
        for size in [at(32), at(40)] {
            keep(size, Base::Mapped(start), Target::End(start.wrapping_add(value(size))));
        }
    }
    window.bytes.len()
}

/// Finds `sh_addr` (16), `sh_offset` (24) and `sh_size` (32), all known from the layout.
pub(super) fn scan_sections(
    context: &mut Context<'_>,
    _: usize,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let (records, dealt) = window.records(section, 0, SECTION_HEADER);
    for at in records {
        let into = at.saturating_sub(section.offset).checked_div(SECTION_HEADER).unwrap_or(0);
        let Some(place) = context.layout.counterpart(index(into)) else { continue };
        for (skip, value) in [(16, place.vaddr), (24, place.offset), (32, place.size)] {
            let at = at.saturating_add(skip);
            let target = Target::Known(value);
            window.keep(Field { at, form: Form::U64, kind: Kind::Header, base: Base::At(0), target }, found);
        }
    }
    dealt.max(usize::from(wide(dealt) == 0))
}
