//! Where records of varying length start, remembered every few kilobytes, so that a window need not be reached from
//! the start of its section.

use super::{Extent, types};
use crate::image::Image;
use crate::io::Peek;
use crate::num::{index, low32};

/// Least distance between two remembered starts, in bytes. Changing it does not break the format.
const EVERY: u64 = 4 << 10;
/// Most starts; records after the last are walked from there. Changing it does not break the format.
const MAX: usize = 1 << 13;

/// Every so many type records, the start of one is remembered. Changing it does not break the format.
const RECORDS: u64 = 32;
/// Most remembered type records; later ones are not looked up. Changing it breaks the format.
const MAX_RECORDS: usize = 1 << 14;

/// Starts of records.
#[derive(Default)]
pub(super) struct Checkpoints {
    /// Offsets in the file, ascending in each section.
    starts: Vec<u32>,
    /// Offset of each 32nd type record, from type 1.
    types: Vec<u32>,
}

impl Checkpoints {
    /// Walks the frames and types of a file once.
    pub(super) fn fill(&mut self, image: &Image, peek: &mut Peek<'_>) {
        for section in &image.sections {
            let Some(extent) = Extent::of(section, peek) else { continue };
            let (mut at, mut next, mut number) = (extent.start, extent.start, 0u64);
            while at < extent.end && self.starts.len() < MAX {
                if extent.of_types && number & RECORDS.wrapping_sub(1) == 0 && self.types.len() < MAX_RECORDS
                {
                    self.types.push(low32(at));
                }
                number = number.wrapping_add(1);
                if at >= next {
                    self.starts.push(low32(at));
                    next = at.wrapping_add(EVERY);
                }
                let Some(length) = extent.record_length(peek, at) else { break };
                at = at.wrapping_add(length);
            }
        }
    }

    /// The last record start at or before `offset`, not before the first record at `first`.
    pub(super) fn before(&self, first: u64, offset: u64) -> u64 {
        let starts = self.starts.iter().map(|start| u64::from(*start)).filter(|start| *start <= offset);
        starts.fold(first, u64::max)
    }

    /// Offset of the record of type `number` of the file's only type section.
    pub(super) fn record(&self, peek: &mut Peek<'_>, number: u64) -> Option<u64> {
        let number = number.checked_sub(1)?;
        let mut at = u64::from(*self.types.get(index(number / RECORDS))?);
        for _ in 0..number % RECORDS {
            at = at.wrapping_add(types::record_length(peek, at)?);
        }
        Some(at)
    }
}
