//! The head of an answer: status line and header fields (RFC 9112 sections 2 to 6).
//!
//! Strict where two readers could disagree about where an answer ends: one framing only, one length only, no folded
//! lines, CRLF at every end. Nothing is kept but what a client of static files looks at.

use crate::error::{Error, Result};

/// The longest head, in bytes.
pub const MAX_HEAD: usize = 16 << 10;

/// The most header fields.
const MAX_FIELDS: usize = 100;

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The three digits.
    pub status: u16,
    /// How the body ends.
    pub framing: Framing,
    /// Whether the connection may be used again.
    pub keep: bool,
    /// The server's name for this version.
    pub etag: Option<String>,
    /// The server calls it HTML.
    pub html: bool,
    /// Where to look instead.
    pub location: Option<String>,
    /// Which part of the file this is.
    pub range: Option<ContentRange>,
}

/// How the end of a body is known (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
    /// The connection ends with it.
    Close,
}

/// `Content-Range: bytes FIRST-LAST/TOTAL` (RFC 9110 section 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// Position of the first byte.
    pub first: u64,
    /// Position of the last byte.
    pub last: u64,
    /// Bytes of the whole file, if the server says so.
    pub total: Option<u64>,
}

/// Fields that decide how the body ends.
#[derive(Default)]
struct Seen {
    length: Option<u64>,
    chunked: bool,
    close: bool,
}

/// Where a head ends, if all of it is in `bytes`.
pub fn end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

impl Head {
    /// Reads a whole head, to its empty line.
    pub fn parse(bytes: &[u8]) -> Result<Head> {
        let text = bytes.strip_suffix(b"\r\n\r\n").filter(|text| text.len() < MAX_HEAD);
        let mut rest = Some(text.ok_or_else(|| wrong("a head that ends", bytes))?);
        let first = line(&mut rest)?.unwrap_or_default();
        let (status, persistent) = status(first)?;
        let mut head = Head {
            status,
            framing: Framing::Close,
            keep: persistent,
            etag: None,
            html: false,
            location: None,
            range: None,
        };
        let (mut seen, mut count) = (Seen::default(), 0);
        while let Some(field) = line(&mut rest)? {
            count += 1;
            if count > MAX_FIELDS {
                return Err(wrong("100 header fields at most", field));
            }
            head.field(field, &mut seen)?;
        }
        head.keep &= !seen.close;
        head.framing = match (status, seen.chunked, seen.length) {
            (_, true, Some(_)) => return Err(wrong("chunks or a length", b"both")),
            (_, true, None) if !persistent => return Err(wrong("no chunks in HTTP/1.0", first)),
            (100..=199 | 204 | 304, ..) => Framing::Length(0),
            (_, true, None) => Framing::Chunked,
            (_, false, Some(length)) => Framing::Length(length),
            (_, false, None) => Framing::Close,
        };
        Ok(head)
    }

    fn field(&mut self, line: &[u8], seen: &mut Seen) -> Result<()> {
        let fault = || wrong("a header field", line);
        let colon = line.iter().position(|byte| *byte == b':').ok_or_else(fault)?;
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let clean = value.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) || !clean {
            return Err(fault());
        }
        let text = std::str::from_utf8(value).ok();
        match name.to_ascii_lowercase().as_slice() {
            b"content-length" => {
                let length = text.and_then(number).ok_or_else(fault)?;
                if seen.length.replace(length).is_some() {
                    return Err(wrong("one length", line));
                }
            }
            b"transfer-encoding" => {
                if seen.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(wrong("no transfer coding but chunked", line));
                }
                seen.chunked = true;
            }
            b"connection" => {
                let mut options = value.split(|byte| *byte == b',');
                seen.close |= options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
            }
            // says only that there is no such range
            b"content-range" if value.starts_with(b"bytes */") => {}
            b"content-range" => self.range = Some(text.and_then(content_range).ok_or_else(fault)?),
            b"content-type" => {
                self.html = value.get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"));
            }
            b"etag" => self.etag = text.map(str::to_owned),
            b"location" => self.location = text.map(str::to_owned),
            _ => {}
        }
        Ok(())
    }
}

/// Takes the next line off `rest`, which ends without a CRLF.
fn line<'a>(rest: &mut Option<&'a [u8]>) -> Result<Option<&'a [u8]>> {
    let Some(text) = rest.take() else { return Ok(None) };
    let (line, after) = match text.windows(2).position(|pair| pair == b"\r\n") {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 2..)),
        None => (text, None),
    };
    *rest = after;
    match line.contains(&b'\n') {
        true => Err(wrong("lines that end in CRLF", line)),
        false => Ok(Some(line)),
    }
}

/// `HTTP/1.1 200 OK`: the status, and whether the connection persists unless said otherwise.
fn status(line: &[u8]) -> Result<(u16, bool)> {
    let fault = || wrong("an answer in HTTP/1.1", line);
    let (persistent, rest) = match line {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ (b'0' | b'1'), b' ', rest @ ..] => {
            (*minor == b'1', rest)
        }
        _ => return Err(fault()),
    };
    let (digits, reason) = rest.split_at_checked(3).ok_or_else(fault)?;
    let fits = matches!(reason.first(), None | Some(b' ')) && !reason.iter().any(u8::is_ascii_control);
    let status = std::str::from_utf8(digits).ok().and_then(number).filter(|status| fits && *status >= 100);
    status.and_then(|status| u16::try_from(status).ok()).map(|status| (status, persistent)).ok_or_else(fault)
}

