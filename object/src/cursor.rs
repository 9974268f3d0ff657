//! The one cursor over untrusted bytes: every read names its field, nothing may be left over.

use crate::error::{Error, Result};

/// Reads big-endian fields from the front of a slice.
pub(crate) struct Cursor<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { what, rest: bytes }
    }

    pub(crate) fn take(&mut self, field: &'static str, count: usize) -> Result<&'a [u8]> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else {
            let got = format!("{} bytes", self.rest.len());
            return Err(Error::malformed(self.what, field, format_args!("{count} bytes"), got));
        };
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N]> {
        let bytes = self.take(field, N)?;
        bytes
            .try_into()
            .map_err(|_| Error::malformed(self.what, field, format_args!("{N} bytes"), bytes.len()))
    }

    pub(crate) fn u32_be(&mut self, field: &'static str) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array(field)?))
    }

    pub(crate) fn u64_be(&mut self, field: &'static str) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array(field)?))
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// All must have been read.
    pub(crate) fn end(self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(Error::malformed(self.what, "end", "no further bytes", format_args!("{} bytes", self.rest.len())))
    }
}
