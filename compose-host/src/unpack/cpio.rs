//! Streaming reader of the archives in RPM payloads.
//!
//! Two kinds of entry, each padded to 4 bytes after the name and after the data:
//!
//! | magic | then |
//! |---|---|
//! | `070701`, `070702` | 13 fields of 8 hex digits (ino mode uid gid nlink mtime size devmajor devminor rdevmajor rdevminor namesize check), name with NUL |
//! | `07070X` | 8 hex digits, the file's index in the header; name and size are the header's (for files above 4 GiB) |
//!
//! An entry named `TRAILER!!!` ends the archive. Source: cpio(5), rpm's `lib/cpio.cc`.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use anyhow::{Context as _, Result, bail, ensure};
use std::io::{self, Read};

/// Longest name with its NUL; Linux' PATH_MAX.
const MAX_NAME: u64 = 4096;
const TRAILER: &str = "TRAILER!!!";

/// How an entry says which file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By its name, and with type, permissions and size of its own.
    Name {
        /// As in the archive, usually `./usr/...`.
        name: String,
        /// Type and permissions.
        mode: u32,
        /// Bytes of data.
        size: u64,
    },
    /// By its index in the header.
    Index(usize),
}

/// A cpio archive.
pub struct Cpio<R> {
    reader: R,
    position: u64,
    /// Data of the current entry that has not been read.
    remaining: u64,
}

impl<R: Read> Cpio<R> {
    /// Starts at the first entry.
    pub fn new(reader: R) -> Cpio<R> {
        Cpio { reader, position: 0, remaining: 0 }
    }

    /// The next entry, or none at the trailer; what is left of the data before it is skipped.
    pub fn next_entry(&mut self) -> Result<Option<Which>> {
        io::copy(&mut (&mut *self).take(u64::MAX), &mut io::sink())?;
        ensure!(self.remaining == 0, "archive is truncated: {} bytes of a file are missing", self.remaining);
        self.align()?;
        let magic: [u8; 6] = self.array()?;
        match &magic {
            b"070701" | b"070702" => self.named(),
            b"07070X" => {
                let index = hex8(&self.array::<8>()?)?;
                self.align()?;
                Ok(Some(Which::Index(usize::try_from(index)?)))
            }
            other => bail!(
                "archive entry magic: expected 070701, 070702 or 07070X, got {:?}",
                other.escape_ascii().to_string()
            ),
        }
    }

    /// Says how many bytes of data follow; the caller has compared them with the header.
    pub fn expect(&mut self, size: u64) {
        self.remaining = size;
    }

    /// Checks that nothing but padding follows the trailer, and gives the reader back.
    pub fn finish(mut self) -> Result<R> {
        let mut rest = Vec::new();
        (&mut self.reader).take(513).read_to_end(&mut rest)?;
        let padding = rest.len() <= 512 && rest.iter().all(|byte| *byte == 0);
        ensure!(
            padding,
            "archive goes on after its trailer: expected its end, got {} or more bytes",
            rest.len()
        );
        Ok(self.reader)
    }

    fn named(&mut self) -> Result<Option<Which>> {
        let fields: [u8; 104] = self.array()?;
        let field = |n: usize| {
            let start = n.saturating_mul(8);
            fields.get(start..start.saturating_add(8)).context("archive entry").and_then(hex8)
        };
        let (mode, size, length) = (field(1)?, field(6)?, field(11)?);
        ensure!(
            (2..=MAX_NAME).contains(&length),
            "archive entry name of {length} bytes: expected 2 to {MAX_NAME}"
        );
        let mut name = Vec::new();
        let got = (&mut self.reader).take(length).read_to_end(&mut name)?;
        ensure!(u64::try_from(got)? == length, "archive is truncated in an entry's name");
        self.position = self.position.saturating_add(length);
        ensure!(name.pop() == Some(0) && !name.contains(&0), "archive entry name does not end at its NUL");
        let name = String::from_utf8(name).ok().context("archive entry name is not UTF-8")?;
        self.align()?;
        if name == TRAILER {
            ensure!(size == 0, "archive trailer has {size} bytes of data, expected none");
            return Ok(None);
        }
        Ok(Some(Which::Name { name, mode: u32::try_from(mode)?, size }))
    }

