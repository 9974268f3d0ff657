//! A group: the part of a delta that is fetched, verified and decoded by itself.
//!
//! ```text
//! control stream · gap stream · value stream · insert stream
//! ```
//! Lengths of the four and the checksum of all are in the header; the files follow each other in each stream.

use crate::backend::{self, Backend, Stream, StreamHeader};
use crate::chain::Chain;
use crate::error::{Error, Result};
use crate::file::{self, Tokens};
use crate::io::{ReadAt, Sink};

/// What the header says of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupHeader {
    /// SHA-256 of the group's bytes.
    pub checksum: [u8; 32],
    /// Number of files in it.
    pub files: u32,
    /// Control, gaps, values, inserts.
    pub streams: [StreamHeader; 4],
}

impl GroupHeader {
    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.streams.iter().fold(0, |sum, stream| sum.saturating_add(stream.packed))
    }

    /// Bytes of memory that the back end needs for it.
    pub fn memory(&self, backend: Backend) -> u64 {
        self.streams.iter().fold(0, |sum, stream| sum.saturating_add(backend::memory(backend, stream.raw)))
    }
}

/// A group being decoded, file by file.
pub struct Group<'a> {
    tokens: Tokens<'a>,
    budget: u64,
}

impl<'a> Group<'a> {
    /// Opens the downloaded group `bytes`, which must already have been verified; refuses if decoding may take more
    /// than `budget` bytes of memory.
    pub fn open(
        backend: Backend,
        header: &GroupHeader,
        bytes: &'a dyn ReadAt,
        budget: u64,
    ) -> Result<Group<'a>> {
        let memory = header.memory(backend);
        if memory > budget {
            return Err(Error::limit("memory of a group", budget, memory));
        }
        if header.size() != bytes.size() {
            return Err(Error::count("group: length", header.size(), "bytes", bytes.size()));
        }
        let [control, gaps, values, inserts] = header.streams;
        let mut offset = 0u64;
        let mut open = |name: &'static str, stream: StreamHeader| {
            let opened = Stream::open(backend, name, bytes, offset, stream);
            offset = offset.saturating_add(stream.packed);
            opened
        };
        let tokens = Tokens {
            control: open("control stream", control),
            gaps: open("gap stream", gaps),
            values: open("value stream", values),
            inserts: open("insert stream", inserts),
        };
        Ok(Group { tokens, budget: budget.saturating_sub(memory) })
    }

    /// Decodes the next file: `size` bytes from the old files, in the order of the header, into `sink`.
    pub fn next_file(&mut self, old: &[Box<dyn ReadAt + '_>], size: u64, sink: &mut dyn Sink) -> Result<()> {
        file::decode(&mut self.tokens, &Chain(old), size, self.budget, sink)
    }

    /// All files were taken: nothing may be left in the streams.
    pub fn end(&mut self) -> Result<()> {
        let Tokens { control, gaps, values, inserts } = &mut self.tokens;
        control.end()?;
        gaps.end()?;
        values.end()?;
        inserts.end()
    }
}
