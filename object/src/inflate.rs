//! Raw deflate, as it is in `.filez` objects and in static deltas: one inflate for all, since each caller would have its own.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

/// A raw deflate stream being inflated, with a window of 32 KiB.
pub struct Inflate(Box<InflateState>);

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Bytes of the input that were used up.
    pub consumed: usize,
    /// Bytes of the output that were made.
    pub written: usize,
    /// What comes after; `None` if the stream is broken.
    pub next: Option<Next>,
}

/// What comes after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Further bytes, with more input or more room.
    More,
    /// Nothing could be done without more input or more room.
    Stuck,
    /// The end of the stream.
    End,
}

impl Inflate {
    /// At the start of a stream.
    #[inline(never)]
    pub fn raw() -> Inflate {
        Inflate(InflateState::new_boxed(DataFormat::Raw))
    }

    /// Makes what it can of `input`.
    #[inline(never)]
    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let result = inflate(&mut self.0, input, output, MZFlush::None);
        let next = match result.status {
            Ok(MZStatus::StreamEnd) => Some(Next::End),
            Ok(_) => Some(Next::More),
            Err(MZError::Buf) => Some(Next::Stuck),
            Err(_) => None,
        };
        Step { consumed: result.bytes_consumed, written: result.bytes_written, next }
    }
}
