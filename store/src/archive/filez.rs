//! `.filez`: header and raw deflate, read from any stream and never beyond what its header says.

use crate::error::Error;
use crate::input::Input;
use rootling_object::inflate::{self, Next};
use rootling_object::{FileHeader, content};
use std::fmt;
use std::io::{self, Read};

/// Compressed bytes read at a time.
const CHUNK: usize = 16 << 10;

/// Decompresses raw deflate of a known size; more, fewer or trailing bytes are errors.
struct Inflate<'a> {
    source: Box<dyn Input + 'a>,
    state: inflate::Inflate,
    chunk: Box<[u8]>,
    at: usize,
    end: usize,
    /// Bytes the header promises and that have not come out yet.
    left: u64,
    finished: bool,
}

/// Why a `.filez` could not be read: the system, or its bytes.
#[derive(Debug)]
pub(crate) enum FilezError {
    /// Reading failed.
    Io(io::Error),
    /// The bytes are no `.filez`.
    Malformed(rootling_object::Error),
}

impl FilezError {
    /// Names the place.
    pub(crate) fn at(self, place: impl fmt::Display) -> Error {
        match self {
            FilezError::Io(source) => Error::io("read", place.to_string())(source),
            FilezError::Malformed(source) => Error::corrupt(place)(source),
        }
    }
}

fn malformed(place: &str, expected: impl fmt::Display, got: impl fmt::Display) -> rootling_object::Error {
    rootling_object::Error::malformed("filez", place, expected, got)
}

fn bad_data(place: &str, expected: impl fmt::Display, got: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, malformed(place, expected, got))
}

impl<'a> Inflate<'a> {
    fn new(source: Box<dyn Input + 'a>, size: u64) -> Inflate<'a> {
        let state = inflate::Inflate::raw();
        Inflate { source, state, chunk: vec![0; CHUNK].into(), at: 0, end: 0, left: size, finished: false }
    }

    /// How many bytes came out, and whether the stream is at its end.
    fn step(&mut self, output: &mut [u8]) -> io::Result<(usize, bool)> {
        if self.at == self.end {
            self.end = self.source.read(&mut self.chunk)?;
            self.at = 0;
        }
        let input = self.chunk.get(self.at..self.end).unwrap_or_default();
        let none = input.is_empty();
        let step = self.state.step(input, output);
        self.at += step.consumed;
        match step.next {
            Some(Next::Stuck) if none => {
                Err(bad_data("deflate stream", format!("{} more bytes", self.left), "its end"))
            }
            Some(next) => Ok((step.written, next == Next::End)),
            None => Err(bad_data("deflate stream", "valid deflate", "other bytes")),
        }
    }

    /// After the last byte: the stream says so too, and nothing follows it.
    fn finish(&mut self) -> io::Result<()> {
        let mut extra = [0u8; 1];
        loop {
            let (count, is_end) = self.step(&mut extra)?;
            if count > 0 {
                return Err(bad_data("size", "no more bytes than the header says", "more"));
            }
            if is_end {
                break;
            }
        }
        if self.at != self.end || self.source.read(&mut extra)? != 0 {
            return Err(bad_data("end", "no bytes after the deflate stream", "some"));
        }
        self.finished = true;
        Ok(())
    }
}

impl Inflate<'_> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if output.is_empty() || self.finished {
            return Ok(0);
        }
        if self.left == 0 {
            self.finish()?;
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(output.len());
        let output = output.get_mut(..most).unwrap_or_default();
        loop {
            let (count, is_end) = self.step(output)?;
            self.left -= count as u64;
            if count > 0 {
                return Ok(count);
            }
            if is_end {
                return Err(bad_data("size", format!("{} more bytes", self.left), "the end of the stream"));
            }
        }
    }
}

/// An open `.filez`; reading it gives the file's bytes.
pub(crate) struct Filez<'a> {
    header: FileHeader,
    size: u64,
    inflate: Option<Inflate<'a>>,
}

