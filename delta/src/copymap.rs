//! Which bytes of the new file are copies, and from where; known before the first byte is made.
//!
//! ```text
//! count                 number of copies
//! of each copy, in the order of the new file:
//!   insert              bytes before it that come from the insert stream
//! of each copy:
//!   length              bytes copied, at least 1
//! of each copy:
//!   from                zigzag(old offset - end of the copy before - insert)
//! ```
//! What is left after the last copy is inserted. Like numbers stand together because that packs better.

use crate::backend::Stream;
use crate::error::Error;
use crate::num::{ascend, index, low32, up_to, wide};

/// Most copies in one file. Changing it does not break the format.
pub(crate) const MAX_COPIES: u64 = 1 << 16;
/// Longest file that is coded as copies, in bytes. Changing it breaks the format.
pub(crate) const MAX_FILE: u64 = 0xffff_fff0;
/// How far from a copied byte a target may be to move with it. Changing it breaks the format.
const NEAR: u64 = 64 << 10;

/// One copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Copy {
    new: u32,
    old: u32,
    length: u32,
}

impl Copy {
    pub(crate) fn new(new: u64, old: u64, length: u64) -> Copy {
        Copy { new: low32(new), old: low32(old), length: low32(length) }
    }

    /// Offset in the new file.
    pub(crate) fn at(self) -> u64 {
        u64::from(self.new)
    }

    /// Offset in the old file.
    pub(crate) fn from(self) -> u64 {
        u64::from(self.old)
    }

    pub(crate) fn length(self) -> u64 {
        u64::from(self.length)
    }

    pub(crate) fn old_end(self) -> u64 {
        self.from().wrapping_add(self.length())
    }

    pub(crate) fn end(self) -> u64 {
        self.at().wrapping_add(self.length())
    }

    fn holds(self, offset: u64) -> bool {
        offset.checked_sub(self.from()).is_some_and(|into| into < self.length())
    }

    /// Where a byte of the old file is in the new one if it moved as this copy.
    fn moved(self, offset: u64) -> u64 {
        offset.wrapping_sub(self.from()).wrapping_add(self.at())
    }
}

/// All copies of a file, and for each old byte the one it went with.
#[derive(Debug, Default)]
pub(crate) struct CopyMap {
    /// In the order of the new file.
    pub(crate) copies: Vec<Copy>,
    /// Disjoint, in the order of the old file: where copies overlap, the longest.
    intervals: Vec<Copy>,
}

impl CopyMap {
    pub(crate) fn new(copies: Vec<Copy>) -> CopyMap {
        let intervals = longest(&copies);
        CopyMap { copies, intervals }
    }

    /// Reads the copies of a file of `size` bytes made from `old_size` bytes; what is wrong about them is the stream's error.
    #[inline(never)]
    pub(crate) fn decode(stream: &mut Stream<'_>, size: u64, old_size: u64) -> CopyMap {
        let count = stream.number();
        stream.bound("file length", MAX_FILE, size.max(old_size));
        if !stream.bound("copies", MAX_COPIES, count) {
            return CopyMap::default();
        }
        let mut copies = Vec::new();
        for _ in 0..count {
            copies.push(Copy { new: stream.short(), ..Copy::default() });
        }
        for copy in &mut copies {
            copy.length = stream.short();
        }
        let (mut at, mut from) = (0u64, 0u64);
        for copy in &mut copies {
            at = at.saturating_add(copy.at());
            from = from.wrapping_add(copy.at()).wrapping_add(stream.signed());
            *copy = Copy { new: low32(at), old: low32(from), length: copy.length };
            (at, from) = (at.saturating_add(copy.length()), from.saturating_add(copy.length()));
            if copy.length == 0 {
                stream.fail(Error::fixed("copies: copy length: expected 1 at least, got 0"));
            }
            stream.bound("copies: end in the old file", old_size, from);
            if !stream.bound("copies: end in the new file", size, at) {
                return CopyMap::default();
            }
        }
        CopyMap::new(copies)
    }

    /// The copy that the old byte at `offset` went with: `own` if that has it, else the longest that has it.
    pub(crate) fn copy_of<'a>(&'a self, offset: u64, own: &'a Copy) -> Option<&'a Copy> {
        if own.holds(offset) {
            return Some(own);
        }
        self.around(offset).0.filter(|copy| copy.holds(offset))
    }

    /// The last interval that starts at `offset` or before, and the one after it.
    fn around(&self, offset: u64) -> (Option<&Copy>, Option<&Copy>) {
        let after = self.intervals.partition_point(|copy| copy.from() <= offset);
        let before = after.checked_sub(1).and_then(|before| self.intervals.get(before));
        (before, self.intervals.get(after))
    }

