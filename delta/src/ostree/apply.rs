//! The operations of a part: from bytes and old objects to new objects, nothing of which is held in memory.
//!
//! Numbers are LEB128. Each object of the part is made by one `S`, or by `o` to `c`.
//!
//! | byte | then | does |
//! |---|---|---|
//! | `S` | metadata object: length, offset; file: mode, xattrs, length, offset | a whole object from the blob; a symlink's target lies there |
//! | `o` | mode, xattrs, size | starts a file |
//! | `w` | length, offset | appends from the old object if one is set, else from the blob |
//! | `r` | offset | the old object whose checksum stands there in the blob |
//! | `R` | | no old object |
//! | `B` | offset, length | makes the whole file from the old object by the patch there |
//! | `c` | | the file is complete |
//!
//! A patch repeats: three 64-bit numbers (sign and magnitude, little-endian: bytes to add to old ones, new bytes, how far to
//! move in the old object), the differences, the new bytes.

use super::payload::Payload;
use crate::apply::{NewContent, OldContent};
use crate::error::{Error, Result};
use crate::io::{Peek, ReadAt};
use crate::num::{bytes_at, index, wide};
use crate::tree::PlannedObject;
use rootling_object::{Checksum, MAX_METADATA_SIZE, ObjectKind, ObjectName};
use std::ops::Range;

const WHAT: &str = "operations of a delta";
/// Bytes that are moved at a time.
const CHUNK: u64 = 16 << 10;
/// Longest target of a symlink, in bytes.
const MAX_TARGET: u64 = 4096;

/// Where objects go; each must be compared with its name there.
pub trait Target: NewContent {
    /// A dirtree or dirmeta.
    fn metadata(&mut self, name: &ObjectName, bytes: Vec<u8>) -> Result<()>;
}

/// Makes `objects`, which are those of the part, in their order.
pub fn apply(
    payload: &Payload<'_>,
    objects: &[ObjectName],
    old: &dyn OldContent,
    new: &mut dyn Target,
) -> Result<()> {
    let range = payload.operations();
    let mut run = Run {
        payload,
        operations: Peek::near(payload.source),
        at: range.start,
        end: range.end,
        objects: objects.iter(),
        source: None,
        open: None,
        new,
    };
    while run.at < run.end {
        run.step(old)?;
    }
    match (run.open, run.objects.len()) {
        (None, 0) => Ok(()),
        (open, left) => {
            let left = wide(left).saturating_add(u64::from(open.is_some()));
            Err(wrong("end", "all objects made", format_args!("{left} to make")))
        }
    }
}

struct Run<'a> {
    payload: &'a Payload<'a>,
    operations: Peek<'a>,
    at: u64,
    end: u64,
    objects: std::slice::Iter<'a, ObjectName>,
    source: Option<Box<dyn ReadAt + 'a>>,
    open: Option<PlannedObject>,
    new: &'a mut dyn Target,
}

impl<'a> Run<'a> {
    fn step(&mut self, old: &'a dyn OldContent) -> Result<()> {
        match self.byte()? {
            b'S' => self.whole(),
            b'o' => {
                let header = self.payload.header(self.number()?, self.number()?)?;
                let size = Some(self.number()?);
                if header.is_symlink() {
                    return Err(wrong("opened object", "a regular file", "a symlink"));
                }
                let checksum = self.file()?;
                let object = PlannedObject { checksum, header, size, sources: Vec::new() };
                self.begin(&object)?;
                self.open = Some(object);
                Ok(())
            }
            b'w' => {
                let (length, offset) = (self.number()?, self.number()?);
                self.opened()?;
                match self.source.take() {
                    Some(source) => {
                        let written = self.move_bytes(&*source, offset..offset.saturating_add(length));
                        self.source = Some(source);
                        written
                    }
                    None => self.move_bytes(self.payload.source, self.payload.blob(offset, length)?),
                }
            }
            b'r' => {
                let place = self.payload.blob(self.number()?, 32)?;
                let bytes = self.payload.copy(place, 32)?;
                let checksum = Checksum::from_slice(&bytes);
                let checksum = checksum.map_err(|error| wrong("old object", "a checksum", error))?;
                self.source = Some(old.open(&checksum)?);
                Ok(())
            }
            b'R' => {
                self.source = None;
                Ok(())
            }
            b'B' => {
                let (offset, length) = (self.number()?, self.number()?);
                let size = self.opened()?.size.unwrap_or(0);
                let patch = self.payload.blob(offset, length)?;
                let source = self.source.take();
                let source = source.ok_or_else(|| wrong("patch", "an old object", "none"))?;
                self.patch(&*source, patch, size)?;
                self.source = Some(source);
                Ok(())
            }
            b'c' => match self.open.take() {
                Some(object) => self.new.finish(&object),
                None => Err(wrong("close", "an open file", "none")),
            },
            other => Err(wrong("operation", "one of SowrRBc", other)),
        }
    }

    fn byte(&mut self) -> Result<u8> {
        if self.at >= self.end {
            return Err(wrong("operation", "more bytes", "the end"));
        }
        let byte = self.operations.bytes(self.at, 1).first().copied();
        self.at = self.at.saturating_add(1);
        byte.ok_or_else(|| wrong("operation", "readable bytes", "none"))
    }

    fn number(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0u32..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            let placed = bits.wrapping_shl(shift);
            if placed.wrapping_shr(shift) != bits {
                break;
            }
            value |= placed;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(wrong("number", "64 bits", "more"))
    }

