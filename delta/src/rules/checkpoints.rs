//! Where records of varying length start, remembered every few kilobytes, so that a window need not be reached from
//! the start of its section.

use super::{Rule, frames, types};
use crate::image::Image;
use crate::io::Peek;

/// Least distance between two remembered starts, in bytes. Changing it does not break the format.
const EVERY: u64 = 4 << 10;
/// Most starts; records after the last are walked from there. Changing it does not break the format.
const MAX: usize = 1 << 13;

/// Offsets in the file at which records start, ascending.
#[derive(Default)]
pub(super) struct Checkpoints(Vec<u32>);

impl Checkpoints {
    /// Walks the frames and types of a file once.
    pub(super) fn new(image: &Image, peek: &mut Peek<'_>) -> Checkpoints {
        let mut starts = Vec::new();
        for section in &image.sections {
            let all = (section.offset, section.offset.saturating_add(section.file_size));
            let (bounds, length): (_, fn(&mut Peek<'_>, u64) -> Option<u64>) = match section.rule {
                Rule::Frames => (all, frames::record_length),
                Rule::Types => (types::bounds(section, peek).unwrap_or_default(), types::record_length),
                _ => continue,
            };
            let (mut at, mut next) = (bounds.0, bounds.0);
            while at < bounds.1 && starts.len() < MAX {
                if at >= next {
                    starts.extend(u32::try_from(at));
                    next = at.saturating_add(EVERY);
                }
                let Some(length) = length(peek, at) else { break };
                at = at.saturating_add(length);
            }
        }
        starts.sort_unstable();
        Checkpoints(starts)
    }

    /// A record start at or before `offset`, not before the first record at `first`.
    pub(super) fn before(&self, first: u64, offset: u64) -> u64 {
        let after = self.0.partition_point(|start| u64::from(*start) <= offset);
        let start = after.checked_sub(1).and_then(|before| self.0.get(before));
        start.map_or(first, |start| u64::from(*start).max(first))
    }
}
