//! A delta in a file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rootling_delta::header::PRELUDE;
use rootling_delta::list::Entry;
use rootling_delta::{Error, Header, Prelude, ReadAt};
use rootling_object::Checksum;

use super::BUDGET;

/// A delta whose header was read.
#[derive(Debug)]
pub struct Opened {
    /// The first bytes.
    pub prelude: Prelude,
    /// What it changes.
    pub header: Header,
    /// Its entry in a list.
    pub entry: Entry,
    file: File,
}

impl Opened {
    /// Reads and checks the header, and that the file is as long as it says.
    pub fn open(path: &Path) -> Result<Opened> {
        let place = || path.display().to_string();
        let file = File::open(path).with_context(place)?;
        let total = file.metadata().with_context(place)?.len();
        let mut head = vec![0; PRELUDE];
        file.read_exact_at(&mut head, 0).with_context(place)?;
        let prelude = Prelude::decode(&head).with_context(place)?;
        head.resize(PRELUDE + usize::try_from(prelude.header.packed)?, 0);
        file.read_exact_at(&mut head, 0).with_context(place)?;
        let header = Header::decode(&prelude, &head[PRELUDE..], BUDGET).with_context(place)?;
        let entry = Entry {
            from: header.from.map(Checksum),
            version: rootling_delta::header::VERSION.into(),
            profile: header.profile,
            head: u32::try_from(head.len())?,
            total,
            checksum: Checksum::of(&head),
        };
        let expected = prelude.groups_at() + header.groups.iter().map(|group| group.size()).sum::<u64>();
        if total != expected {
            bail!("{}: expected {expected} bytes, got {total}", place());
        }
        Ok(Opened { prelude, header, entry, file })
    }

    /// The bytes of a group.
    pub fn group(&self, number: usize) -> Part<'_> {
        let (start, size) = self.header.range_of(&self.prelude, number);
        Part { file: &self.file, start, size }
    }
}

/// A group in the file.
#[derive(Debug)]
pub struct Part<'a> {
    file: &'a File,
    start: u64,
    size: u64,
}

impl ReadAt for Part<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> rootling_delta::Result<()> {
        self.file.read_exact_at(into, self.start + offset).map_err(|error| Error::io(error.to_string()))
    }
}
