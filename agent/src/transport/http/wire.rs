//! A socket on which nothing waits for ever.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Bytes both ways, plain or in TLS.
pub trait Wire: Read + Write + Send {
    /// The socket below.
    fn tcp(&mut self) -> &mut Tcp;

    /// Nothing is read after `until`; without it, what is asked for next may take several reads, but not many.
    fn limit(&mut self, until: Option<Instant>) {
        match until {
            Some(_) => self.tcp().set_deadline(until),
            None => self.tcp().bound(),
        }
    }
}

/// A TCP connection whose every wait is bounded.
#[derive(Debug)]
pub struct Tcp {
    stream: TcpStream,
    stall: Duration,
    /// What the kernel was told last.
    wait: Duration,
    deadline: Option<Instant>,
}

impl Tcp {
    /// No single wait is longer than `stall`.
    pub fn new(stream: TcpStream, stall: Duration) -> io::Result<Tcp> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(stall))?;
        stream.set_write_timeout(Some(stall))?;
        Ok(Tcp { stream, stall, wait: stall, deadline: None })
    }

    /// Until further notice nothing is read after this.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    fn bound(&mut self) {
        self.deadline = Instant::now().checked_add(self.stall.saturating_mul(2));
    }
}

impl Read for Tcp {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wait = match self.deadline {
            Some(deadline) => deadline.saturating_duration_since(Instant::now()).min(self.stall),
            None => self.stall,
        };
        if wait.is_zero() {
            return Err(late());
        }
        // a system call only when the deadline is near
        if wait != self.wait {
            self.stream.set_read_timeout(Some(wait))?;
            self.wait = wait;
        }
        self.stream.read(buffer).map_err(in_time)
    }
}

impl Write for Tcp {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.write(buffer).map_err(in_time)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire for Tcp {
    fn tcp(&mut self) -> &mut Tcp {
        self
    }
}

/// The kernel says "would block" when a time-out is over.
fn in_time(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => late(),
        _ => error,
    }
}

/// Nothing came in time.
pub fn late() -> io::Error {
    io::Error::other(Error::retry(format_args!("expected an answer in time, got none")))
}

/// Whether the other side closed the connection, rather than being silent or wrong.
pub fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(error.kind(), E::UnexpectedEof | E::ConnectionReset | E::ConnectionAborted | E::BrokenPipe)
}

/// An agent's error out of an `io::Error`, which may hold one.
pub fn unwrapped<T>(result: io::Result<T>) -> Result<T> {
    result.map_err(|error| {
        let inside = super::super::body::transport_fault(&error);
        inside.unwrap_or_else(|| Error::retry(format_args!("{error}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair(stall: Duration) -> (Tcp, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Tcp::new(stream, stall).unwrap(), listener.accept().unwrap().0)
    }

    #[test]
    fn silence_ends_in_an_error_that_may_be_tried_again() {
        let (mut tcp, _other) = pair(Duration::from_millis(20));
        let error = unwrapped(tcp.read(&mut [0; 9])).expect_err("silence");
        assert_eq!(error, Error::retry(format_args!("expected an answer in time, got none")));
    }

    #[test]
    fn a_deadline_holds_for_all_reads_together() {
        let (mut tcp, mut other) = pair(Duration::from_secs(60));
        other.write_all(b"ab").unwrap();
        tcp.set_deadline(Some(Instant::now() + Duration::from_secs(60)));
        assert_eq!(tcp.read(&mut [0; 1]).unwrap(), 1);
        tcp.set_deadline(Some(Instant::now()));
        assert!(!is_gone(&tcp.read(&mut [0; 1]).expect_err("too late, though a byte is there")));
        tcp.set_deadline(Some(Instant::now() + Duration::from_millis(20)));
        assert_eq!(tcp.read(&mut [0; 1]).unwrap(), 1);
        assert!(tcp.read(&mut [0; 1]).is_err(), "silence");
        tcp.set_deadline(None);
        drop(other);
        assert_eq!(tcp.read(&mut [0; 1]).unwrap(), 0, "the end of the connection");
    }
}
