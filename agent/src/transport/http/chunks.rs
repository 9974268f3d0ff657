//! The chunked transfer coding (RFC 9112 section 7.1), without the bytes it carries.
//!
//! ```text
//! 5;extension CRLF  hello CRLF  0 CRLF  Trailer: x CRLF  CRLF
//! ```
//!
//! Extensions and trailers are read over. What lies between two pieces of data is bounded.

use crate::error::{Error, Result};

/// The most bytes of sizes, extensions and trailers between two pieces of data.
const MAX_BETWEEN: u32 = 8 << 10;

/// Digits of the largest size there is.
const MAX_DIGITS: u32 = 16;

/// Where in the coding we are.
#[derive(Debug, Clone)]
pub struct Chunks {
    state: State,
    left: u64,
    digits: u32,
    between: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Extension,
    SizeEnd,
    Data,
    DataEnd,
    NextLine,
    Line,
    Trailer,
    TrailerEnd,
    LastEnd,
    Done,
}

impl Chunks {
    /// Before the first size.
    pub fn new() -> Chunks {
        Chunks { state: State::Size, left: 0, digits: 0, between: 0 }
    }

    /// Whether all of it was read.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// How many bytes of data come next; 0 where a byte of the coding itself comes.
    pub fn data(&self) -> u64 {
        if self.state == State::Data { self.left } else { 0 }
    }

    /// Notes that so many bytes of data were read.
    pub fn took(&mut self, count: u64) {
        self.left = self.left.saturating_sub(count);
        if self.left == 0 && self.state == State::Data {
            (self.state, self.digits, self.between) = (State::DataEnd, 0, 0);
        }
    }

    /// Reads one byte of the coding.
    pub fn step(&mut self, byte: u8) -> Result<()> {
        self.between += 1;
        let next = match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if self.digits < MAX_DIGITS => {
                self.digits += 1;
                self.left = self.left << 4 | u64::from(char::from(byte).to_digit(16).unwrap_or(0));
                State::Size
            }
            (State::Size, b'\r') if self.digits > 0 => State::SizeEnd,
            (State::Size, b';' | b' ' | b'\t') if self.digits > 0 => State::Extension,
            (State::Extension, b'\r') => State::SizeEnd,
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) => State::Extension,
            (State::SizeEnd, b'\n') if self.left == 0 => State::Trailer,
            (State::SizeEnd, b'\n') => State::Data,
            (State::DataEnd, b'\r') => State::NextLine,
            (State::NextLine, b'\n') => State::Size,
            (State::Trailer, b'\r') => State::LastEnd,
            (State::Trailer | State::Line, b'\t' | b' '..=b'~' | 0x80..) => State::Line,
            (State::Line, b'\r') => State::TrailerEnd,
            (State::TrailerEnd, b'\n') => State::Trailer,
            (State::LastEnd, b'\n') => State::Done,
            _ => {
                return Err(Error::retry(format_args!(
                    "expected chunks, got \"{}\" in them",
                    byte.escape_ascii()
                )));
            }
        };
        self.state = next;
        if self.between > MAX_BETWEEN {
            return Err(Error::retry(format_args!(
                "expected the next chunk, got {MAX_BETWEEN} bytes without one"
            )));
        }
        Ok(())
    }
}

impl Default for Chunks {
    fn default() -> Chunks {
        Chunks::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    /// The data, whether the end was seen, and what is left over.
    fn decode(mut bytes: &[u8]) -> Result<(Vec<u8>, bool, &[u8])> {
        let (mut chunks, mut out) = (Chunks::new(), Vec::new());
        while let (false, Some((first, rest))) = (chunks.is_done(), bytes.split_first()) {
            let size = usize::try_from(chunks.data()).unwrap().min(bytes.len());
            if size == 0 {
                chunks.step(*first)?;
                bytes = rest;
                continue;
            }
            let (data, rest) = bytes.split_at(size);
            out.extend_from_slice(data);
            chunks.took(size as u64);
            bytes = rest;
        }
        Ok((out, chunks.is_done(), bytes))
    }

    #[test]
    fn chunks_become_what_they_carry() {
        for (bytes, data, done, rest) in [
            (&b"0\r\n\r\n"[..], &b""[..], true, &b""[..]),
            (b"5\r\nhello\r\n0\r\n\r\nHTTP", b"hello", true, b"HTTP"),
            (b"5;a=\"b\"\r\nhello\r\n1 \r\n!\r\n000;x\r\nA: b\r\nC: d\r\n\r\n", b"hello!", true, b""),
            (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", true, b""),
            (b"5\r\nhel", b"hel", false, b""),
            (b"5\r\nhello\r\n0\r\n", b"hello", false, b""),
        ] {
            assert_eq!(decode(bytes), Ok((data.to_vec(), done, rest)), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        for bytes in [
            &b"\r\n"[..],
            b"g\r\n",
            b"-1\r\n",
            b"0x5\r\nhello",
            b";\r\n",
            b" 5\r\nhello",
            b"5\nhello\r\n",
            b"5\r\nhello!\r\n",
            b"5\r\nhello\n",
            b"5\r\rhello",
            b"5;\0\r\n",
            b"0\r\nA: b\n\r\n",
            b"0\r\n\n",
            b"11111111111111111\r\n",
        ] {
            assert!(
                decode(bytes).is_err_and(|error| error.exit() == Exit::Network),
                "{}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn sizes_and_what_is_read_over_are_bounded() {
        let mut chunks = Chunks::new();
        b"ffffffffffffffff\r\n".iter().for_each(|byte| chunks.step(*byte).unwrap());
        assert_eq!(chunks.data(), u64::MAX);
        let long = |count: usize| [b"1;", "x".repeat(count).as_bytes(), b"\r\n!\r\n0\r\n\r\n"].concat();
        assert!(decode(&long(8 << 10)).is_err());
        assert!(decode(&long(8000)).is_ok());
        assert!(decode(&[&b"0\r\n"[..], &b"A: b\r\n".repeat(2000), b"\r\n"].concat()).is_err());
    }
}
