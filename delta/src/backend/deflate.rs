//! Raw deflate streams, inflated through miniz_oxide with a 32 KiB window.

use super::{Coder, Section};
use rootling_object::inflate::{self, Next};

/// Bytes of memory of one decoder: window, tables, input buffer.
pub(super) const FIXED: u64 = 64 << 10;

/// Inflates a section of a group.
pub(super) struct Inflate<'a> {
    section: Section<'a>,
    state: inflate::Inflate,
    input: Vec<u8>,
    at: usize,
    done: bool,
}

impl<'a> Inflate<'a> {
    pub(super) fn new(section: Section<'a>) -> Inflate<'a> {
        let state = inflate::Inflate::raw();
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
            let step = self.state.step(input, into);
            self.at = self.at.saturating_add(step.consumed);
            match step.next? {
                Next::End => self.done = true,
                _ if step.written == 0 && starved => return None,
                _ => {}
            }
            if step.written > 0 {
                return Some(step.written);
            }
        }
        Some(0)
    }
}

#[cfg(feature = "make")]
pub(super) fn pack(raw: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(raw, 10)
}
