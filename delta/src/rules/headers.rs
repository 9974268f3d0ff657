//! The ELF header, program headers and the section table of the file itself.

use super::{Context, Window};
use crate::field::{Base, Field, Kind, Target};
use crate::image::Section;
use crate::num::index;

/// Finds `e_entry`, `e_shoff` and in each program header `p_offset`, `p_vaddr`, `p_paddr`, `p_filesz`, `p_memsz`.
pub(super) fn scan_elf(
    context: &mut Context<'_>,
    _: usize,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let class = context.image.class();
    let mut value = |at: u64| class.word_at(context.peek.bytes(at, 8), 0).unwrap_or(0);
    let mut keep = |at: u64, base: Base, target: Target| {
        window.keep(Field { at, form: class.form(), kind: Kind::Header, base, target }, found);
    };
    let table = u64::try_from(class.table_at).unwrap_or(0);
    keep(24, Base::At(0), Target::Address(value(24)));
    keep(table, Base::At(0), Target::Offset(value(table)));
    let headers = section.size.saturating_sub(class.header).checked_div(class.program).unwrap_or(0);
    for number in 0..headers {
        let header = class.header.wrapping_add(number.wrapping_mul(class.program));
        let [offset, vaddr, paddr, file_size, size] =
            class.program_fields.map(|skip| header.wrapping_add(skip));
        let start = value(vaddr);
        keep(offset, Base::At(0), Target::Offset(value(offset)));
        keep(vaddr, Base::At(0), Target::Address(start));
        keep(paddr, Base::At(0), Target::Address(value(paddr)));
        for size in [file_size, size] {
            keep(size, Base::Mapped(start), Target::End(start.wrapping_add(value(size))));
        }
    }
    window.bytes.len()
}

/// Finds `sh_addr`, `sh_offset` and `sh_size`, all known from the layout.
pub(super) fn scan_sections(
    context: &mut Context<'_>,
    _: usize,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let class = context.image.class();
    let (records, dealt) = window.records(section, 0, class.section);
    for at in records {
        let into = at.saturating_sub(section.offset).checked_div(class.section).unwrap_or(0);
        let Some(place) = context.layout.counterpart(index(into)) else { continue };
        for (skip, value) in class.section_fields.into_iter().zip([place.vaddr, place.offset, place.size]) {
            let at = at.wrapping_add(skip);
            let target = Target::Known(value);
            window
                .keep(Field { at, form: class.form(), kind: Kind::Header, base: Base::At(0), target }, found);
        }
    }
    dealt
}
