//! The entropy coders below the token streams, and how a stream is pulled from a group.
//!
//! A group holds four streams one after the other, each compressed by itself with the back end that the header
//! names. All four are open at once while a group is decoded, so the memory of a group is the sum of their
//! dictionaries; [`memory`] computes it from the header before anything is read.

mod deflate;
mod lzma;

use crate::copymap::MAX_FILE;
use crate::error::{Error, Result};
use crate::io::ReadAt;
use crate::num::{index, low32, unzigzag, wide};

/// Which coder a delta uses; the numbers are wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// 0: raw LZMA, lc 3, lp 0, pb 0, no header, no end marker: the smallest.
    Lzma,
    /// 1: raw deflate: the fastest.
    Deflate,
}

/// Where a stream lies in its group and how it is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamHeader {
    /// Compressed length in bytes.
    pub packed: u64,
    /// Length in bytes once decoded.
    pub raw: u64,
}

/// Largest dictionary of one stream in bytes. Changing it breaks the format.
pub const MAX_DICTIONARY: u64 = 1 << 20;
/// Smallest dictionary of one stream in bytes. Changing it breaks the format.
pub const MIN_DICTIONARY: u64 = 4 << 10;

/// Dictionary of a stream of `raw` bytes: the next power of two, within the bounds.
pub fn dictionary(raw: u64) -> u64 {
    raw.clamp(MIN_DICTIONARY, MAX_DICTIONARY).next_power_of_two()
}

/// Bytes of memory that decoding a stream of `raw` bytes takes.
pub fn memory(backend: Backend, raw: u64) -> u64 {
    match (raw, backend) {
        (0, _) => 0,
        (_, Backend::Lzma) => dictionary(raw).saturating_add(lzma::FIXED),
        (_, Backend::Deflate) => deflate::FIXED,
    }
}

/// A part of a group as a reader, without holding the group in memory.
struct Section<'a> {
    source: &'a dyn ReadAt,
    at: u64,
    left: u64,
}

/// Most compressed bytes that are taken from a section at a time.
const INPUT: u64 = 4 << 10;

impl Section<'_> {
    /// Puts the next bytes into `input`, none at the end of the section or if they cannot be read.
    fn fill(&mut self, input: &mut Vec<u8>) {
        let count = self.left.min(INPUT);
        input.resize(index(count), 0);
        if self.source.read_at(self.at, input).is_err() {
            input.clear();
        }
        self.at = self.at.wrapping_add(count);
        self.left = self.left.wrapping_sub(count);
    }
}

/// What decodes a section. Not `std::io::Read`: each of its provided methods would be in the program once for each coder.
trait Coder {
    /// Fills the start of `into` and says how much of it; nothing only at the end. `None` if the stream is broken.
    fn read(&mut self, into: &mut [u8]) -> Option<usize>;
}

/// A stream of no bytes.
struct Empty;

impl Coder for Empty {
    fn read(&mut self, _: &mut [u8]) -> Option<usize> {
        Some(0)
    }
}

/// One token stream being decoded.
///
/// After an error it goes on as if there were only zeros, and [`check`](Stream::check) says what was wrong: to ask after each token
/// costs twice the code.
pub(crate) struct Stream<'a> {
    name: &'static str,
    coder: Box<dyn Coder + 'a>,
    buffer: Vec<u8>,
    at: usize,
    /// Bytes that are not in the buffer yet.
    left: u64,
    error: Option<Error>,
}

/// Bytes that are taken from the back end at a time.
const BUFFER: u64 = 4 << 10;