    /// Where the old byte at `offset` went: with the copy that has it, else with the nearest within 64 KiB.
    pub(crate) fn offset(&self, offset: u64, own: &Copy) -> Option<u64> {
        if own.holds(offset) {
            return Some(own.moved(offset));
        }
        let (back, ahead) = self.around(offset);
        let behind = |copy: &Copy| offset.saturating_sub(copy.old_end());
        let before = |copy: &Copy| copy.from().saturating_sub(offset);
        let copy = match (back, ahead) {
            (Some(back), _) if back.holds(offset) => return Some(back.moved(offset)),
            (Some(back), Some(ahead)) if before(ahead) >= behind(back) => back,
            (_, Some(copy)) | (Some(copy), None) => copy,
            (None, None) => return None,
        };
        (behind(copy).max(before(copy)) < NEAR).then(|| copy.moved(offset))
    }

    /// Bytes of memory that the map takes.
    pub(crate) fn memory(&self) -> u64 {
        wide(self.copies.len().saturating_add(self.intervals.len())).saturating_mul(12)
    }
}

/// Cuts overlapping copies so that each old byte belongs to the longest one over it (the first of equals).
///
/// The longest first, each takes what nobody has of the pieces between all starts and ends. A piece is its start, and in 32 bits
/// each 1 + the number of the copy that has it and which piece to look at if one does.
#[inline(never)]
fn longest(copies: &[Copy]) -> Vec<Copy> {
    let mut pieces = Vec::with_capacity(copies.len().saturating_mul(2));
    let mut order = Vec::with_capacity(copies.len());
    for (number, copy) in copies.iter().enumerate() {
        pieces.push((copy.from(), 0));
        pieces.push((copy.old_end(), 0));
        order.push((u64::from(u32::MAX).wrapping_sub(copy.length()), wide(number)));
    }
    ascend(&mut pieces);
    ascend(&mut order);
    for (at, piece) in pieces.iter_mut().enumerate() {
        piece.1 = wide(at);
    }
    for (_, number) in &order {
        let Some(copy) = copies.get(index(*number)) else { break };
        let mut at = up_to(&pieces, copy.from()).saturating_sub(1);
        while let Some((start, state)) = pieces.get(at).copied()
            && start < copy.old_end()
        {
            let (next, owner) = (u64::from(low32(state)), state >> 32);
            let after = match owner {
                0 => (wide(at).wrapping_add(1), number.wrapping_add(1)),
                // what is looked at from there is looked at from here, so that the way gets shorter
                _ => (pieces.get(index(next)).map_or(next, |(_, state)| low32(*state).into()), owner),
            };
            if let Some(piece) = pieces.get_mut(at) {
                piece.1 = after.0 | after.1 << 32;
            }
            at = if owner == 0 { at.wrapping_add(1) } else { index(next) };
        }
    }
    let mut intervals: Vec<Copy> = Vec::new();
    for [(start, state), (end, _)] in pieces.array_windows() {
        let owner = (state >> 32).checked_sub(1).and_then(|number| copies.get(index(number)));
        if let Some(copy) = owner.filter(|_| start < end) {
            push(&mut intervals, Copy::new(copy.moved(*start), *start, end.saturating_sub(*start)));
        }
    }
    intervals
}

fn push(intervals: &mut Vec<Copy>, piece: Copy) {
    match intervals.last_mut() {
        Some(last) if last.old_end() == piece.from() && last.end() == piece.at() => {
            last.length = last.length.saturating_add(piece.length);
        }
        _ => intervals.push(piece),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_copy_wins_where_they_overlap() {
        let map = CopyMap::new(vec![Copy::new(0, 10, 20), Copy::new(100, 20, 50), Copy::new(500, 65, 2)]);
        let far = &Copy::new(9_000_000, 8_000_000, 1);
        for (old, new) in
            [(10, 0), (19, 9), (20, 100), (29, 109), (66, 146), (69, 149), (71, 151), (5, u64::MAX - 4)]
        {
            assert_eq!(map.offset(old, far), Some(new), "{old}");
        }
        assert_eq!(map.offset(25, &Copy::new(0, 10, 20)), Some(15), "own copy first");
        assert_eq!(map.offset(200_000, far), None);
    }

    #[test]
    fn every_byte_goes_with_the_longest_copy_over_it() {
        let mut seed = 1u64;
        let mut random = move |end: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % end
        };
        for count in [0, 1, 2, 7, 40, 200] {
            let mut at = 0;
            let copies: Vec<Copy> = (0..count)
                .map(|_| {
                    let copy = Copy::new(at, random(300), 1 + random(60));
                    at = copy.end() + random(2);
                    copy
                })
                .collect();
            let map = CopyMap::new(copies.clone());
            let nowhere = &Copy::new(0, 1 << 20, 1);
            for offset in 0..400 {
                let over = copies.iter().filter(|copy| copy.holds(offset));
                let expected = over.rev().max_by_key(|copy| copy.length).map(|copy| copy.moved(offset));
                let got = map.copy_of(offset, nowhere).map(|copy| copy.moved(offset));
                assert_eq!(got, expected, "{count} copies, byte {offset}");
            }
            let (starts, ends) = (map.intervals.iter().skip(1), map.intervals.iter());
            assert!(starts.zip(ends).all(|(next, last)| last.old_end() <= next.from() && last.length > 0));
        }
    }
}
