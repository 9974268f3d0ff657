//! A connection with what was read of it too far.

use std::io::{self, Read};

use super::head::{self, Head, MAX_HEAD};
use super::wire::Wire;
use crate::error::Error;

/// The most interim answers (1xx) before the one that counts.
const MAX_INTERIM: usize = 8;

/// A connection to a server or a proxy.
pub struct Connection {
    /// What it may be used for again.
    pub key: String,
    wire: Box<dyn Wire>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Connection {
    /// A fresh one.
    pub fn new(key: String, wire: Box<dyn Wire>) -> Connection {
        Connection { key, wire, buffer: vec![0; MAX_HEAD].into(), start: 0, end: 0 }
    }

    /// What the bytes go over.
    pub fn wire(&mut self) -> &mut dyn Wire {
        &mut *self.wire
    }

    /// What the bytes went over, if nothing was read too far.
    pub fn into_wire(self) -> Option<Box<dyn Wire>> {
        self.is_empty().then_some(self.wire)
    }

    /// Whether nothing was received that nobody asked for yet.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// What is in the buffer; asks for more if that is nothing. Empty at the end of the connection.
    pub fn peek(&mut self) -> io::Result<&[u8]> {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
            self.more()?;
        }
        Ok(self.buffered())
    }

    /// Takes `count` bytes of what [`Self::peek`] showed.
    pub fn skip(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Sends a request.
    pub fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.wire.write_all(request)?;
        self.wire.flush()
    }

    /// The head of the final answer. [`super::wire::is_gone`] if the connection ended before its first byte.
    pub fn head(&mut self) -> io::Result<Head> {
        for _ in 0..=MAX_INTERIM {
            let head = self.one_head()?;
            if !(100..=199).contains(&head.status) {
                return Ok(head);
            }
        }
        Err(io::Error::other(Error::retry(format_args!("expected an answer, got interim ones without end"))))
    }

    fn one_head(&mut self) -> io::Result<Head> {
        loop {
            if let Some(size) = head::end(self.buffered()) {
                let head = Head::parse(self.buffered().get(..size).unwrap_or_default());
                self.skip(size);
                return head.map_err(io::Error::other);
            }
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            if self.end == self.buffer.len() {
                let fault =
                    Error::retry(format_args!("expected the end of a head, got {MAX_HEAD} bytes without it"));
                return Err(io::Error::other(fault));
            }
            match (self.more(), self.is_empty()) {
                (Ok(0), true) => return Err(io::ErrorKind::UnexpectedEof.into()),
                (Ok(0), false) => {
                    return Err(io::Error::other(Error::retry(format_args!(
                        "expected the head of an answer, got the end of the connection in it"
                    ))));
                }
                (Err(error), true) => return Err(error),
                (Err(error), false) if error.get_ref().is_none() => {
                    return Err(io::Error::other(Error::retry(format_args!("{error}"))));
                }
                (Err(error), false) => return Err(error),
                (Ok(_), _) => {}
            }
        }
    }

    fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Appends what the connection has; 0 at its end.
    fn more(&mut self) -> io::Result<usize> {
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let count = retried(&mut *self.wire, room)?;
        self.end = self.end.saturating_add(count).min(self.buffer.len());
        Ok(count)
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // large reads need no copy
        if self.is_empty() && buffer.len() >= self.buffer.len() {
            return retried(&mut *self.wire, buffer);
        }
        let have = self.peek()?;
        let count = have.len().min(buffer.len());
        buffer[..count].copy_from_slice(&have[..count]);
        self.skip(count);
        Ok(count)
    }
}

fn retried(wire: &mut dyn Wire, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match wire.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use std::collections::VecDeque;
    use std::io::Write;

    use super::super::wire::{Tcp, is_gone};
    use super::*;

    /// Gives pieces one by one, and then the end.
    pub struct Script(pub VecDeque<Vec<u8>>);

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(mut piece) = self.0.pop_front() else { return Ok(0) };
            let count = piece.len().min(buffer.len());
            buffer[..count].copy_from_slice(&piece[..count]);
            if count < piece.len() {
                self.0.push_front(piece.split_off(count));
            }
            Ok(count)
        }
    }

    impl Write for Script {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Wire for Script {
        fn tcp(&mut self) -> &mut Tcp {
            unreachable!("a script has no socket")
        }

        fn limit(&mut self, _: Option<std::time::Instant>) {}
    }

    pub fn script(pieces: &[&[u8]]) -> Connection {
        let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
        Connection::new("k".into(), Box::new(Script(pieces)))
    }

    #[test]
    fn a_head_may_come_in_any_pieces_and_after_interim_ones() {
        let whole = b"HTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 100 x\r\n\r\nHTTP/1.1 404 x\r\nContent-Length: 4\r\n\r\nbody";
        for cut in 1..whole.len() {
            let (one, two) = whole.split_at(cut);
            let mut connection = script(&[one, two]);
            assert_eq!(connection.head().unwrap().status, 404, "cut at {cut}");
            let mut body = Vec::new();
            connection.read_to_end(&mut body).unwrap();
            assert_eq!(body, b"body", "cut at {cut}");
        }
    }

    #[test]
    fn only_an_end_before_the_first_byte_may_be_a_stale_connection() {
        assert!(is_gone(&script(&[]).head().expect_err("nothing")));
        for pieces in [&b"H"[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 x\r\n\r\nH", b"x\r\n\r\n"] {
            assert!(
                !is_gone(&script(&[pieces]).head().expect_err("part of a head")),
                "{}",
                pieces.escape_ascii()
            );
        }
    }

    #[test]
    fn heads_without_end_are_given_up() {
        let line = "X: and more and more\r\n".repeat(1000);
        let error = script(&[b"HTTP/1.1 200 OK\r\n", line.as_bytes()]).head().expect_err("too long");
        assert!(error.to_string().contains("16384 bytes without it"), "{error}");
        let interim = "HTTP/1.1 100 x\r\n\r\n".repeat(MAX_INTERIM + 1);
        let error = script(&[interim.as_bytes()]).head().expect_err("interim answers only");
        assert!(error.to_string().contains("interim"), "{error}");
    }

    #[test]
    fn small_and_large_reads_give_the_same_bytes() {
        let bytes: Vec<u8> = (0..40_000_u32).map(|index| index as u8).collect();
        for size in [1, 100, MAX_HEAD, 30_000] {
            let mut connection = script(&[&bytes[..5], &bytes[5..20_000], &bytes[20_000..]]);
            let (mut out, mut buffer) = (Vec::new(), vec![0; size]);
            loop {
                match connection.read(&mut buffer).unwrap() {
                    0 => break,
                    count => out.extend_from_slice(&buffer[..count]),
                }
            }
            assert_eq!(out, bytes, "{size}");
        }
    }
}