impl<'a> Filez<'a> {
    /// Reads the header; the bytes of the file come later.
    pub(crate) fn open(source: impl Read + 'a) -> Result<Filez<'a>, FilezError> {
        Filez::read_header(Box::new(source))
    }

    // once, whatever is read from
    fn read_header(mut source: Box<dyn Input + 'a>) -> Result<Filez<'a>, FilezError> {
        let mut prefix = [0; content::PREFIX_SIZE];
        read_exact(&mut source, &mut prefix, "header length")?;
        let length = FileHeader::decode_prefix(&prefix).map_err(FilezError::Malformed)?;
        let mut bytes = Vec::new();
        (&mut source).take(u64::from(length)).read_to_end(&mut bytes).map_err(FilezError::Io)?;
        if bytes.len() as u64 != u64::from(length) {
            return Err(FilezError::Malformed(malformed(
                "header",
                format_args!("{length} bytes"),
                bytes.len(),
            )));
        }
        let (header, size) = FileHeader::decode_archive(&bytes).map_err(FilezError::Malformed)?;
        let mut inflate = Some(Inflate::new(source, size));
        if header.is_symlink() {
            let mut rest = inflate.take().map(|inflate| inflate.source);
            if rest.as_mut().map_or(Ok(0), |rest| rest.read(&mut [0])).map_err(FilezError::Io)? != 0 {
                return Err(FilezError::Malformed(malformed(
                    "end",
                    "no bytes after the header of a symlink",
                    "some",
                )));
            }
        }
        Ok(Filez { header, size, inflate })
    }

    pub(crate) fn header(&self) -> &FileHeader {
        &self.header
    }

    /// Size of the file in bytes, as the header says.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

fn read_exact(source: &mut dyn Input, bytes: &mut [u8], place: &str) -> Result<(), FilezError> {
    source.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            FilezError::Malformed(malformed(place, format_args!("{} bytes", bytes.len()), "fewer"))
        }
        _ => FilezError::Io(error),
    })
}

impl Read for Filez<'_> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        self.inflate.as_mut().map_or(Ok(0), |inflate| inflate.read(output))
    }

    fn read_to_end(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        crate::fs::read_to_end(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::deflate::compress_to_vec;
    use rootling_object::Xattrs;

    fn filez(data: &[u8], size: u64) -> Vec<u8> {
        let header = FileHeader { uid: 0, gid: 0, mode: 0o100644, target: None, xattrs: Xattrs::default() };
        let mut bytes = header.encode_archive(size);
        bytes.extend(compress_to_vec(data, 6));
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut file = Filez::open(bytes).map_err(|error| error.at("test").to_string())?;
        let mut out = Vec::new();
        file.read_to_end(&mut out).map_err(|error| error.to_string())?;
        Ok(out)
    }

    #[test]
    fn reads_what_was_compressed() {
        for size in [0usize, 1, 1000, 300_000] {
            let data: Vec<u8> = (0..size).map(|n| (n % 251) as u8 ^ (n / 977) as u8).collect();
            assert_eq!(read(&filez(&data, size as u64)), Ok(data));
        }
    }

    #[test]
    fn refuses_every_truncation_and_every_lie_about_size() {
        let data: Vec<u8> = (0..5000u32).flat_map(|n| n.wrapping_mul(2654435761).to_le_bytes()).collect();
        let good = filez(&data, data.len() as u64);
        for end in (0..good.len()).step_by(61).chain([good.len() - 1]) {
            assert!(read(&good[..end]).is_err(), "{end}");
        }
        for (name, bytes, reason) in [
            ("less", filez(&data, data.len() as u64 - 1), "no more bytes"),
            ("more", filez(&data, data.len() as u64 + 1), "1 more bytes"),
            ("trailing", [good.clone(), vec![0]].concat(), "no bytes after"),
            ("html", b"<!DOCTYPE html><html>".to_vec(), "header length"),
        ] {
            let error = read(&bytes).unwrap_err();
            assert!(error.contains(reason), "{name}: {error}");
        }
    }
}
