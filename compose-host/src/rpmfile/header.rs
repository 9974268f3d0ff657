//! The RPM header: an index of tags over a block of data.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic `8e ad e8 01 00 00 00 00` (in a file; rpmdb leaves it out) |
//! | 8 | 4 | il, number of index entries, big endian |
//! | 12 | 4 | dl, bytes of data |
//! | 16 | 16 × il | entries: tag, type, offset into the data, count; each a big-endian u32 |
//! | … | dl | data |
//!
//! Source: rpm's `docs/manual/format_header.md`. Every entry's extent is checked when the header is decoded, so that
//! no getter can run out of bounds.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use anyhow::{Context as _, Result, bail, ensure};
use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;

/// Magic of a header in a file.
pub const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];

/// Most index entries rpm itself accepts.
const MAX_ENTRIES: usize = 0xffff;
/// Most bytes of data rpm itself accepts.
const MAX_DATA: usize = 0x0fff_ffff;

/// The types of a header entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// Bytes.
    Char,
    /// 8-bit numbers.
    Int8,
    /// 16-bit numbers.
    Int16,
    /// 32-bit numbers.
    Int32,
    /// 64-bit numbers.
    Int64,
    /// One string.
    Str,
    /// Bytes.
    Bin,
    /// Strings.
    StrArray,
    /// Strings, one a locale.
    I18n,
}

impl Kind {
    fn from_number(number: u32) -> Option<Kind> {
        const ALL: [Kind; 10] = [
            Kind::Null,
            Kind::Char,
            Kind::Int8,
            Kind::Int16,
            Kind::Int32,
            Kind::Int64,
            Kind::Str,
            Kind::Bin,
            Kind::StrArray,
            Kind::I18n,
        ];
        ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The number in the index.
    pub fn number(self) -> u32 {
        match self {
            Kind::Null => 0,
            Kind::Char => 1,
            Kind::Int8 => 2,
            Kind::Int16 => 3,
            Kind::Int32 => 4,
            Kind::Int64 => 5,
            Kind::Str => 6,
            Kind::Bin => 7,
            Kind::StrArray => 8,
            Kind::I18n => 9,
        }
    }

    /// Bytes an item; 0 for strings and nothing.
    pub fn width(self) -> usize {
        match self {
            Kind::Char | Kind::Int8 | Kind::Bin => 1,
            Kind::Int16 => 2,
            Kind::Int32 => 4,
            Kind::Int64 => 8,
            Kind::Null | Kind::Str | Kind::StrArray | Kind::I18n => 0,
        }
    }
}

/// One tag of a header.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Tag number.
    pub tag: u32,
    /// Type.
    pub kind: Kind,
    /// Number of items.
    pub count: u32,
    range: Range<usize>,
}

/// A decoded header; keeps the bytes it was decoded from.
#[derive(Clone, Debug)]
pub struct Header {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Header {
    /// Reads a header with its magic from an RPM file; allocates no more than the file holds.
    pub fn read(reader: &mut impl Read) -> Result<Header> {
        let mut start = [0u8; 16];
        reader.read_exact(&mut start).context("header is truncated")?;
        let (magic, counts) = start.split_at(8);
        ensure!(magic == MAGIC, "header magic: expected {}, got {}", super::hex(&MAGIC), super::hex(magic));
        let length = body_length(counts)?;
        let mut bytes = counts.to_vec();
        let limit = u64::try_from(length)?;
        let got = reader.take(limit).read_to_end(&mut bytes)?;
        ensure!(got == length, "header is truncated: expected {length} bytes, got {got}");
        Header::decode(bytes)
    }

    /// Decodes a header without magic, as rpmdb keeps it; nothing may be left over.
    pub fn decode(bytes: Vec<u8>) -> Result<Header> {
        let length = body_length(bytes.get(..8).context("header is shorter than its own counts")?)?;
        let got = bytes.len().saturating_sub(8);
        ensure!(got == length, "header length: expected {length} bytes, got {got}");
        let count = usize::try_from(be32(&bytes, 0)?)?;
        let data_start = count.saturating_mul(16).saturating_add(8);
        let data = bytes.get(data_start..).context("header data")?;
        let mut entries = Vec::with_capacity(count);
        for index in 0..count {
            let at = index.saturating_mul(16).saturating_add(8);
            let field = |n: usize| be32(&bytes, at.saturating_add(n));
            let tag = field(0)?;
            let kind = field(4)?;
            let kind =
                Kind::from_number(kind).with_context(|| format!("tag {tag} has unknown type {kind}"))?;
            let offset = field(8)?;
            let items = field(12)?;
            let extent =
                extent(data, kind, usize::try_from(offset)?, usize::try_from(items)?).with_context(|| {
                    format!(
                        "tag {tag}: {items} items at offset {offset} run out of the header's {} bytes",
                        data.len()
                    )
                })?;
            let range = extent.start.saturating_add(data_start)..extent.end.saturating_add(data_start);
            entries.push(Entry { tag, kind, count: items, range });
        }
        Ok(Header { bytes, entries })
    }

    /// The bytes without magic.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All entries, in the index's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Entry of a tag.
    pub fn entry(&self, tag: u32) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    /// Data of an entry, as stored (numbers big endian, strings with their NULs).
    pub fn data(&self, entry: &Entry) -> &[u8] {
        self.bytes.get(entry.range.clone()).unwrap_or(&[])
    }

    /// All strings of a tag; empty when it is absent or of another type.
    pub fn strings(&self, tag: u32) -> Vec<&[u8]> {
        let Some(entry) = self.entry(tag) else { return Vec::new() };
        if !matches!(entry.kind, Kind::Str | Kind::StrArray | Kind::I18n) {
            return Vec::new();
        }
        let data = self.data(entry);
        let data = data.strip_suffix(&[0]).unwrap_or(data);
        if entry.count == 0 { Vec::new() } else { data.split(|byte| *byte == 0).collect() }
    }

