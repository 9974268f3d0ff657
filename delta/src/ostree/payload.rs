//! A part once unpacked: `(a(uuu)aa(ayay)ayay)`, read where it lies.
//!
//! | member | field |
//! |---|---|
//! | `a(uuu)` | owner, group, mode, big endian: what operations name by number |
//! | `aa(ayay)` | sets of xattrs, likewise |
//! | `ay` | bytes: contents, old checksums, patches |
//! | `ay` | operations, see [`mod@super::apply`] |

use crate::error::{Error, Result};
use crate::io::ReadAt;
use crate::num::{bytes_at, index};
use rootling_object::{FileHeader, Value, Xattrs};
use std::ops::Range;

const WHAT: &str = "part of a delta";

/// Most bytes of modes, and of xattrs. Changing it does not break the format.
const MAX_TABLE: u64 = 4 << 20;

/// Owner, group, mode with file type.
pub type Mode = (u32, u32, u32);

/// An unpacked part.
pub struct Payload<'a> {
    /// Where it lies.
    pub source: &'a dyn ReadAt,
    modes: Vec<Mode>,
    xattrs: Vec<Xattrs>,
    blob: Range<u64>,
    operations: Range<u64>,
}

impl<'a> Payload<'a> {
    /// Reads the two tables and finds the rest.
    pub fn open(source: &'a dyn ReadAt) -> Result<Payload<'a>> {
        let size = source.size();
        let width: u64 = match size {
            0..=0xff => 1,
            0x100..=0xffff => 2,
            0x1_0000..=0xffff_ffff => 4,
            _ => 8,
        };
        let table = width.saturating_mul(3);
        let end = size.checked_sub(table).ok_or_else(|| wrong("framing", "three offsets", size))?;
        let offsets = read(source, end..size)?;
        let offset = |place: u64| {
            let mut wide = [0; 8];
            let start = index(place.saturating_mul(width));
            let bytes = offsets.get(start..start.saturating_add(index(width))).unwrap_or_default();
            wide.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            u64::from_le_bytes(wide)
        };
        // the first member's end stands last
        let (modes, xattrs, blob) = (offset(2), offset(1), offset(0));
        if modes > xattrs || xattrs > blob || blob > end {
            return Err(wrong("framing", "ascending ends", format_args!("{modes} {xattrs} {blob} {end}")));
        }
        for length in [modes, xattrs.saturating_sub(modes)] {
            if length > MAX_TABLE {
                return Err(Error::limit("bytes of modes or xattrs of a part", MAX_TABLE, length));
            }
        }
        let mode = |bytes: &[u8]| {
            let word = |at| bytes_at(bytes, at).map(u32::from_be_bytes);
            Some((word(0)?, word(4)?, word(8)?))
        };
        Ok(Payload {
            source,
            modes: read(source, 0..modes)?.chunks(12).map_while(mode).collect(),
            xattrs: sets(&read(source, modes..xattrs)?)?,
            blob: xattrs..blob,
            operations: blob..end,
        })
    }

    /// Where the operations are.
    pub fn operations(&self) -> Range<u64> {
        self.operations.clone()
    }

    /// Where `length` bytes at `offset` of the blob are.
    pub fn blob(&self, offset: u64, length: u64) -> Result<Range<u64>> {
        let start = self.blob.start.saturating_add(offset);
        let end = start.saturating_add(length);
        if end > self.blob.end {
            let size = self.blob.end.saturating_sub(self.blob.start);
            let got = format_args!("{length} bytes at {offset}");
            return Err(wrong("range", format_args!("within {size} bytes"), got));
        }
        Ok(start..end)
    }

    /// A copy of a range that may not be longer than `most`.
    pub fn copy(&self, range: Range<u64>, most: u64) -> Result<Vec<u8>> {
        let length = range.end.saturating_sub(range.start);
        if length > most {
            return Err(Error::limit("bytes of metadata in a part", most, length));
        }
        read(self.source, range)
    }

    /// A header from two numbers, without the target of a symlink.
    pub fn header(&self, mode: u64, xattrs: u64) -> Result<FileHeader> {
        let found = self.modes.get(index(mode)).zip(self.xattrs.get(index(xattrs)));
        let ((uid, gid, mode), xattrs) = found.ok_or_else(|| {
            let most = format_args!("below {} and {}", self.modes.len(), self.xattrs.len()).to_string();
            wrong("mode and xattrs", most, format_args!("{mode} and {xattrs}"))
        })?;
        Ok(FileHeader { uid: *uid, gid: *gid, mode: *mode, target: None, xattrs: xattrs.clone() })
    }
}

fn sets(bytes: &[u8]) -> Result<Vec<Xattrs>> {
    let sets = Value::decode("aa(ayay)", bytes).map_err(|error| wrong("xattrs", "a list", error))?;
    let sets = sets.items().unwrap_or_default().iter().map(|set| {
        Xattrs::decode(WHAT, &set.encode()).map_err(|error| wrong("xattrs", "sorted names", error))
    });
    sets.collect()
}

fn read(source: &dyn ReadAt, range: Range<u64>) -> Result<Vec<u8>> {
    let mut bytes = vec![0; index(range.end.saturating_sub(range.start))];
    source.read_at(range.start, &mut bytes)?;
    Ok(bytes)
}

/// The bytes of a part before it is packed.
#[cfg(feature = "make")]
pub fn encode(modes: &[Mode], xattrs: &[Xattrs], blob: Vec<u8>, operations: Vec<u8>) -> Vec<u8> {
    let modes = modes.iter().map(|(uid, gid, mode)| {
        Value::Tuple([uid, gid, mode].map(|word| Value::U32(word.swap_bytes())).into())
    });
    let sets = xattrs.iter().map(|set| Value::decode("a(ayay)", &set.encode()).expect("our own xattrs"));
    Value::Tuple(vec![
        Value::Array { element: "(uuu)".into(), items: modes.collect() },
        Value::Array { element: "a(ayay)".into(), items: sets.collect() },
        Value::Bytes(blob),
        Value::Bytes(operations),
    ])
    .encode()
}

fn wrong(field: &'static str, expected: impl std::fmt::Display, got: impl std::fmt::Display) -> Error {
    Error::malformed(WHAT, field, &expected, &got)
}
