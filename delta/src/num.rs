//! Conversions and little-endian reads that cannot fail or that say so; no `as`, no indexing.

/// A length or offset as an index; what does not fit becomes an index that no slice has.
pub(crate) fn index(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A length as a number of bytes.
pub(crate) fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// The low 8 bits.
pub(crate) fn low8(value: u64) -> u8 {
    u8::try_from(value & 0xff).unwrap_or(0)
}

/// The low 32 bits.
pub(crate) fn low32(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or(0)
}

/// A 32-bit two's complement number stretched to 64 bits.
pub(crate) fn extend32(value: u32) -> u64 {
    i64::from(value.cast_signed()).cast_unsigned()
}

/// The low `bits` of `value` as a two's complement number of that width, stretched to 64 bits.
pub(crate) fn extend(value: u64, bits: u32) -> u64 {
    let unused = 64u32.saturating_sub(bits);
    value.wrapping_shl(unused).cast_signed().wrapping_shr(unused).cast_unsigned()
}

/// The `N` bytes at `at`, if the slice has them.
pub(crate) fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The `N` bytes at `at`, zeros if there are fewer. For bytes whose number the compiler knows: it makes one load of this.
#[inline(always)]
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes_at(bytes, at).unwrap_or([0; N])
}

/// The 32-bit number at `at`, likewise.
#[inline(always)]
pub(crate) fn le32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

/// The 64-bit number at `at`, likewise.
#[inline(always)]
pub(crate) fn le64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// The number in the `width` bytes at `at`, little-endian; one function for all widths, since each would be in the program often.
#[inline(never)]
pub(crate) fn number_at(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    number_at(bytes, at, 2).map(|number| u16::try_from(number).unwrap_or(0))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    number_at(bytes, at, 4).map(low32)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    number_at(bytes, at, 8)
}

/// `value` raised to a multiple of `to`, a power of two (0 counts as 1).
pub(crate) fn align_up(value: u64, to: u64) -> u64 {
    let mask = to.max(1).wrapping_sub(1);
    value.wrapping_add(mask) & !mask
}

/// Sorts places and what is there; one sort for all, since each type's own would be in the program again.
#[inline(never)]
pub(crate) fn ascend(places: &mut [(u64, u64)]) {
    places.sort_unstable();
}

/// How many of the ascending `places` are at `place` or before.
#[inline(never)]
pub(crate) fn up_to(places: &[(u64, u64)], place: u64) -> usize {
    places.partition_point(|(start, _)| *start <= place)
}

/// The last of the ascending `places` that is at `place` or before.
pub(crate) fn before(places: &[(u64, u64)], place: u64) -> Option<&(u64, u64)> {
    places.get(up_to(places, place).checked_sub(1)?)
}

/// Signed to unsigned with small magnitudes first: 0, -1, 1, -2, …
#[cfg(feature = "make")]
pub(crate) fn zigzag(value: u64) -> u64 {
    value.wrapping_shl(1) ^ if value >> 63 == 0 { 0 } else { u64::MAX }
}

/// The inverse of `zigzag`.
pub(crate) fn unzigzag(value: u64) -> u64 {
    (value >> 1) ^ if value & 1 == 0 { 0 } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_the_sign() {
        assert_eq!(extend32(0xffff_fffe), u64::MAX - 1);
        assert_eq!(extend32(0x7fff_ffff), 0x7fff_ffff);
        assert_eq!(extend(0x3ff_ffff, 26), u64::MAX);
        assert_eq!(extend(0x1ff_ffff, 26), 0x1ff_ffff);
    }

    #[test]
    fn zigzag_goes_there_and_back() {
        for value in [0, 1, 2, u64::MAX, 1 << 63, (1 << 63) - 1] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
        assert_eq!(zigzag(u64::MAX), 1);
    }

    #[test]
    fn aligns() {
        for (value, to, result) in [(5, 4, 8), (8, 4, 8), (7, 0, 7), (7, 1, 7)] {
            assert_eq!(align_up(value, to), result);
        }
    }
}
