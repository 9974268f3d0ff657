//! x86-64 code: relative calls and jumps, RIP-relative operands.
//!
//! No disassembly: at each byte that may start an opcode, the pattern of the instruction is tried; it counts if its
//! target lies where such a target may lie. Opcodes from the Intel SDM volume 2, appendix A.

use super::Window;
use crate::field::{Base, Field, Form, Kind, Target};
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
    let next = |skip: usize| u8_at(bytes, at.wrapping_add(skip));
    let opcode = next(0)?;
    let (operand, modrm) = match opcode {
        0xe8 | 0xe9 => return Some(Found { displacement: 1, immediate: 0, to_code: true }),
        0x0f => match next(1)? {
            0x80..=0x8f => return Some(Found { displacement: 2, immediate: 0, to_code: true }),
            0x38 => (Some(0), 3),
            0x3a => (Some(1), 3),
            opcode => (two_byte(opcode), 2),
        },
        0xc5 => (two_byte(next(2)?), 3),
        0xc4 => (mapped(next(1)? & 0x1f, next(3)?), 4),
        0x62 => (mapped(next(1)? & 0x07, next(4)?), 5),
        opcode => (plain(opcode, next(1)?), 1),
    };
    let immediate = operand?;
    if next(modrm)? & 0xc7 != 0x05 {
        return None;
    }
    Some(Found { displacement: modrm.wrapping_add(1), immediate, to_code: false })
}

/// Reports each reference as (offset in the window, target, whether it leads to code).
fn each(
    image: &Image,
    section: &Section,
    window: &Window<'_>,
    report: &mut dyn FnMut(usize, u64, u8, bool),
) -> usize {
    let bytes = window.bytes;
    let stop = if window.last { bytes.len() } else { bytes.len().saturating_sub(LONGEST) };
    let start = section.address_of(window.start);
    let mut at = 0usize;
    while at < stop {
        let found = pattern(bytes, at).and_then(|found| {
            let place = at.wrapping_add(found.displacement);
            let after = wide(place).wrapping_add(4).wrapping_add(u64::from(found.immediate));
            let distance = extend32(u32_at(bytes, place)?);
            let target = start.wrapping_add(after).wrapping_add(distance);
            let section = image.loaded_at(target)?;
            (section.is_code() || !found.to_code).then_some((found, place, target))
        });
        match found {
            Some((found, place, target)) => {
                report(place, target, found.immediate, found.to_code);
                at = place.wrapping_add(4);
            }
            None => at = at.wrapping_add(1),
        }
    }
    at
}

/// Finds the references of a window of code.
pub(super) fn scan(image: &Image, section: &Section, window: &Window<'_>, found: &mut Vec<Field>) -> usize {
    each(image, section, window, &mut |place, target, immediate, to_code| {
        found.push(Field {
            at: window.start.wrapping_add(wide(place)),
            form: &Form::REL32,
            kind: if to_code { Kind::Call } else { Kind::Data },
            base: Base::Place(u64::from(immediate).wrapping_add(4)),
            target: Target::Address(target),
        });
    })
}

/// Finds the addresses that LEA takes.
pub(super) fn addresses_taken(
    image: &Image,
    section: &Section,
    window: &Window<'_>,
    report: &mut dyn FnMut(u64),
) -> usize {
    each(image, section, window, &mut |place, target, _, to_code| {
        let opcode = place.checked_sub(2).and_then(|opcode| u8_at(window.bytes, opcode));
        if !to_code && opcode == Some(0x8d) {
            report(target);
        }
    })
}
