//! `std::io::Read` behind a pointer, without what a program pays for that.

use std::io::{self, Read};

/// A stream of bytes of any type that can be read.
///
/// A `dyn Input` has all of `Read`'s functions made anew for each type behind it, 1.2 KB of code a type; this has one.
pub trait Input {
    /// As [`Read::read`].
    fn read_some(&mut self, into: &mut [u8]) -> io::Result<usize>;
}

impl<R: Read> Input for R {
    fn read_some(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.read(into)
    }
}

impl Read for dyn Input + '_ {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.read_some(into)
    }
}

impl Read for dyn Input + Send + '_ {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.read_some(into)
    }
}
