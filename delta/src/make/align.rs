//! Finds the copies that make a new file from an old one: approximate matches over a suffix array.
//!
//! The scheme of Percival's "Naive differences of executable code": follow the last alignment until an exact match
//! elsewhere is longer by [`BETTER`] than what the alignment still gives, then stretch both over the bytes between.

use crate::copymap::Copy;

/// How many more bytes a new alignment must match.
const BETTER: usize = 8;
/// Longest match that is looked for. Without a bound, long runs of one byte take time that grows with their square.
const LONGEST: usize = 16 << 10;

/// All suffixes of the old file in order.
struct Suffixes<'a> {
    text: &'a [u8],
    order: Vec<i32>,
    /// Bits of a suffix that say where among all to look for it.
    bits: u32,
    /// For each value of those bits, how many suffixes are before the first that starts so; then the number of all.
    starts: Vec<u32>,
}

impl<'a> Suffixes<'a> {
    fn new(text: &'a [u8]) -> Suffixes<'a> {
        let mut order = vec![0; text.len()];
        divsufsort::sort_in_place(text, &mut order);
        let bits = match text.len() {
            0..0x1000 => 0,
            0x1000..0x40_0000 => 16,
            _ => 24,
        };
        let mut starts = vec![0; (1 << bits) + 1];
        for at in 0..text.len() {
            starts[head(&text[at..], bits) + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        Suffixes { text, order, bits, starts }
    }

    /// The longest match of a start of `wanted`, its place and length; none where it is shorter than what is looked up.
    fn longest(&self, wanted: &[u8]) -> (usize, usize) {
        let head = head(wanted, self.bits);
        let (mut low, mut high) = (self.starts[head] as usize, self.starts[head + 1] as usize);
        let (mut low_match, mut high_match) = (0, 0);
        let mut best = (0, 0);
        while low < high {
            let middle = (low + high) / 2;
            let place = self.order[middle] as usize;
            let suffix = &self.text[place..];
            let skip = low_match.min(high_match);
            let length = skip + common(&suffix[skip..], &wanted[skip..]);
            if length > best.1 {
                best = (place, length);
            }
            if length == wanted.len() {
                break;
            }
            if length == suffix.len() || suffix[length] < wanted[length] {
                low = middle + 1;
                low_match = length;
            } else {
                high = middle;
                high_match = length;
            }
        }
        best
    }
}

/// The first bits, as if zeros followed the end.
fn head(bytes: &[u8], bits: u32) -> usize {
    let first = match bytes.first_chunk() {
        Some(first) => u32::from_be_bytes(*first),
        None => bytes.iter().rev().fold(0, |number, byte| number >> 8 | u32::from(*byte) << 24),
    };
    (u64::from(first) >> (32 - bits)) as usize
}

/// Number of equal bytes at the start.
fn common(one: &[u8], other: &[u8]) -> usize {
    let pieces = one.as_chunks::<32>().0.iter().zip(other.as_chunks::<32>().0);
    let start = 32 * pieces.take_while(|(one, other)| one == other).count();
    let rest = one[start..].iter().zip(&other[start..]);
    start + rest.take_while(|(one, other)| one == other).count()
}

/// The copies of `new` from `old`, in the order of `new`.
pub(super) fn align(old: &[u8], new: &[u8]) -> Vec<Copy> {
    let mut copies = Vec::new();
    if old.is_empty() || new.is_empty() {
        return copies;
    }
    let suffixes = Suffixes::new(old);
    let (mut scan, mut length, mut place) = (0usize, 0usize, 0usize);
    let (mut last_scan, mut last_place) = (0usize, 0usize);
    let mut offset = 0isize;
    let agrees = |at: usize, offset: isize| {
        at.checked_add_signed(offset).and_then(|from| old.get(from)) == Some(&new[at])
    };
    while scan < new.len() {
        let mut score = 0usize;
        scan += length;
        let mut scored = scan;
        while scan < new.len() {
            (place, length) = suffixes.longest(&new[scan..new.len().min(scan + LONGEST)]);
            while scored < scan + length {
                score += usize::from(agrees(scored, offset));
                scored += 1;
            }
            if (length == score && length != 0) || length > score + BETTER {
                break;
            }
            if scored > scan {
                score -= usize::from(agrees(scan, offset));
            } else {
                scored = scan + 1;
            }
            scan += 1;
        }
        if length == score && scan != new.len() {
            continue;
        }
        let mut forward =
            stretch(old[last_place..].iter().zip(&new[last_scan..scan]).map(|(old, new)| old == new));
        let mut backward = 0;
        if scan < new.len() {
            let before = old[..place].iter().rev().zip(new[last_scan..scan].iter().rev());
            backward = stretch(before.map(|(old, new)| old == new));
        }
        if last_scan + forward > scan - backward {
            let overlap = last_scan + forward - (scan - backward);
            let keep = split(
                &old[last_place + forward - overlap..],
                &old[place - backward..],
                &new[scan - backward..scan - backward + overlap],
            );
            forward = forward - overlap + keep;
            backward -= keep;
        }
        if forward > 0 {
            copies.push(Copy::new(last_scan as u64, last_place as u64, forward as u64));
        }
        last_scan = scan - backward;
        last_place = place - backward;
        offset = place as isize - scan as isize;
    }
    copies
}

/// How far to stretch over partly equal bytes: the length with the most equal less unequal ones.
fn stretch(equal: impl Iterator<Item = bool>) -> usize {
    let (mut sum, mut best, mut length) = (0isize, 0isize, 0);
    for (at, equal) in equal.enumerate() {
        sum += if equal { 1 } else { -1 };
        if sum > best {
            best = sum;
            length = at + 1;
        }
    }
    length
}

/// Where two overlapping copies are best parted.
fn split(first: &[u8], second: &[u8], new: &[u8]) -> usize {
    let (mut sum, mut best, mut keep) = (0isize, 0isize, 0);
    for (at, new) in new.iter().enumerate() {
        sum += isize::from(first[at] == *new) - isize::from(second[at] == *new);
        if sum > best {
            best = sum;
            keep = at + 1;
        }
    }
    keep
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: u32) -> Vec<u8> {
        (0..length).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    /// With each number of bits that is looked up.
    #[test]
    fn finds_moved_and_edited_pieces() {
        for before in [0, 0x1000, 0x40_0000] {
            let mut old = vec![7; before];
            old.extend(noise(3000));
            let mut new = old[before + 1000..][..1000].to_vec();
            new.extend_from_slice(b"something new");
            new.extend_from_slice(&old[before..][..900]);
            new[500] ^= 1;
            let copies = align(&old, &new);
            let from = before as u64;
            assert_eq!(copies, [Copy::new(0, from + 1000, 1000), Copy::new(1013, from, 900)]);
        }
    }

    #[test]
    fn what_is_looked_up_is_in_the_order_of_suffixes() {
        let mut text = noise(400);
        text.extend([0, 0, 0, 1, 0, 0, 0]);
        let mut suffixes: Vec<&[u8]> = (0..text.len()).map(|at| &text[at..]).collect();
        suffixes.sort_unstable();
        for bits in [0, 16, 24] {
            assert!(suffixes.is_sorted_by_key(|suffix| head(suffix, bits)));
        }
        assert_eq!(head(b"ab", 24), 0x61_6200);
        assert_eq!(head(b"abcd", 16), 0x6162);
    }

    #[test]
    fn a_long_match_is_one_copy() {
        let old = noise(200_000);
        let mut new = b"before".to_vec();
        new.extend_from_slice(&old[10..]);
        assert_eq!(align(&old, &new), [Copy::new(6, 10, 199_990)]);
    }

    #[test]
    fn nothing_comes_from_nothing() {
        assert_eq!(align(b"", b"abc"), []);
        assert_eq!(align(b"abc", b""), []);
    }
}
