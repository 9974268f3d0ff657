//! Raw deflate streams, inflated through miniz_oxide with a 32 KiB window.

use super::Section;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};
use std::io::{Error, ErrorKind, Read, Result};

/// Bytes of memory of one decoder: window, tables, input buffer.
pub(super) const FIXED: u64 = 64 << 10;

/// Size of the buffer of compressed bytes.
const INPUT: usize = 4 << 10;

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

impl Read for Inflate<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        while !self.done && !into.is_empty() {
            if self.at >= self.input.len() {
                self.input.resize(INPUT, 0);
                let count = self.section.read(&mut self.input)?;
                self.input.truncate(count);
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
                _ => return Err(Error::new(ErrorKind::InvalidData, "broken deflate stream")),
            }
            if step.bytes_written > 0 {
                return Ok(step.bytes_written);
            }
        }
        Ok(0)
    }
}

#[cfg(feature = "make")]
pub(super) fn pack(raw: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(raw, 10)
}
