//! Token streams being written.

use crate::num::zigzag;

/// Appends a number in LEB128.
pub(crate) fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f | 0x80) as u8);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number.
pub(crate) fn signed(out: &mut Vec<u8>, value: u64) {
    number(out, zigzag(value));
}
