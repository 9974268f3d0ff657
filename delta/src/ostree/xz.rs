//! How a part is packed: byte 0 says that it is not, `x` that an `.xz` stream follows.
//!
//! **Source:** the .xz file format 1.2, sections 2.1.1 and 3.1. Of the container only the first block's header is read; what
//! follows the data (index, checks) is not, since the whole file was compared with its SHA-256.

use crate::error::{Error, Result};
use crate::io::{ReadAt, Sink};
use crate::num::{index, u8_at, wide};
use lzma_rust2::Lzma2Reader;
use std::io::Read;

const WHAT: &str = "packing of a part";

/// Bytes at the start of a part that say how it is packed.
pub const HEAD: u64 = 64;

/// Memory in bytes of the decoder beside its window: probabilities and one compressed chunk.
const FIXED: u64 = 128 << 10;

/// How a part is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    None,
    /// LZMA2.
    Xz {
        /// Where its data start in the part.
        start: u64,
        /// Bytes of its dictionary.
        dictionary: u64,
    },
}

impl Coding {
    /// Reads the first [`HEAD`] bytes of a part, or all of a shorter one.
    pub fn decode(head: &[u8]) -> Result<Coding> {
        match head.first() {
            Some(0) => return Ok(Coding::None),
            Some(b'x') => {}
            other => return Err(wrong("kind", "0 or x", format_args!("{other:?}"))),
        }
        if head.get(1..8) != Some(b"\xfd7zXZ\0\0") {
            return Err(wrong("stream header", "that of .xz", "another"));
        }
        let byte = |at: usize| u8_at(head, at).ok_or_else(|| wrong("block header", "all of it", "less"));
        let (size, flags) = (byte(13)?, byte(14)?);
        if size == 0 || flags & 0x3f != 0 {
            return Err(wrong("block header", "one filter", format_args!("{flags:#x}")));
        }
        let mut at = 15usize;
        for _ in 0..(flags >> 6).count_ones() {
            // the two optional sizes, in LEB128
            while byte(at)? >= 0x80 {
                at = at.saturating_add(1);
            }
            at = at.saturating_add(1);
        }
        let filter = (byte(at)?, byte(at.saturating_add(1))?);
        let bits = byte(at.saturating_add(2))?;
        if filter != (0x21, 1) || bits > 40 {
            return Err(wrong("filter", "LZMA2", format_args!("{filter:x?} {bits}")));
        }
        let dictionary = match bits {
            40 => u64::from(u32::MAX),
            _ => u64::from(2 | bits & 1).wrapping_shl(u32::from(bits >> 1).wrapping_add(11)),
        };
        let start = u64::from(size).saturating_add(1).saturating_mul(4).saturating_add(13);
        Ok(Coding::Xz { start, dictionary })
    }

    /// Bytes of the window for a part whose objects have `content` bytes. The dictionary that a stream claims is mostly far
    /// larger than what is in it; a payload is hardly longer than its objects, and if it is, it does not decode.
    pub fn window(&self, content: u64) -> u64 {
        match self {
            Coding::None => 0,
            Coding::Xz { dictionary, .. } => {
                let most = content.saturating_add(content >> 3).saturating_add(256 << 10);
                most.min(*dictionary).max(4096)
            }
        }
    }

    /// Memory in bytes that unpacking takes.
    pub fn memory(&self, content: u64) -> u64 {
        match self {
            Coding::None => 0,
            Coding::Xz { .. } => self.window(content).saturating_add(FIXED),
        }
    }

    /// Unpacks the part `source`, at most `most` bytes.
    pub fn unpack(&self, source: &dyn ReadAt, content: u64, most: u64, into: &mut dyn Sink) -> Result<()> {
        let mut reader: Box<dyn Read + '_> = match self {
            Coding::None => Box::new(Section::new(source, 1)),
            Coding::Xz { start, .. } => {
                let window = u32::try_from(self.window(content)).unwrap_or(u32::MAX);
                Box::new(Lzma2Reader::new(Section::new(source, *start), window, None))
            }
        };
        let (mut buffer, mut left) = (vec![0; 16 << 10], most);
        loop {
            let read = reader.read(&mut buffer);
            let count = read.map_err(|error| wrong("data", "a valid stream", error))?;
            if count == 0 {
                return Ok(());
            }
            left = left
                .checked_sub(wide(count))
                .ok_or_else(|| Error::limit("bytes of an unpacked part", most, most.saturating_add(1)))?;
            into.write(buffer.get(..count).unwrap_or_default())?;
        }
    }
}

struct Section<'a> {
    source: &'a dyn ReadAt,
    at: u64,
    buffer: Vec<u8>,
    taken: usize,
}

impl<'a> Section<'a> {
    fn new(source: &'a dyn ReadAt, at: u64) -> Section<'a> {
        Section { source, at, buffer: Vec::new(), taken: 0 }
    }
}

impl Read for Section<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.taken >= self.buffer.len() {
            let left = self.source.size().saturating_sub(self.at);
            self.buffer.resize(index(left.min(4096)), 0);
            self.source.read_at(self.at, &mut self.buffer).map_err(std::io::Error::other)?;
            self.at = self.at.saturating_add(wide(self.buffer.len()));
            self.taken = 0;
        }
        let have = self.buffer.get(self.taken..).unwrap_or_default();
        let count = have.len().min(into.len());
        if let (Some(into), Some(have)) = (into.get_mut(..count), have.get(..count)) {
            into.copy_from_slice(have);
        }
        self.taken = self.taken.saturating_add(count);
        Ok(count)
    }
}

fn wrong(field: &'static str, expected: impl std::fmt::Display, got: impl std::fmt::Display) -> Error {
    Error::malformed(WHAT, field, &expected, &got)
}
