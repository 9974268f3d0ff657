//! Reading a request's head.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

use std::io::{BufRead, Read};

/// A head is never longer, in bytes.
const MAX_HEAD: u64 = 16 << 10;

/// The parts of a request that matter here.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// As in the request line.
    pub(super) target: String,
    pub(super) keep_alive: bool,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The next request of a connection, or the status it is refused with; `None` at the end of the connection.
    pub(super) fn read(input: &mut impl BufRead) -> std::io::Result<Option<Result<Request, u16>>> {
        let mut limited = input.take(MAX_HEAD);
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            limited.read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(if lines.is_empty() { None } else { Some(Err(400)) });
            }
            if line.pop() != Some(b'\n') {
                return Ok(Some(Err(if limited.limit() == 0 { 431 } else { 400 })));
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if line.is_empty() {
                // blank lines before a request are allowed
                if lines.is_empty() {
                    continue;
                }
                break;
            }
            let Ok(line) = String::from_utf8(line) else { return Ok(Some(Err(400))) };
            lines.push(line);
        }
        Ok(Some(Request::parse(&lines)))
    }

    fn parse(lines: &[String]) -> Result<Request, u16> {
        let (first, rest) = lines.split_first().ok_or(400u16)?;
        let mut words = first.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(400);
        };
        if !version.starts_with("HTTP/1.") {
            return Err(505);
        }
        let mut headers = Vec::new();
        for line in rest {
            let (name, value) = line.split_once(':').ok_or(400u16)?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
        }
        let mut request =
            Request { method: method.into(), target: target.into(), keep_alive: false, headers };
        if request.header("transfer-encoding").is_some()
            || request.header("content-length").is_some_and(|n| n != "0")
        {
            return Err(413);
        }
        let connection = request.header("connection").unwrap_or_default().to_ascii_lowercase();
        request.keep_alive = match version {
            "HTTP/1.0" => connection.contains("keep-alive"),
            _ => !connection.contains("close"),
        };
        Ok(request)
    }

    /// The value of a header, by its lower-case name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The path with its escapes undone, without query; `None` if it is no path.
    pub(super) fn path(&self) -> Option<String> {
        let path = self.target.split(['?', '#']).next()?;
        let mut bytes = Vec::new();
        let mut rest = path.strip_prefix('/')?.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'%' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                byte => byte,
            });
        }
        String::from_utf8(bytes).ok().filter(|path| !path.contains('\0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Result<Request, u16>> {
        Request::read(&mut text.as_bytes()).unwrap()
    }

    #[test]
    fn reads_heads() {
        let request = read("\r\nGET /a%20b/c?x HTTP/1.1\r\nRange: bytes=0-1\r\n\r\n").unwrap().unwrap();
        assert_eq!((request.path().as_deref(), request.header("range")), (Some("a b/c"), Some("bytes=0-1")));
        assert!(request.keep_alive);
        assert!(!read("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap().unwrap().keep_alive);
        assert!(!read("GET / HTTP/1.0\r\n\r\n").unwrap().unwrap().keep_alive);
        assert!(read("").is_none());
    }

    #[test]
    fn refuses_odd_heads() {
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(20_000));
        for (text, status) in [
            ("GET /\r\n\r\n", 400),
            ("GET / HTTP/2\r\n\r\n", 505),
            ("GET / HTTP/1.1\r\nbad\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 413),
            (&long, 431),
        ] {
            assert_eq!(read(text).unwrap().unwrap_err(), status, "{text:.30}");
        }
    }
}
