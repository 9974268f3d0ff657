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
use crate::error::{Error, Result};
use crate::num::{ascend, index, low32, wide};
use std::collections::BinaryHeap;

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

    /// Reads the copies of a file of `size` bytes made from `old_size` bytes.
    pub(crate) fn decode(stream: &mut Stream<'_>, size: u64, old_size: u64) -> Result<CopyMap> {
        if size > MAX_FILE || old_size > MAX_FILE {
            return Err(Error::limit("file length", MAX_FILE, size.max(old_size)));
        }
        let count = stream.number("copies")?;
        if count > MAX_COPIES {
            return Err(Error::limit("copies", MAX_COPIES, count));
        }
        let mut copies = vec![Copy::default(); index(count)];
        for copy in &mut copies {
            copy.new = narrow("copies: insert", stream.number("insert")?)?;
        }
        for copy in &mut copies {
            copy.length = narrow("copies: copy length", stream.number("copy length")?)?;
        }
        let (mut at, mut from) = (0u64, 0u64);
        for copy in &mut copies {
            at = at.saturating_add(copy.at());
            from = from.wrapping_add(copy.at()).wrapping_add(stream.signed("copy from")?);
            let (end, from_end) = (at.saturating_add(copy.length()), from.saturating_add(copy.length()));
            if copy.length == 0 || end > size || from_end > old_size {
                return Err(Error::malformed(
                    "copies",
                    "copy",
                    format_args!("within {old_size} and {size}"),
                    format_args!("{} bytes from {from} to {at}", copy.length),
                ));
            }
            *copy = Copy::new(at, from, copy.length());
            (at, from) = (end, from_end);
        }
        Ok(CopyMap::new(copies))
    }

    /// The copy that the old byte at `offset` went with: `own` if that has it, else the longest that has it.
    pub(crate) fn copy_of(&self, offset: u64, own: Copy) -> Option<Copy> {
        if own.holds(offset) {
            return Some(own);
        }
        let after = self.intervals.partition_point(|copy| copy.from() <= offset);
        let before = after.checked_sub(1).and_then(|before| self.intervals.get(before)).copied();
        before.filter(|copy| copy.holds(offset))
    }

    /// Where the old byte at `offset` went: with the copy that has it, else with the nearest within 64 KiB.
    pub(crate) fn offset(&self, offset: u64, own: Copy) -> Option<u64> {
        if let Some(copy) = self.copy_of(offset, own) {
            return Some(copy.moved(offset));
        }
        let after = self.intervals.partition_point(|copy| copy.from() <= offset);
        let before = after.checked_sub(1).and_then(|before| self.intervals.get(before)).copied();
        let back = before.map(|copy| (offset.saturating_sub(copy.old_end()), copy));
        let ahead = self.intervals.get(after).map(|copy| (copy.from().saturating_sub(offset), *copy));
        let (distance, copy) = match (back, ahead) {
            (Some(back), Some(ahead)) => {
                if ahead.0 < back.0 {
                    ahead
                } else {
                    back
                }
            }
            (one, other) => one.or(other)?,
        };
        (distance < NEAR).then(|| copy.moved(offset))
    }

    /// Bytes of memory that the map takes.
    pub(crate) fn memory(&self) -> u64 {
        wide(self.copies.len().saturating_add(self.intervals.len())).saturating_mul(12)
    }
}

/// A length that fits the longest file.
fn narrow(field: &'static str, value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::count(field, MAX_FILE, "bytes at most", value))
}

/// Cuts overlapping copies so that each old byte belongs to the longest one over it (the first of equals).
fn longest(copies: &[Copy]) -> Vec<Copy> {
    let mut starts: Vec<(u64, usize)> = copies.iter().enumerate().map(|(n, copy)| (copy.from(), n)).collect();
    ascend(&mut starts);
    let mut starts = starts.as_slice();
    // by length, then the first; copies are in the order of the new file
    let mut open: BinaryHeap<(u32, std::cmp::Reverse<usize>)> = BinaryHeap::new();
    let mut intervals: Vec<Copy> = Vec::new();
    let mut at = 0u64;
    let copy_of = |number: usize| copies.get(number).copied().unwrap_or_default();
    loop {
        while let Some(((from, number), rest)) = starts.split_first()
            && *from <= at
        {
            open.push((copy_of(*number).length, std::cmp::Reverse(*number)));
            starts = rest;
        }
        let top = open.peek().map(|(_, number)| copy_of(number.0));
        let next = starts.first().map(|(from, _)| *from);
        match (top, next) {
            (Some(top), _) if top.old_end() <= at => {
                open.pop();
            }
            (Some(top), next) => {
                let end = next.map_or(top.old_end(), |next| next.min(top.old_end()));
                push(&mut intervals, Copy::new(top.moved(at), at, end.saturating_sub(at)));
                at = end;
            }
            (None, Some(next)) => at = next,
            (None, None) => return intervals,
        }
    }
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
        let far = Copy::new(9_000_000, 8_000_000, 1);
        for (old, new) in
            [(10, 0), (19, 9), (20, 100), (29, 109), (66, 146), (69, 149), (71, 151), (5, u64::MAX - 4)]
        {
            assert_eq!(map.offset(old, far), Some(new), "{old}");
        }
        assert_eq!(map.offset(25, Copy::new(0, 10, 20)), Some(15), "own copy first");
        assert_eq!(map.offset(200_000, far), None);
    }
}