    /// All strings of a tag as text; bytes that are not UTF-8 are replaced.
    pub fn texts(&self, tag: u32) -> Vec<Cow<'_, str>> {
        self.strings(tag).into_iter().map(String::from_utf8_lossy).collect()
    }

    /// First string of a tag.
    pub fn text(&self, tag: u32) -> Option<Cow<'_, str>> {
        self.strings(tag).first().copied().map(String::from_utf8_lossy)
    }

    /// Numbers of a tag, whatever their width.
    pub fn numbers(&self, tag: u32) -> Vec<u64> {
        let Some(entry) = self.entry(tag) else { return Vec::new() };
        let width = entry.kind.width();
        if width == 0 {
            return Vec::new();
        }
        let number = |item: &[u8]| item.iter().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
        self.data(entry).chunks_exact(width).map(number).collect()
    }

    /// First number of a tag.
    pub fn number(&self, tag: u32) -> Option<u64> {
        self.numbers(tag).first().copied()
    }
}

/// Bytes after il and dl, bounded.
fn body_length(counts: &[u8]) -> Result<usize> {
    let entries = usize::try_from(be32(counts, 0)?)?;
    let data = usize::try_from(be32(counts, 4)?)?;
    if entries == 0 || entries > MAX_ENTRIES {
        bail!("header has {entries} entries: expected 1 to {MAX_ENTRIES}");
    }
    ensure!(data <= MAX_DATA, "header has {data} bytes of data: expected at most {MAX_DATA}");
    Ok(entries.saturating_mul(16).saturating_add(data))
}

fn be32(bytes: &[u8], at: usize) -> Result<u32> {
    let field = bytes.get(at..at.saturating_add(4)).and_then(|b| <[u8; 4]>::try_from(b).ok());
    Ok(u32::from_be_bytes(field.context("header index is truncated")?))
}

fn extent(data: &[u8], kind: Kind, offset: usize, count: usize) -> Option<Range<usize>> {
    let rest = data.get(offset..)?;
    let length = match kind {
        Kind::Null => 0,
        Kind::Str | Kind::StrArray | Kind::I18n => {
            let mut length = 0usize;
            let items = if kind == Kind::Str { 1 } else { count };
            for _ in 0..items {
                let nul = rest.get(length..)?.iter().position(|byte| *byte == 0)?;
                length = length.checked_add(nul)?.checked_add(1)?;
            }
            length
        }
        _ => count.checked_mul(kind.width())?,
    };
    let end = offset.checked_add(length)?;
    (end <= data.len()).then_some(offset..end)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn header(entries: &[(u32, u32, u32, u32)], data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(u32::try_from(entries.len()).unwrap().to_be_bytes());
        bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        for (tag, kind, offset, count) in entries {
            for field in [tag, kind, offset, count] {
                bytes.extend(field.to_be_bytes());
            }
        }
        bytes.extend(data);
        bytes
    }

    #[test]
    fn reads_each_type() {
        let data = b"name\0one\0two\0\0\0\0\x01\x02\x00\x00\x03";
        let bytes = header(&[(1000, 6, 0, 1), (5, 8, 5, 2), (7, 4, 13, 1), (8, 3, 17, 2)], data);
        let header = Header::decode(bytes).unwrap();
        assert_eq!(header.text(1000).unwrap(), "name");
        assert_eq!(header.strings(5), [b"one", b"two"]);
        assert_eq!(header.numbers(7), [1]);
        assert_eq!(header.numbers(8), [0x200, 3]);
        assert_eq!(header.text(7), None);
        assert!(header.numbers(99).is_empty());
    }

    #[test]
    fn keeps_empty_strings_of_an_array() {
        let header = Header::decode(header(&[(5, 8, 0, 3)], b"\0a\0\0")).unwrap();
        assert_eq!(header.strings(5), [&b""[..], b"a", b""]);
    }

    #[test]
    fn refuses_what_runs_out_of_its_bytes() {
        let cases: &[(&str, Vec<u8>)] = &[
            ("run out of the header's 4 bytes", header(&[(1, 4, 0, 2)], &[0; 4])),
            ("run out of the header's 4 bytes", header(&[(1, 4, u32::MAX, 1)], &[0; 4])),
            ("run out of the header's 4 bytes", header(&[(1, 5, 0, u32::MAX)], &[0; 4])),
            ("run out of the header's 3 bytes", header(&[(1, 6, 0, 1)], b"abc")),
            ("run out of the header's 2 bytes", header(&[(1, 8, 0, 2)], b"a\0")),
            ("unknown type 10", header(&[(1, 10, 0, 1)], b"a\0")),
            ("header has 0 entries", header(&[], b"")),
            ("header has 65536 entries", vec![0, 1, 0, 0, 0, 0, 0, 0]),
            ("bytes of data: expected at most", vec![0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]),
            (
                "header length: expected 20 bytes, got 21",
                [header(&[(1, 4, 0, 1)], &[0; 4]), vec![0]].concat(),
            ),
        ];
        for (reason, bytes) in cases {
            let error = format!("{:#}", Header::decode(bytes.clone()).unwrap_err());
            assert!(error.contains(reason), "expected {reason:?}, got {error:?}");
        }
    }

    #[test]
    fn a_short_file_allocates_nothing_large() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([0, 0, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 1, 2, 3]);
        let error = Header::read(&mut bytes.as_slice()).unwrap_err();
        assert!(error.to_string().contains("truncated: expected 269484015 bytes, got 3"), "{error}");
    }
}