    fn next(&mut self) -> Result<ObjectName> {
        if self.open.is_some() {
            return Err(wrong("operation", "the open file closed", "another object"));
        }
        self.objects.next().copied().ok_or_else(|| wrong("operation", "no further object", "one"))
    }

    fn file(&mut self) -> Result<Checksum> {
        let name = self.next()?;
        match name.kind {
            ObjectKind::File => Ok(name.checksum),
            kind => Err(wrong("opened object", "a file", kind)),
        }
    }

    fn opened(&self) -> Result<&PlannedObject> {
        self.open.as_ref().ok_or_else(|| wrong("write", "an open file", "none"))
    }

    fn begin(&mut self, object: &PlannedObject) -> Result<()> {
        match object.header.mode & 0o170_000 {
            0o100_000 | 0o120_000 => self.new.begin(object),
            _ => Err(wrong("mode", "a regular file or a symlink", format_args!("{:o}", object.header.mode))),
        }
    }

    fn whole(&mut self) -> Result<()> {
        let name = self.next()?;
        if name.kind != ObjectKind::File {
            let (length, offset) = (self.number()?, self.number()?);
            let place = self.payload.blob(offset, length)?;
            let bytes = self.payload.copy(place, MAX_METADATA_SIZE.min(self.payload.source.size()))?;
            return self.new.metadata(&name, bytes);
        }
        let mut header = self.payload.header(self.number()?, self.number()?)?;
        let (length, offset) = (self.number()?, self.number()?);
        let place = self.payload.blob(offset, length)?;
        let mut size = Some(length);
        if header.is_symlink() {
            let target = String::from_utf8(self.payload.copy(place.clone(), MAX_TARGET)?);
            header.target = Some(target.map_err(|error| wrong("symlink target", "UTF-8", error))?);
            size = None;
        }
        let object = PlannedObject { checksum: name.checksum, header, size, sources: Vec::new() };
        self.begin(&object)?;
        if object.size.is_some() {
            self.move_bytes(self.payload.source, place)?;
        }
        self.new.finish(&object)
    }

    fn move_bytes(&mut self, source: &dyn ReadAt, range: Range<u64>) -> Result<()> {
        let (mut at, mut buffer) = (range.start, Vec::new());
        while at < range.end {
            buffer.resize(index(range.end.saturating_sub(at).min(CHUNK)), 0);
            source.read_at(at, &mut buffer)?;
            self.new.write(&buffer)?;
            at = at.saturating_add(wide(buffer.len()));
        }
        Ok(())
    }

    fn patch(&mut self, old: &dyn ReadAt, patch: Range<u64>, size: u64) -> Result<()> {
        let short = |field| wrong(field, "what the patch holds", "less");
        let (mut at, mut left, mut place) = (patch.start, size, 0u64);
        while left > 0 {
            let end = at.checked_add(24).filter(|end| *end <= patch.end).ok_or_else(|| short("control"))?;
            let control = self.payload.copy(at..end, 24)?;
            let number = |which| bytes_at(&control, which).map_or(0, u64::from_le_bytes);
            let (add, insert, seek) = (number(0), number(8), number(16));
            at = end;
            if add > left || insert > left.saturating_sub(add) {
                let got = format_args!("{add:#x} and {insert:#x}");
                return Err(wrong("patch", format_args!("at most {left} bytes"), got));
            }
            left = left.saturating_sub(add).saturating_sub(insert);
            let middle = at.saturating_add(add);
            let next = middle.saturating_add(insert);
            if next > patch.end {
                return Err(short("differences and new bytes"));
            }
            self.add(old, place, at..middle)?;
            self.move_bytes(self.payload.source, middle..next)?;
            let distance = seek & (u64::MAX >> 1);
            place = place.wrapping_add(add);
            place =
                if seek == distance { place.wrapping_add(distance) } else { place.wrapping_sub(distance) };
            at = next;
        }
        Ok(())
    }

    /// Old bytes from `place`, which may lie before the start (modulo 2^64) or after the end, plus the differences in `range`.
    fn add(&mut self, old: &dyn ReadAt, place: u64, range: Range<u64>) -> Result<()> {
        let (mut at, mut place, mut sum, mut base) = (range.start, place, Vec::new(), Vec::new());
        while at < range.end {
            let count = range.end.saturating_sub(at).min(CHUNK);
            sum.resize(index(count), 0);
            self.payload.source.read_at(at, &mut sum)?;
            // what lies outside of the old object counts as zero
            let skip = if place >> 63 == 0 { 0 } else { place.wrapping_neg().min(count) };
            let from = place.wrapping_add(skip);
            let have = if from >> 63 == 0 { old.size().saturating_sub(from) } else { 0 };
            base.resize(index(have.min(count.saturating_sub(skip))), 0);
            if !base.is_empty() {
                old.read_at(from, &mut base)?;
            }
            sum.iter_mut().skip(index(skip)).zip(&base).for_each(|(sum, old)| *sum = sum.wrapping_add(*old));
            self.new.write(&sum)?;
            at = at.saturating_add(count);
            place = place.wrapping_add(count);
        }
        Ok(())
    }
}

fn wrong(field: &'static str, expected: impl std::fmt::Display, got: impl std::fmt::Display) -> Error {
    Error::malformed(WHAT, field, &expected, &got)
}
