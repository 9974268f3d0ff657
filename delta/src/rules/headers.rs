//! The ELF header, program headers and the section table of the file itself.

use super::{Context, Window};
use crate::field::{Base, Form, Kind, Target, What};
use crate::image::Section;
use crate::num::{index, wide};

fn what(form: Form, base: Base, target: Target) -> What {
    What::new(form, Kind::Header, base, target)
}

/// Finds `e_entry`, `e_shoff` and in each program header `p_offset`, `p_vaddr`, `p_paddr`, `p_filesz`, `p_memsz`.
pub(super) fn scan_elf(context: &mut Context<'_>, section: &Section, window: &mut Window<'_>) -> usize {
    let class = context.image.class();
    let form = class.form();
    let mut keep = |at: u64, base: Base, start: u64, target: Target| {
        let value = class.word(context.peek.bytes(at, 8), 0);
        window.keep(at, what(form, base, target), start, start.wrapping_add(value));
        value
    };
    keep(24, Base::At, 0, Target::Address);
    keep(wide(class.table_at), Base::At, 0, Target::Offset);
    let headers = section.size.saturating_sub(class.header).checked_div(class.program).unwrap_or(0);
    for number in 0..headers {
        let header = class.header.wrapping_add(number.wrapping_mul(class.program));
        let [offset, vaddr, paddr, file_size, size] = class.program_fields;
        keep(header.wrapping_add(offset), Base::At, 0, Target::Offset);
        let start = keep(header.wrapping_add(vaddr), Base::At, 0, Target::Address);
        keep(header.wrapping_add(paddr), Base::At, 0, Target::Address);
        keep(header.wrapping_add(file_size), Base::Mapped, start, Target::End);
        keep(header.wrapping_add(size), Base::Mapped, start, Target::End);
    }
    window.bytes.len()
}

/// Finds `sh_addr`, `sh_offset` and `sh_size` of one section, all known from the layout.
pub(super) fn section(
    context: &mut Context<'_>,
    table: &Section,
    window: &mut Window<'_>,
    at: u64,
) -> Option<()> {
    let class = context.image.class();
    let number = at.saturating_sub(table.offset).checked_div(class.section)?;
    let place = context.layout.counterpart(index(number))?;
    let [addr, offset, size, ..] = class.section_fields;
    let mut keep = |skip: usize, value: u64| {
        window.keep(at.wrapping_add(wide(skip)), what(class.form(), Base::At, Target::Known), 0, value);
    };
    keep(addr, place.vaddr);
    keep(offset, place.offset);
    keep(size, place.size);
    Some(())
}
