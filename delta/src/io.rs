//! How bytes get in and out: the caller implements these over its store.

use crate::error::{Error, Result};
use crate::num::{index, wide};

/// Random access to the bytes of one old object or of a downloaded group.
pub trait ReadAt {
    /// Length in bytes.
    fn size(&self) -> u64;
    /// Fills `into` from `offset`; reading past the end is an error.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()>;
}

impl ReadAt for &[u8] {
    fn size(&self) -> u64 {
        wide(self.len())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        let start = index(offset);
        let bytes = start.checked_add(into.len()).and_then(|end| self.get(start..end));
        match bytes {
            Some(bytes) => into.copy_from_slice(bytes),
            None => return Err(past_end(self.size(), offset, wide(into.len()))),
        }
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        wide(self.len())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        self.as_slice().read_at(offset, into)
    }
}

/// The error of a read past the end.
pub(crate) fn past_end(size: u64, offset: u64, count: u64) -> Error {
    Error::malformed(
        "old object",
        "range",
        &format_args!("within {size} bytes"),
        &format_args!("{count} bytes at {offset}"),
    )
}

/// Takes the bytes of one new object in order.
pub trait Sink {
    /// The next bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Small reads near each other, served from one window of the old object.
pub(crate) struct Peek<'a> {
    source: &'a dyn ReadAt,
    window: Vec<u8>,
    start: u64,
    reach: u64,
}

/// Size of the window for reading on, in bytes.
const NEAR: u64 = 16 << 10;
/// Size of the window for reading here and there, in bytes.
const FAR: u64 = 1 << 10;

impl<'a> Peek<'a> {
    /// For reads that mostly follow each other.
    pub(crate) fn near(source: &'a dyn ReadAt) -> Peek<'a> {
        Peek { source, window: Vec::new(), start: 0, reach: NEAR }
    }

    /// For reads here and there.
    pub(crate) fn far(source: &'a dyn ReadAt) -> Peek<'a> {
        Peek { reach: FAR, ..Peek::near(source) }
    }

    pub(crate) fn size(&self) -> u64 {
        self.source.size()
    }

    /// The bytes at `offset`, at most `count`, fewer at the end of the object; errors of the source read as none.
    pub(crate) fn bytes(&mut self, offset: u64, count: usize) -> &[u8] {
        let end = offset.saturating_add(wide(count)).min(self.size());
        let have = self.start.saturating_add(wide(self.window.len()));
        if offset < self.start || end > have {
            let length = self.size().saturating_sub(offset).min(self.reach.max(wide(count)));
            self.window.resize(index(length), 0);
            self.start = offset;
            if self.source.read_at(offset, &mut self.window).is_err() {
                self.window.clear();
            }
        }
        let from = index(offset.saturating_sub(self.start));
        let to = index(end.saturating_sub(self.start));
        self.window.get(from..to).unwrap_or(&[])
    }

    /// A 32-bit word at `offset`.
    pub(crate) fn u32_at(&mut self, offset: u64) -> Option<u32> {
        crate::num::u32_at(self.bytes(offset, 4), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_past_the_end_is_an_error() {
        let bytes = vec![1u8, 2, 3];
        let mut two = [0; 2];
        assert!(bytes.read_at(1, &mut two).is_ok());
        assert_eq!(two, [2, 3]);
        for offset in [2, 3, u64::MAX] {
            let err = bytes.read_at(offset, &mut two).unwrap_err().to_string();
            assert!(err.contains("within 3 bytes"), "{err}");
        }
    }

    #[test]
    fn peek_serves_short_reads_at_the_end() {
        let bytes: Vec<u8> = (0..40_000u32).map(|n| (n % 251) as u8).collect();
        let mut peek = Peek::near(&bytes);
        assert_eq!(peek.bytes(39_998, 4), &bytes[39_998..]);
        assert_eq!(peek.bytes(10, 4), &bytes[10..14]);
        assert_eq!(peek.bytes(16_390, 4), &bytes[16_390..16_394]);
        assert_eq!(peek.bytes(50_000, 4), &[0u8; 0]);
        assert_eq!(peek.u32_at(39_997), None);
    }
}
