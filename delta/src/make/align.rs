//! Finds the copies that make a new file from an old one: approximate matches over a suffix array.
//!
//! The scheme of Percival's "Naive differences of executable code": follow the last alignment until an exact match
//! elsewhere is longer by [`BETTER`] than what the alignment still gives, then stretch both over the bytes between.

use crate::copymap::Copy;

/// How many more bytes a new alignment must match.
const BETTER: usize = 8;

/// All suffixes of the old file in order.
struct Suffixes<'a> {
    text: &'a [u8],
    order: Vec<i32>,
}

impl<'a> Suffixes<'a> {
    fn new(text: &'a [u8]) -> Suffixes<'a> {
        let mut order = vec![0; text.len()];
        divsufsort::sort_in_place(text, &mut order);
        Suffixes { text, order }
    }

    /// The longest match of a start of `wanted`: its place and length.
    fn longest(&self, wanted: &[u8]) -> (usize, usize) {
        let (mut low, mut high) = (0, self.order.len());
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

/// Number of equal bytes at the start.
fn common(one: &[u8], other: &[u8]) -> usize {
    let mut length = 0;
    for (one, other) in one.chunks(16).zip(other.chunks(16)) {
        if one == other {
            length += one.len();
            continue;
        }
        return length + one.iter().zip(other).take_while(|(one, other)| one == other).count();
    }
    length
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
            (place, length) = suffixes.longest(&new[scan..]);
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

    #[test]
    fn finds_moved_and_edited_pieces() {
        let old: Vec<u8> = (0..3000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut new = old[1000..2000].to_vec();
        new.extend_from_slice(b"something new");
        new.extend_from_slice(&old[..900]);
        new[500] ^= 1;
        let copies = align(&old, &new);
        assert_eq!(copies, [Copy::new(0, 1000, 1000), Copy::new(1013, 0, 900)]);
    }

    #[test]
    fn nothing_comes_from_nothing() {
        assert_eq!(align(b"", b"abc"), []);
        assert_eq!(align(b"abc", b""), []);
    }
}