    fn align(&mut self) -> Result<()> {
        let padding = self.position.wrapping_neg() & 3;
        for _ in 0..padding {
            self.array::<1>()?;
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0u8; N];
        self.reader.read_exact(&mut bytes).context("archive is truncated")?;
        self.position = self.position.saturating_add(u64::try_from(N)?);
        Ok(bytes)
    }
}

impl<R: Read> Read for Cpio<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(buffer.len());
        let Some(target) = buffer.get_mut(..limit) else { return Ok(0) };
        let got = self.reader.read(target)?;
        let length = u64::try_from(got).unwrap_or(u64::MAX);
        self.remaining = self.remaining.saturating_sub(length);
        self.position = self.position.saturating_add(length);
        Ok(got)
    }
}

fn hex8(digits: &[u8]) -> Result<u64> {
    let mut number = 0u64;
    for digit in digits {
        let value = char::from(*digit).to_digit(16);
        let value = value.with_context(|| {
            format!("archive entry field {:?}: expected hex digits", digits.escape_ascii().to_string())
        })?;
        number = (number << 4) | u64::from(value);
    }
    Ok(number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    fn entry(name: &str, mode: u32, data: &[u8]) -> Vec<u8> {
        let name_length = name.len() + 1;
        let mut bytes =
            format!("070701{:08x}{mode:08x}{:08x}{:08x}{:08x}{:08x}{:08x}", 1, 1, 0, 0, 0, data.len());
        bytes += &format!("{:08x}{:08x}{:08x}{:08x}{name_length:08x}{:08x}", 0, 0, 0, 0, 0);
        let mut bytes = bytes.into_bytes();
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<(Which, Vec<u8>)>> {
        let mut cpio = Cpio::new(bytes);
        let mut all = Vec::new();
        while let Some(which) = cpio.next_entry()? {
            cpio.expect(match which {
                Which::Name { size, .. } => size,
                Which::Index(_) => 5,
            });
            let mut data = Vec::new();
            cpio.read_to_end(&mut data)?;
            all.push((which, data));
        }
        cpio.finish()?;
        Ok(all)
    }

    #[test]
    fn reads_named_and_indexed_entries() {
        let mut bytes = entry("./a", 0o100644, b"12345");
        bytes.extend(b"07070X00000007\0\0hello\0\0\0");
        bytes.extend(entry(TRAILER, 0, b""));
        let all = read_all(&bytes).unwrap();
        assert_eq!(all[0].0, Which::Name { name: "./a".into(), mode: 0o100644, size: 5 });
        assert_eq!(all[0].1, b"12345");
        assert_eq!(all[1], (Which::Index(7), b"hello".to_vec()));
    }

    #[test]
    fn refuses_every_truncation() {
        let mut bytes = entry("./a", 0o100644, b"12345");
        bytes.extend(entry(TRAILER, 0, b""));
        for length in 0..bytes.len() - 2 {
            let error = read_all(&bytes[..length]).unwrap_err();
            assert!(error.to_string().contains("truncated"), "{length}: {error}");
        }
    }

    #[test]
    fn refuses_bad_entries() {
        let trailer = entry(TRAILER, 0, b"");
        let mut long_name = entry("./a", 0, b"");
        long_name[94..102].copy_from_slice(b"ffffffff");
        let mut no_hex = entry("./a", 0, b"");
        no_hex[54] = b'g';
        for (reason, bytes) in [
            ("expected 070701", [b"070707".to_vec(), vec![b'0'; 200]].concat()),
            ("name of 4294967295 bytes", long_name),
            ("expected hex digits", no_hex),
            ("goes on after its trailer", [trailer.clone(), b"x".to_vec()].concat()),
            ("goes on after its trailer", [trailer.clone(), vec![0; 513]].concat()),
            ("does not end at its NUL", entry("./a\0b", 0, b"")),
        ] {
            let error = read_all(&bytes).unwrap_err();
            assert!(error.to_string().contains(reason), "expected {reason:?}, got {error}");
        }
    }
}
