//! A body, from the end of its head to its own end, where its connection goes back to the pool.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Instant;

use super::chunks::Chunks;
use super::connection::Connection;
use super::head::{Framing, Head};
use super::pool::Pool;
use crate::error::Error;

/// A body being received.
pub struct Framed {
    connection: Option<Connection>,
    left: Left,
    keep: bool,
    pool: Arc<Pool>,
    /// Nothing is read after this.
    until: Option<Instant>,
}

enum Left {
    Length { left: u64, total: u64 },
    Chunks(Chunks),
    Close,
}

impl Framed {
    /// The body that follows `head` on `connection`.
    pub fn new(connection: Connection, head: &Head, pool: Arc<Pool>) -> Framed {
        let left = match head.framing {
            Framing::Length(total) => Left::Length { left: total, total },
            Framing::Chunked => Left::Chunks(Chunks::new()),
            Framing::Close => Left::Close,
        };
        let mut framed = Framed { connection: Some(connection), left, keep: head.keep, pool, until: None };
        framed.finish_if_done();
        framed
    }

    /// Reads a short body that nobody wants, so that its connection can be used again.
    pub fn drain(mut self, most: u64, deadline: Instant) {
        if matches!(self.left, Left::Close) {
            return;
        }
        self.until = Some(deadline);
        let mut room = [0; 1024];
        let mut count = 0;
        while let (true, Ok(got @ 1..)) = (count < most, self.read(&mut room)) {
            count = count.saturating_add(got as u64);
        }
    }

    fn finish_if_done(&mut self) {
        let done = match &self.left {
            Left::Length { left, .. } => *left == 0,
            Left::Chunks(chunks) => chunks.is_done(),
            Left::Close => false,
        };
        if done
            && let Some(connection) = self.connection.take()
            && self.keep
        {
            self.pool.give(connection);
        }
    }
}

impl Read for Framed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(connection) = &mut self.connection else { return Ok(0) };
        // a byte now and then inside a chunk's head or a TLS record gives nothing whose speed could be measured
        connection.wire().limit(self.until);
        let room = match &mut self.left {
            Left::Length { left, .. } => *left,
            Left::Chunks(chunks) => next_data(connection, chunks)?,
            Left::Close => u64::MAX,
        };
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(buffer.len());
        let got = connection.read(&mut buffer[..room])?;
        if room > 0 && got == 0 {
            match &self.left {
                Left::Length { total, .. } => return Err(ended(&format!("{total} bytes"))),
                Left::Chunks(_) => return Err(ended("the last chunk")),
                Left::Close => self.connection = None,
            }
            return Ok(0);
        }
        match &mut self.left {
            Left::Length { left, .. } => *left = left.saturating_sub(got as u64),
            Left::Chunks(chunks) => {
                chunks.took(got as u64);
                // the end of the coding is most often here already, and frees the connection
                while !connection.is_empty() && step(connection, chunks)? {}
            }
            Left::Close => {}
        }
        self.finish_if_done();
        Ok(got)
    }
}

/// Reads the coding up to the next data and says how long that is; 0 at the end.
fn next_data(connection: &mut Connection, chunks: &mut Chunks) -> io::Result<u64> {
    while step(connection, chunks)? {}
    Ok(chunks.data())
}

/// Reads a byte of the coding, if one is next.
fn step(connection: &mut Connection, chunks: &mut Chunks) -> io::Result<bool> {
    if chunks.data() > 0 || chunks.is_done() {
        return Ok(false);
    }
    let byte = *connection.peek()?.first().ok_or_else(|| ended("the last chunk"))?;
    connection.skip(1);
    chunks.step(byte).map_err(io::Error::other)?;
    Ok(true)
}

fn ended(expected: &str) -> io::Error {
    io::Error::other(Error::retry(format_args!("expected {expected}, got the end of the connection")))
}

#[cfg(test)]
mod tests {
    use super::super::connection::tests::script;
    use super::super::wire::Tcp;
    use super::*;
    use std::io::Write as _;
    use std::time::Duration;

    /// The body of an answer in pieces, and whether its connection can be used again.
    fn receive(pieces: &[&[u8]], size: usize) -> (io::Result<Vec<u8>>, bool) {
        let pool = Arc::new(Pool::new(3));
        let mut connection = script(pieces);
        let head = connection.head().unwrap();
        let mut framed = Framed::new(connection, &head, pool.clone());
        let (mut out, mut buffer) = (Vec::new(), vec![0; size]);
        let result = loop {
            match framed.read(&mut buffer) {
                Ok(0) => break Ok(out),
                Ok(count) => out.extend_from_slice(&buffer[..count]),
                Err(error) => break Err(error),
            }
        };
        (result, pool.take("k").is_some())
    }

    #[test]
    fn bodies_end_where_their_framing_says() {
        for (text, body, kept) in [
            ("Content-Length: 5\r\n\r\nhello", "hello", true),
            ("Content-Length: 0\r\n\r\n", "", true),
            ("Content-Length: 5\r\nConnection: close\r\n\r\nhello", "hello", false),
            ("Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 smuggled", "hello", false),
            ("Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", true),
            ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", true),
            ("\r\nhello", "hello", false),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{text}");
            for (size, cut) in
                [(1, 7), (3, 25), (100, text.len()), (20_000, text.len() - 1), (2, text.len() - 4)]
            {
                let (head, rest) = text.as_bytes().split_at(cut.min(text.len()));
                let (result, reusable) = receive(&[head, rest], size);
                assert_eq!(String::from_utf8(result.unwrap()).unwrap(), body, "{text:?} {size} {cut}");
                // bytes that were not asked for are seen only once they have come
                assert!(reusable == kept || text.contains("smuggled"), "{text:?} {size} {cut}");
            }
        }
    }

    #[test]
    fn a_byte_now_and_then_inside_of_a_chunks_head_is_given_up() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;").unwrap();
            // each byte in time, and 8,000 of them are allowed
            let sent = (0..8000).take_while(|_| {
                std::thread::sleep(Duration::from_millis(10));
                stream.write_all(b"x").is_ok()
            });
            sent.count()
        });
        let tcp = Tcp::new(stream, Duration::from_millis(100)).unwrap();
        let mut connection = Connection::new("k".into(), Box::new(tcp));
        let head = connection.head().unwrap();
        let mut framed = Framed::new(connection, &head, Arc::new(Pool::new(1)));
        let error = framed.read(&mut [0; 9]).expect_err("no data in all that time").to_string();
        drop(framed);
        assert!(error.contains("in time") && server.join().unwrap() < 2000, "{error}");
    }

    #[test]
    fn an_end_before_the_end_is_an_error() {
        for (text, part) in [
            ("Content-Length: 5\r\n\r\nhell", "expected 5 bytes, got the end of the connection"),
            ("Transfer-Encoding: chunked\r\n\r\n5\r\nhell", "expected the last chunk, got the end"),
            ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "expected the last chunk, got the end"),
            ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello!", "expected chunks, got \"!\""),
        ] {
            let (result, reusable) = receive(&[b"HTTP/1.1 200 OK\r\n", text.as_bytes()], 100);
            let error = result.expect_err(text);
            assert!(error.to_string().contains(part) && !reusable, "{text:?}: {error}");
        }
    }
}
