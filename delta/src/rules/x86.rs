//! x86-64 code: relative calls and jumps, RIP-relative operands.
//!
//! No disassembly: at each byte that may start an opcode, the pattern of the instruction is tried; it counts if its
//! target lies where such a target may lie. Opcodes from the Intel SDM volume 2, appendix A.

use super::{Context, Window};
use crate::field::{Base, Form, Kind, Target, What};
use crate::image::{Image, Section};
use crate::num::{extend32, u8_at, u32_at, wide};

/// Bytes that the longest pattern takes: EVEX prefix, opcode, ModRM, displacement, immediate.
const LONGEST: usize = 14;

/// What the ModRM byte of an opcode leads to: nothing, or an operand followed by so many immediate bytes.
pub(super) type Operand = Option<u8>;

/// One-byte opcodes whose operand may be RIP-relative.
pub(super) fn plain(opcode: u8, modrm: u8) -> Operand {
    match opcode {
        0x00..=0x3b if opcode & 7 < 4 => Some(0),
        0x63 | 0x84..=0x8b | 0x8d | 0xd0..=0xd3 | 0xd8..=0xdf | 0xfe | 0xff => Some(0),
        0x6b | 0x80 | 0x83 | 0xc0 | 0xc1 | 0xc6 => Some(1),
        0x69 | 0x81 | 0xc7 => Some(4),
        0xf6 => Some(if modrm & 0x30 == 0 { 1 } else { 0 }),
        0xf7 => Some(if modrm & 0x30 == 0 { 4 } else { 0 }),
        _ => None,
    }
}

/// Opcodes after 0F, or in the VEX and EVEX map 1.
pub(super) fn two_byte(opcode: u8) -> Operand {
    match opcode {
        0x70..=0x73 | 0xa4 | 0xac | 0xba | 0xc2 | 0xc4..=0xc6 => Some(1),
        0x00 | 0x01 | 0x0d | 0x10..=0x1f | 0x28..=0x2f | 0x40..=0x6f | 0x74..=0x76 | 0x7c..=0x7f => Some(0),
        0x90..=0x9f | 0xa3 | 0xa5 | 0xab | 0xad..=0xb8 | 0xbb..=0xc1 | 0xc3 | 0xc7 | 0xd0..=0xfe => Some(0),
        _ => None,
    }
}

/// Opcodes of the maps that prefixes name by number.
fn mapped(map: u8, opcode: u8) -> Operand {
    match map {
        1 => two_byte(opcode),
        2 => Some(0),
        3 => Some(1),
        _ => None,
    }
}

/// A relative reference: its distance from the opcode, the immediate bytes after it, whether it must lead to code.
struct Found {
    displacement: usize,
    immediate: u8,
    to_code: bool,
}

/// The instruction pattern that starts at `at`, if one does.
fn pattern(bytes: &[u8], at: usize) -> Option<Found> {
    // fewer have no room for a displacement
    let [opcode, first, second, third, fourth] = *bytes.get(at..)?.first_chunk()?;
    let (operand, modrm) = match opcode {
        0xe8 | 0xe9 => return Some(Found { displacement: 1, immediate: 0, to_code: true }),
        0x0f => match first {
            0x80..=0x8f => return Some(Found { displacement: 2, immediate: 0, to_code: true }),
            0x38 => (Some(0), 3),
            0x3a => (Some(1), 3),
            opcode => (two_byte(opcode), 2),
        },
        0xc5 => (two_byte(second), 3),
        0xc4 => (mapped(first & 0x1f, third), 4),
        0x62 => (mapped(first & 0x07, fourth), 5),
        opcode => (plain(opcode, first), 1),
    };
    let immediate = operand?;
    if u8_at(bytes, at.wrapping_add(modrm))? & 0xc7 != 0x05 {
        return None;
    }
    Some(Found { displacement: modrm.wrapping_add(1), immediate, to_code: false })
}

const CALL: What = What::new(Form::REL32, Kind::Call, Base::Place, Target::Address);
const DATA: What = What::new(Form::REL32, Kind::Data, Base::Place, Target::Address);

/// Finds the references of a window of code.
pub(super) fn scan(context: &mut Context<'_>, section: &Section, window: &mut Window<'_>) -> usize {
    scan_code(context.image, section, window)
}

/// The same without what other rules need.
pub(super) fn scan_code(image: &Image, section: &Section, window: &mut Window<'_>) -> usize {
    let bytes = window.bytes;
    let stop = if window.last { bytes.len() } else { bytes.len().saturating_sub(LONGEST) };
    let start = section.address_of(window.start);
    let mut at = 0usize;
    while at < stop {
        let next = at.wrapping_add(1);
        at = reference(image, start, window, at).unwrap_or(next);
    }
    at
}

/// Keeps the reference of the instruction at `at`, if there is one, and says where it ends.
fn reference(image: &Image, start: u64, window: &mut Window<'_>, at: usize) -> Option<usize> {
    let found = pattern(window.bytes, at)?;
    let place = at.wrapping_add(found.displacement);
    let after = u64::from(found.immediate).wrapping_add(4);
    let distance = extend32(u32_at(window.bytes, place)?);
    let target = start.wrapping_add(wide(place)).wrapping_add(after).wrapping_add(distance);
    let section = image.loaded_at(target)?;
    if found.to_code && !section.is_code() {
        return None;
    }
    let what = if found.to_code { CALL } else { DATA };
    window.keep(window.start.wrapping_add(wide(place)), what, after, target);
    Some(place.wrapping_add(4))
}
