//! Jump tables of x86-64: words in read-only data that, added to the address of the table, lead to code.
//!
//! A table starts at an aligned address that an LEA takes and whose first three words lead to code; it ends at the
//! next table or the first word that does not.

use super::{Rule, Window, x86};
use crate::field::Kind;
use crate::image::Image;
use crate::io::{Peek, ReadAt};
use crate::num::{before, extend32, index, up_to, wide};

/// Most tables of one file; those found after are not predicted. Changing it breaks the format.
const MAX_TABLES: usize = 1 << 14;
/// Bytes of code looked at a time.
const WINDOW: u64 = 16 << 10;
/// Opcode of LEA.
const LEA: u8 = 0x8d;

/// All jump tables of a file as (first address, end), ascending and disjoint.
#[derive(Debug, Default)]
pub(crate) struct Tables(Vec<(u64, u64)>);

impl Tables {
    /// The table that `address` is in.
    pub(crate) fn at(&self, address: u64) -> Option<u64> {
        let (start, end) = *before(&self.0, address)?;
        (address < end).then_some(start)
    }

    /// Bytes of memory taken.
    pub(crate) fn memory(&self) -> u64 {
        wide(self.0.len()).saturating_mul(16)
    }
}

/// Looks through all code of `file`.
#[inline(never)]
pub(crate) fn find(file: &dyn ReadAt, image: &Image, peek: &mut Peek<'_>) -> Tables {
    let mut tables: Vec<(u64, u64)> = Vec::new();
    let (mut bytes, mut found) = (Vec::new(), Vec::new());
    for section in image.sections.iter().filter(|section| section.rule == Rule::CodeX86) {
        let mut at = section.offset;
        let end = section.offset.saturating_add(section.file_size);
        while at < end {
            let length = WINDOW.min(end.saturating_sub(at));
            bytes.resize(index(length), 0);
            if file.read_at(at, &mut bytes).is_err() {
                return Tables::default();
            }
            found.clear();
            let last = at.saturating_add(length) >= end;
            let mut window = Window { bytes: &bytes, start: at, last, section: 0, found: &mut found };
            let dealt = x86::scan_code(image, section, &mut window);
            for field in &found {
                let opcode = index(field.at.wrapping_sub(at)).checked_sub(2).and_then(|at| bytes.get(at));
                if field.what.kind == Kind::Data && opcode == Some(&LEA) {
                    note(&mut tables, image, peek, field.target);
                }
            }
            at = at.saturating_add(wide(dealt.max(1)));
        }
    }
    let mut limit = u64::MAX;
    for (start, end) in tables.iter_mut().rev() {
        *end = *start;
        while *end < limit && leads_to_code(image, peek, *start, *end) {
            *end = end.saturating_add(4);
        }
        limit = *start;
    }
    Tables(tables)
}

/// Notes the table that starts at `address`, if one does.
fn note(tables: &mut Vec<(u64, u64)>, image: &Image, peek: &mut Peek<'_>, address: u64) {
    let place = up_to(tables, address);
    let is_known = before(tables, address).is_some_and(|(start, _)| *start == address);
    if !is_known && tables.len() < MAX_TABLES && starts_table(image, peek, address) {
        tables.insert(place, (address, 0));
    }
}

fn starts_table(image: &Image, peek: &mut Peek<'_>, start: u64) -> bool {
    let read_only = image.loaded_at(start).is_some_and(|section| section.rule == Rule::ReadOnly);
    read_only
        && start & 3 == 0
        && [0, 4, 8].iter().all(|skip| leads_to_code(image, peek, start, start.wrapping_add(*skip)))
}

fn leads_to_code(image: &Image, peek: &mut Peek<'_>, table: u64, address: u64) -> bool {
    let Some(section) = image.loaded_at(address).filter(|section| section.rule == Rule::ReadOnly) else {
        return false;
    };
    let offset = section.offset.wrapping_add(address.wrapping_sub(section.addr));
    let word = peek.u32_at(offset);
    word.is_some_and(|word| image.is_code(table.wrapping_add(extend32(word))))
}