/// `bytes 5-9/20` or `bytes 5-9/*`.
fn content_range(value: &str) -> Option<ContentRange> {
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let total = if total == "*" { None } else { Some(number(total)?) };
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last && total.is_none_or(|total| last < total)).then_some(ContentRange { first, last, total })
}

/// Digits alone: no sign, no spaces, no list.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The network's fault, not the repository's: another try may meet another server.
fn wrong(expected: &str, got: &[u8]) -> Error {
    let got = got.get(..got.len().min(60)).unwrap_or_default();
    Error::retry(format_args!("expected {expected}, got \"{}\"", got.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn parse(text: &str) -> Result<Head> {
        Head::parse(text.as_bytes())
    }

    #[test]
    fn the_framing_is_what_the_fields_say() {
        use Framing::{Chunked, Close, Length};
        for (text, status, framing, keep) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, Length(5), true),
            ("HTTP/1.1 200\r\ncontent-length:5 \r\n\r\n", 200, Length(5), true),
            ("HTTP/1.1 200 \r\nTRANSFER-ENCODING: Chunked\r\n\r\n", 200, Chunked, true),
            ("HTTP/1.1 200 OK\r\n\r\n", 200, Close, true),
            ("HTTP/1.1 200 OK\r\nConnection: x , Close\r\nContent-Length: 0\r\n\r\n", 200, Length(0), false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", 200, Length(1), false),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, Length(0), true),
            ("HTTP/1.1 204 Nothing\r\n\r\n", 204, Length(0), true),
            ("HTTP/1.1 100 Continue\r\n\r\n", 100, Length(0), true),
            (
                "HTTP/1.1 200 gr\u{fc}n\r\nX: \u{fc}\t\r\nContent-Length: 18446744073709551615\r\n\r\n",
                200,
                Length(u64::MAX),
                true,
            ),
        ] {
            let head = parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!((head.status, head.framing, head.keep), (status, framing, keep), "{text:?}");
        }
    }

    #[test]
    fn fields_are_kept() {
        let head = parse(
            "HTTP/1.1 206 Part\r\nETag: \"a b\"\r\nLocation:  /x \r\nContent-Type: text/HTML; charset=x\r\n\
             Content-Range: bytes 5-9/20\r\nContent-Length: 5\r\n\r\n",
        )
        .unwrap();
        assert_eq!(
            (head.etag.as_deref(), head.location.as_deref(), head.html),
            (Some("\"a b\""), Some("/x"), true)
        );
        assert_eq!(head.range, Some(ContentRange { first: 5, last: 9, total: Some(20) }));
        assert_eq!(parse("HTTP/1.1 416 P\r\nContent-Range: bytes */5\r\n\r\n").unwrap().range, None);
        assert_eq!(
            parse("HTTP/1.1 206 P\r\nContent-Range: bytes 0-0/*\r\n\r\n").unwrap().range.unwrap().total,
            None
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (text, part) in [
            ("SSH-2.0-OpenSSH_9.2p1\r\n\r\n", "HTTP/1.1"),
            ("HTTP/2 200 OK\r\n\r\n", "HTTP/1.1"),
            ("HTTP/1.1 2000\r\n\r\n", "HTTP/1.1"),
            ("HTTP/1.1 099 x\r\n\r\n", "HTTP/1.1"),
            ("HTTP/1.1 20\r\n\r\n", "HTTP/1.1"),
            ("HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1"),
            ("HTTP/1.1 200 OK\r\r\n\r\n", "HTTP/1.1"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "one length"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "one length"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "both"),
            ("HTTP/1.1 304 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "both"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "transfer coding"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
                "transfer coding",
            ),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0"),
            ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\n X: a\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\nX : a\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\n: a\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\nnothing\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n", "CRLF"),
            ("HTTP/1.1 200 OK\nX: a\r\n\r\n", "CRLF"),
            ("HTTP/1.1 206 P\r\nContent-Range: bytes 9-5/20\r\n\r\n", "header field"),
            ("HTTP/1.1 206 P\r\nContent-Range: bytes 5-20/20\r\n\r\n", "header field"),
            ("HTTP/1.1 206 P\r\nContent-Range: lines 1-2/3\r\n\r\n", "header field"),
            ("HTTP/1.1 200 OK\r\n", "head that ends"),
            ("", "head that ends"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.exit() == Exit::Network && error.text().contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_head_has_a_longest_length_and_a_most_of_fields() {
        let fields = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert!(parse(&fields(MAX_FIELDS)).is_ok());
        assert!(parse(&fields(MAX_FIELDS + 1)).is_err());
        assert!(parse(&format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(MAX_HEAD))).is_err());
        assert_eq!(end(b"a\r\n\r\nrest"), Some(5));
        assert_eq!(end(b"a\r\n\r"), None);
    }
}
