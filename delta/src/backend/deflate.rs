//! Raw deflate streams, inflated through miniz_oxide with a 32 KiB window.

use super::{Coder, Section};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

/// Bytes of memory of one decoder: window, tables, input buffer.
pub(super) const FIXED: u64 = 64 << 10;

/// Inflates a section of a group.
pub(super) struct Inflate<'a> {
    section: Section<'a>,
    state: Box<InflateState>,
    input: Vec<u8>,
    at: usize,
    done: bool,
}

impl<'a> Inflate<'a> {
    pub(super) fn new(section: Section<'a>) -> Inflate<'a> {
        let state = InflateState::new_boxed(DataFormat::Raw);
        Inflate { section, state, input: Vec::new(), at: 0, done: false }
    }
}

impl Coder for Inflate<'_> {
    fn read(&mut self, into: &mut [u8]) -> Option<usize> {
        while !self.done && !into.is_empty() {
            if self.at >= self.input.len() {
                self.section.fill(&mut self.input);
                self.at = 0;
            }
            let input = self.input.get(self.at..).unwrap_or(&[]);
            let starved = input.is_empty();
            let step = inflate(&mut self.state, input, into, MZFlush::None);
            self.at = self.at.saturating_add(step.bytes_consumed);
            match step.status {
                Ok(MZStatus::StreamEnd) => self.done = true,
                Ok(_) | Err(MZError::Buf) if !starved => {}
                Ok(_) if step.bytes_written > 0 => {}
                _ => return None,
            }
            if step.bytes_written > 0 {
                return Some(step.bytes_written);
            }
        }
        Some(0)
    }
}

#[cfg(feature = "make")]
pub(super) fn pack(raw: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(raw, 10)
}
