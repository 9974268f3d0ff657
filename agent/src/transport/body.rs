//! What is received: limited in length, counted, and with its first fault kept.
//!
//! A writer that reads from a [`Body`] sees only an `io::Error`; afterwards [`Body::fault`] still tells whether
//! the network failed, so that a broken connection is never reported as a broken object or disk.

use rootling_store::Input;
use rootling_store::atomic::AtomicU64;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::{Error, Result};

/// A body being received.
pub struct Body {
    reader: Box<dyn Input + Send>,
    limit: u64,
    received: u64,
    fault: Option<Error>,
    place: String,
    meter: Option<Arc<AtomicU64>>,
    /// The length the server announced.
    pub length: Option<u64>,
    /// Where in the file the first byte of it is: 0, or the start of the range that was asked for.
    pub offset: u64,
    /// The length of the whole file, if it is known.
    pub total: Option<u64>,
    /// The server's name for this version.
    pub etag: Option<String>,
    /// The server calls it HTML, which no repository serves.
    pub html: bool,
}

impl Body {
    /// A body of at most `limit` bytes from `place`.
    pub fn new(place: String, reader: Box<dyn Input + Send>, limit: u64) -> Body {
        Body {
            reader,
            limit,
            received: 0,
            fault: None,
            place,
            meter: None,
            length: None,
            offset: 0,
            total: None,
            etag: None,
            html: false,
        }
    }

    /// Adds every byte received to `meter`.
    pub fn metered(mut self, meter: Arc<AtomicU64>) -> Body {
        self.meter = Some(meter);
        self
    }

    /// Where it comes from, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// How many bytes have come.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The first fault of the transport or the limit, if there was one.
    pub fn fault(&mut self) -> Option<Error> {
        self.fault.take()
    }

    /// Reads all of it.
    pub fn bytes(mut self) -> Result<Vec<u8>> {
        let mut bytes =
            Vec::with_capacity(usize::try_from(self.length.unwrap_or(0).min(64 << 10)).unwrap_or(0));
        match self.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => {
                Err(self.fault().unwrap_or_else(|| Error::retry(format_args!("{}: {error}", self.place))))
            }
        }
    }

    /// Reads the rest, which must be empty: the connection can then be used again.
    pub fn finish(&mut self) -> Result<()> {
        let mut more = [0; 1];
        match self.read(&mut more) {
            Ok(0) => Ok(()),
            Ok(_) => Err(Error::corrupt(format_args!(
                "{}: expected the end, got more bytes after {}",
                self.place, self.received
            ))),
            Err(error) => {
                Err(self.fault().unwrap_or_else(|| Error::retry(format_args!("{}: {error}", self.place))))
            }
        }
    }

    fn fail(&mut self, error: Error) -> io::Error {
        let told = io::Error::other(error.to_string());
        self.fault.get_or_insert(error);
        told
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = match self.reader.read(buffer) {
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                let fault = transport_fault(&error)
                    .unwrap_or_else(|| Error::retry(format_args!("{error}")))
                    .at(&self.place);
                return Err(self.fail(fault));
            }
        };
        self.received = self.received.saturating_add(got as u64);
        if let Some(meter) = &self.meter {
            meter.fetch_add(got as u64, Ordering::Relaxed);
        }
        if self.received > self.limit {
            let (place, limit) = (&self.place, self.limit);
            let fault = Error::corrupt(format_args!("{place}: expected at most {limit} bytes, got more"));
            return Err(self.fail(fault));
        }
        Ok(got)
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("place", &self.place)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

/// An agent error that travels inside an `io::Error`.
pub fn transport_fault(error: &io::Error) -> Option<Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn body(bytes: &'static [u8], limit: u64) -> Body {
        Body::new("here".into(), Box::new(bytes), limit)
    }

    #[test]
    fn never_reads_more_than_allowed() {
        assert_eq!(body(b"1234", 4).bytes(), Ok(b"1234".to_vec()));
        let error = body(b"12345", 4).bytes().expect_err("one byte too many");
        assert_eq!(error, Error::corrupt(format_args!("here: expected at most 4 bytes, got more")));
    }

    #[test]
    fn keeps_the_class_of_a_fault() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other(Error::untrusted(format_args!("bad certificate"))))
            }
        }
        let error = Body::new("there".into(), Box::new(Broken), 9).bytes().expect_err("broken");
        assert_eq!(error, Error::untrusted(format_args!("there: bad certificate")));
    }

    #[test]
    fn bytes_after_the_end_are_corrupt() {
        let mut body = body(b"12", 9);
        assert!(body.read_exact(&mut [0; 1]).is_ok());
        assert!(body.finish().is_err_and(|error| error.exit() == Exit::Corrupt));
    }
}
