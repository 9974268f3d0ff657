//! 32-bit x86: relative calls and jumps, offsets from the global offset table, absolute addresses. Since profile 2.
//!
//! | bytes | reference |
//! |---|---|
//! | E8, E9, 0F 80 to 0F 8F | rel32 to code |
//! | 81 C0 to 81 C7, 05, with an immediate that leads there from the opcode | the table's own address |
//! | opcode of x86-64 code with ModRM mod = 2, with or without SIB | disp32 + the table is loaded; small ones from EBX only |
//! | the same with ModRM 05, 0D, ... | disp32 is a loaded address |
//! | aligned word in read-only data | word + the table is code; else a loaded address |
//!
//! The table is where `.got.plt` starts, or `.got` if there is none. Opcodes from the Intel SDM volume 2, appendix A.

use super::{Context, Window, x86};
use crate::field::{Base, Form, Kind, Target, What};
use crate::image::{Image, Section};
use crate::num::{align_up, extend32, index, u8_at, u32_at, wide};

/// Bytes that the longest pattern takes.
const LONGEST: usize = 12;
/// Offsets below are more likely those of members, unless the register is the one for the table. Changing it breaks the format.
const MEMBER: u32 = 0x1000;
/// EBX.
const TABLE_REGISTER: u8 = 3;

fn narrow(address: u64) -> u64 {
    address & 0xffff_ffff
}

/// The reference that starts with the opcode at `at`, whose address is `place`: how far from the opcode, and what it is.
fn pattern(
    image: &Image,
    table: Option<u64>,
    bytes: &[u8],
    at: usize,
    place: u64,
) -> Option<(usize, Kind, (Base, u64), u64)> {
    let next = |skip: usize| u8_at(bytes, at.wrapping_add(skip));
    let word = |skip: usize| u32_at(bytes, at.wrapping_add(skip));
    let opcode = next(0)?;
    let (operand, modrm) = match (opcode, next(1)?) {
        (0xe8 | 0xe9, _) => return call(image, word(1)?, place, 1),
        (0x0f, 0x80..=0x8f) => return call(image, word(2)?, place, 2),
        (0x05, _) => return own_address(table?, word(1)?, place, 1),
        (0x81, 0xc0..=0xc7) => return own_address(table?, word(2)?, place, 2),
        (0x0f, opcode) => (x86::two_byte(opcode), 2usize),
        (0xa0..=0xa3, _) => return absolute(image, word(1)?, 1),
        (opcode, modrm) => (x86::plain(opcode, modrm), 1),
    };
    operand?;
    let byte = next(modrm)?;
    let after = modrm.wrapping_add(1);
    match (byte >> 6, byte & 7) {
        (0, 5) => absolute(image, word(after)?, after),
        (2, 4) => {
            offset(image, table?, word(after.wrapping_add(1))?, next(after)? & 7, after.wrapping_add(1))
        }
        (2, register) => offset(image, table?, word(after)?, register, after),
        _ => None,
    }
}

fn call(image: &Image, word: u32, place: u64, skip: usize) -> Option<(usize, Kind, (Base, u64), u64)> {
    let end = place.wrapping_add(wide(skip)).wrapping_add(4);
    let target = narrow(end.wrapping_add(extend32(word)));
    image.is_code(target).then_some((skip, Kind::Call, (Base::Place, 4), target))
}

fn own_address(table: u64, word: u32, place: u64, skip: usize) -> Option<(usize, Kind, (Base, u64), u64)> {
    let back = wide(skip).wrapping_neg();
    (narrow(place.wrapping_add(extend32(word))) == table).then_some((
        skip,
        Kind::Data,
        (Base::Place, back),
        table,
    ))
}

fn absolute(image: &Image, word: u32, skip: usize) -> Option<(usize, Kind, (Base, u64), u64)> {
    let target = u64::from(word);
    image.loaded_at(target)?;
    Some((skip, Kind::Word, (Base::At, 0), target))
}

fn offset(
    image: &Image,
    table: u64,
    word: u32,
    register: u8,
    skip: usize,
) -> Option<(usize, Kind, (Base, u64), u64)> {
    if word < MEMBER && register != TABLE_REGISTER {
        return None;
    }
    let target = narrow(table.wrapping_add(extend32(word)));
    image.loaded_at(target)?;
    Some((skip, Kind::Data, (Base::Mapped, table), target))
}

fn what(kind: Kind, base: Base) -> What {
    What::new(Form::REL32, kind, base, Target::Address)
}

/// Finds the references of a window of code.
pub(super) fn scan(context: &mut Context<'_>, section: &Section, window: &mut Window<'_>) -> usize {
    let bytes = window.bytes;
    let stop = if window.last { bytes.len() } else { bytes.len().saturating_sub(LONGEST) };
    let start = section.address_of(window.start);
    let mut at = 0usize;
    while at < stop {
        let place = start.wrapping_add(wide(at));
        let Some((skip, kind, (base, number), target)) =
            pattern(context.image, context.offset_table, bytes, at, place)
        else {
            at = at.wrapping_add(1);
            continue;
        };
        let field = at.wrapping_add(skip);
        window.keep(window.start.wrapping_add(wide(field)), what(kind, base), number, target);
        at = field.wrapping_add(4);
    }
    at
}

/// Finds offsets from the table and addresses in read-only data.
pub(super) fn scan_read_only(context: &mut Context<'_>, section: &Section, window: &mut Window<'_>) -> usize {
    let start = section.address_of(window.start);
    let mut at = index(align_up(start, 4).wrapping_sub(start));
    while let Some(word) = u32_at(window.bytes, at) {
        let code = context.offset_table.and_then(|table| {
            let target = narrow(table.wrapping_add(extend32(word)));
            context.image.is_code(target).then_some((0, Kind::Table, (Base::Mapped, table), target))
        });
        if let Some((_, kind, (base, number), target)) = code.or_else(|| absolute(context.image, word, 0)) {
            window.keep(window.start.wrapping_add(wide(at)), what(kind, base), number, target);
        }
        at = at.wrapping_add(4);
    }
    if window.last { window.bytes.len() } else { at.min(window.bytes.len()) }
}