impl<'a> Stream<'a> {
    /// Opens the stream that `header` describes, `offset` bytes into `group`.
    pub(crate) fn open(
        backend: Backend,
        name: &'static str,
        group: &'a dyn ReadAt,
        offset: u64,
        header: StreamHeader,
    ) -> Stream<'a> {
        let section = Section { source: group, at: offset, left: header.packed };
        let coder: Box<dyn Coder + 'a> = match (header.raw, backend) {
            (0, _) => Box::new(Empty),
            (raw, Backend::Lzma) => Box::new(lzma::Lzma::new(section, raw)),
            (_, Backend::Deflate) => Box::new(deflate::Inflate::new(section)),
        };
        Stream { name, coder, buffer: Vec::new(), at: 0, left: header.raw, error: None }
    }

    /// Keeps the first error, and leaves nothing to read.
    #[cold]
    #[inline(never)]
    pub(crate) fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
        self.left = 0;
        self.at = self.buffer.len();
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn wrong(&mut self, expected: &'static str, got: &'static str) {
        let error = Error::malformed(self.name, "bytes", expected, got);
        self.fail(error);
    }

    /// Whether `got` is at most `most`; else that is the error.
    pub(crate) fn bound(&mut self, what: &'static str, most: u64, got: u64) -> bool {
        if got > most {
            self.fail(Error::count(what, most, "at most", got));
        }
        self.error.is_none()
    }

    /// Whether there was no error.
    pub(crate) fn is_valid(&self) -> bool {
        self.error.is_none()
    }

    /// Bytes that are still to be read.
    fn rest(&self) -> u64 {
        self.left.saturating_add(wide(self.buffer.len().saturating_sub(self.at)))
    }

    /// Whether so many bytes are still to be read, and no error is.
    pub(crate) fn holds(&mut self, count: u64) -> bool {
        if count > self.rest() {
            self.wrong("more bytes", "the end of the stream");
        }
        self.is_valid()
    }

    /// The first error.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.error.take().map_or(Ok(()), Err)
    }

    fn fill(&mut self) {
        let count = self.left.min(BUFFER);
        if count == 0 {
            return self.wrong("more bytes", "the end of the stream");
        }
        self.buffer.resize(index(count), 0);
        let mut rest = self.buffer.as_mut_slice();
        while !rest.is_empty() {
            let made = self.coder.read(rest).unwrap_or(0);
            let Some(after) = rest.get_mut(made..).filter(|_| made > 0) else {
                return self.wrong("a valid compressed stream", "another");
            };
            rest = after;
        }
        self.left = self.left.saturating_sub(count);
        self.at = 0;
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> u8 {
        if self.at >= self.buffer.len() {
            self.fill();
        }
        let byte = self.buffer.get(self.at).copied().unwrap_or(0);
        self.at = self.at.saturating_add(1);
        byte
    }

    /// Fills `into`.
    pub(crate) fn exact(&mut self, into: &mut [u8]) {
        let mut rest = into;
        while !rest.is_empty() && self.error.is_none() {
            if self.at >= self.buffer.len() {
                self.fill();
            }
            let have = self.buffer.get(self.at..).unwrap_or(&[]);
            let count = have.len().min(rest.len());
            let (Some(have), Some((head, after))) = (have.get(..count), rest.split_at_mut_checked(count))
            else {
                return;
            };
            head.copy_from_slice(have);
            self.at = self.at.saturating_add(count);
            rest = after;
        }
    }

    /// A number in LEB128, shortest form, at most 64 bits.
    pub(crate) fn number(&mut self) -> u64 {
        let (mut value, mut shift) = (0u64, 0u32);
        while shift < 64 {
            let byte = self.byte();
            let bits = u64::from(byte & 0x7f);
            let placed = bits.wrapping_shl(shift);
            if placed.wrapping_shr(shift) != bits || (byte == 0 && shift > 0) {
                break;
            }
            value |= placed;
            if byte < 0x80 {
                return value;
            }
            shift = shift.wrapping_add(7);
        }
        self.wrong("a number of 64 bits in shortest form", "another");
        0
    }

    /// A signed number: zigzag in LEB128.
    pub(crate) fn signed(&mut self) -> u64 {
        unzigzag(self.number())
    }

    /// A length that the longest file may have.
    pub(crate) fn short(&mut self) -> u32 {
        let number = self.number();
        self.bound("copies: length", MAX_FILE, number);
        low32(number)
    }

    /// All must have been read.
    pub(crate) fn end(&mut self) -> Result<()> {
        let rest = self.rest();
        let after = self.coder.read(&mut [0]);
        if rest != 0 {
            self.fail(Error::count(self.name, 0, "bytes at the end", rest));
        } else if after != Some(0) {
            self.wrong("no further ones and a valid end", "another end");
        }
        self.check()
    }
}

/// The compressed form of `raw`.
#[cfg(feature = "make")]
pub fn pack(backend: Backend, raw: &[u8]) -> Vec<u8> {
    match backend {
        _ if raw.is_empty() => Vec::new(),
        Backend::Lzma => lzma::pack(raw),
        Backend::Deflate => deflate::pack(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(backend: Backend, raw: &[u8], packed: &[u8], check: impl Fn(Stream<'_>)) {
        let packed = packed.to_vec();
        let header = StreamHeader { packed: wide(packed.len()), raw: wide(raw.len()) };
        check(Stream::open(backend, "test", &packed, 0, header));
    }

    #[test]
    fn both_back_ends_go_there_and_back() {
        for length in [0u32, 1, 100, 70_000] {
            let raw: Vec<u8> = (0..length).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
            for backend in [Backend::Lzma, Backend::Deflate] {
                open(backend, &raw, &pack(backend, &raw), |mut stream| {
                    let mut back = vec![0; raw.len()];
                    stream.exact(&mut back);
                    stream.check().unwrap();
                    assert_eq!(back, raw);
                    assert_eq!(stream.byte(), 0);
                    assert!(stream.check().unwrap_err().to_string().contains("the end of the stream"));
                    stream.end().unwrap();
                });
            }
        }
    }

    #[test]
    fn refuses_a_stream_that_goes_on_or_stops_short() {
        let raw = vec![7u8; 5000];
        for backend in [Backend::Lzma, Backend::Deflate] {
            let packed = pack(backend, &raw);
            open(backend, &raw[..4000], &packed, |mut stream| {
                stream.exact(&mut [0; 4000]);
                assert!(stream.end().is_err());
            });
            open(backend, &raw, &packed[..packed.len() / 2], |mut stream| {
                stream.exact(&mut [0; 5000]);
                let err = stream.check().unwrap_err().to_string();
                assert!(err.contains("test: bytes: expected a valid compressed stream"), "{err}");
            });
        }
    }

    #[test]
    fn numbers_must_be_short() {
        let cases: [(&[u8], Option<u64>); 6] = [
            (&[0], Some(0)),
            (&[0x80, 1], Some(128)),
            (&[0x80, 0], None),
            (&[0xff; 10], None),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], Some(u64::MAX)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], None),
        ];
        for (bytes, expected) in cases {
            open(Backend::Deflate, bytes, &pack(Backend::Deflate, bytes), |mut stream| {
                let number = stream.number();
                assert_eq!(stream.check().ok().map(|()| number), expected, "{bytes:?}");
            });
        }
    }
}
