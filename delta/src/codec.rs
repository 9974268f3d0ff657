//! The header's bytes, postcard's wire format: numbers in LEB128, lists and strings with their length before them, options
//! and variants with their number, arrays of bytes as they are.
//!
//! Only the shortest encoding is read, so encoding again gives the same bytes. Lists of short elements grow up to
//! forty times when they are read, so the length of the bytes is no bound: what is allocated is counted as it is read.

use crate::backend::StreamHeader;
use crate::error::{Error, Result};
use crate::group::GroupHeader;
use crate::header::Header;
use crate::num::{index, low32, wide};
use crate::tree::{Base, Change, Dir, Edit, Meta, Object};

/// Bytes of a list or string before its elements.
const LIST: u64 = 24;
/// Bytes of an [`Edit`], an [`Object`] and so on, rounded up.
const ELEMENT: u64 = 128;
/// Lists may hold twice what they need while they grow.
const GROWTH: u64 = 2;

/// Reads a header that takes at most `budget` bytes of memory.
pub(crate) fn decode(raw: &[u8], budget: u64) -> Result<Header> {
    let mut reader = Reader { rest: raw, cost: 0, budget };
    let header = reader.header()?;
    if !reader.rest.is_empty() {
        return Err(wrong("no further bytes"));
    }
    Ok(header)
}

struct Reader<'a> {
    rest: &'a [u8],
    cost: u64,
    budget: u64,
}

impl<'a> Reader<'a> {
    fn header(&mut self) -> Result<Header> {
        Ok(Header {
            profile: self.short()?,
            from: self.option(Self::array)?,
            to: self.array()?,
            commit: self.bytes()?,
            detached: self.option(Self::bytes)?,
            dirmetas: self.list(Self::bytes)?,
            file_headers: self.list(Self::bytes)?,
            dirs: self.list(Self::dir)?,
            objects: self.list(Self::object)?,
            groups: self.list(Self::group)?,
        })
    }

    fn dir(&mut self) -> Result<Dir> {
        Ok(Dir { base: self.base()?, edits: self.list(Self::edit)? })
    }

    fn edit(&mut self) -> Result<Edit> {
        let name = self.text()?;
        let change = match self.number()? {
            0 => Change::Remove,
            1 => Change::Object(self.short()?),
            2 => Change::Old(self.text()?),
            3 => Change::Dir(self.meta()?),
            _ => return Err(wrong("a change from 0 to 3")),
        };
        Ok(Edit { name, change })
    }

    fn meta(&mut self) -> Result<Meta> {
        match self.number()? {
            0 => Ok(Meta::Same),
            1 => self.short().map(Meta::New),
            2 => self.array().map(Meta::Old),
            _ => Err(wrong("a dirmeta from 0 to 2")),
        }
    }

    fn object(&mut self) -> Result<Object> {
        Ok(Object {
            checksum: self.array()?,
            header: self.short()?,
            size: self.option(Self::number)?,
            source: self.base()?,
        })
    }

    fn group(&mut self) -> Result<GroupHeader> {
        let (checksum, files) = (self.array()?, self.short()?);
        let mut streams = [StreamHeader::default(); 4];
        for stream in &mut streams {
            *stream = StreamHeader { packed: self.number()?, raw: self.number()? };
        }
        Ok(GroupHeader { checksum, files, streams })
    }

    fn base(&mut self) -> Result<Base> {
        match self.number()? {
            0 => Ok(Base::Same),
            1 => Ok(Base::Nothing),
            2 => self.text().map(Base::Path),
            _ => Err(wrong("a base from 0 to 2")),
        }
    }

    fn number(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0u32..64).step_by(7) {
            let byte = self.take(1)?.first().copied().unwrap_or(0);
            let bits = u64::from(byte & 0x7f);
            let placed = bits.wrapping_shl(shift);
            if placed.wrapping_shr(shift) != bits || (byte == 0 && shift > 0) {
                break;
            }
            value |= placed;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(wrong("a number in shortest form"))
    }

    fn short(&mut self) -> Result<u32> {
        let value = self.number()?;
        if value > u64::from(u32::MAX) { Err(wrong("a number of 32 bits")) } else { Ok(low32(value)) }
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(index(count)) else {
            return Err(wrong("more bytes"));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn charge(&mut self, count: u64) -> Result<()> {
        self.cost = self.cost.saturating_add(count.saturating_mul(GROWTH));
        if self.cost > self.budget {
            return Err(Error::limit("memory of the header", self.budget, self.cost));
        }
        Ok(())
    }

    fn array(&mut self) -> Result<[u8; 32]> {
        self.take(32)?.try_into().map_err(|_| wrong("32 bytes"))
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        let length = self.number()?;
        let taken = self.take(length)?;
        self.charge(length.saturating_add(LIST))?;
        Ok(taken.to_vec())
    }

    fn text(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?).map_err(|_| wrong("UTF-8"))
    }

    fn list<T>(&mut self, element: fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.number()?;
        if count > wide(self.rest.len()) {
            return Err(wrong("more bytes"));
        }
        let mut list = Vec::new();
        for _ in 0..count {
            self.charge(ELEMENT)?;
            list.push(element(self)?);
        }
        Ok(list)
    }

    fn option<T>(&mut self, some: fn(&mut Self) -> Result<T>) -> Result<Option<T>> {
        match self.number()? {
            0 => Ok(None),
            1 => some(self).map(Some),
            _ => Err(wrong("0 or 1")),
        }
    }
}

fn wrong(expected: &'static str) -> Error {
    Error::malformed("delta header", "fields", expected, "other bytes")
}

/// The bytes that [`decode`] reads.
#[cfg(feature = "make")]
pub(crate) fn encode(header: &Header) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, header.profile.into());
    option(&mut out, header.from.as_ref(), |out, from| out.extend(from));
    out.extend(header.to);
    bytes(&mut out, &header.commit);
    option(&mut out, header.detached.as_ref(), |out, detached| bytes(out, detached));
    list(&mut out, &header.dirmetas, |out, meta| bytes(out, meta));
    list(&mut out, &header.file_headers, |out, header| bytes(out, header));
    list(&mut out, &header.dirs, |out, dir| {
        base(out, &dir.base);
        list(out, &dir.edits, edit);
    });
    list(&mut out, &header.objects, |out, object| {
        out.extend(object.checksum);
        put(out, object.header.into());
        option(out, object.size.as_ref(), |out, size| put(out, *size));
        base(out, &object.source);
    });
    list(&mut out, &header.groups, |out, group| {
        out.extend(group.checksum);
        put(out, group.files.into());
        for stream in &group.streams {
            put(out, stream.packed);
            put(out, stream.raw);
        }
    });
    out
}

#[cfg(feature = "make")]
fn edit(out: &mut Vec<u8>, edit: &Edit) {
    bytes(out, edit.name.as_bytes());
    match &edit.change {
        Change::Remove => put(out, 0),
        Change::Object(number) => [1, (*number).into()].into_iter().for_each(|value| put(out, value)),
        Change::Old(path) => {
            put(out, 2);
            bytes(out, path.as_bytes());
        }
        Change::Dir(meta) => {
            put(out, 3);
            match meta {
                Meta::Same => put(out, 0),
                Meta::New(number) => [1, (*number).into()].into_iter().for_each(|value| put(out, value)),
                Meta::Old(checksum) => {
                    put(out, 2);
                    out.extend(checksum);
                }
            }
        }
    }
}

#[cfg(feature = "make")]
fn base(out: &mut Vec<u8>, base: &Base) {
    match base {
        Base::Same => put(out, 0),
        Base::Nothing => put(out, 1),
        Base::Path(path) => {
            put(out, 2);
            bytes(out, path.as_bytes());
        }
    }
}

#[cfg(feature = "make")]
fn put(out: &mut Vec<u8>, value: u64) {
    crate::make::tokens::number(out, value);
}

#[cfg(feature = "make")]
fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, wide(bytes.len()));
    out.extend(bytes);
}

#[cfg(feature = "make")]
fn list<T>(out: &mut Vec<u8>, list: &[T], element: fn(&mut Vec<u8>, &T)) {
    put(out, wide(list.len()));
    list.iter().for_each(|one| element(out, one));
}

#[cfg(feature = "make")]
fn option<T>(out: &mut Vec<u8>, value: Option<&T>, some: fn(&mut Vec<u8>, &T)) {
    put(out, u64::from(value.is_some()));
    if let Some(value) = value {
        some(out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn many_short_elements_are_refused_before_they_are_read() {
        let mut raw = vec![1, 0];
        raw.extend([0; 32]);
        raw.extend([0, 0]);
        raw.extend([0x80, 0x80, 0x40]);
        raw.extend(vec![0; 1 << 20]);
        let err = decode(&raw, 8 << 20).unwrap_err();
        assert!(matches!(err.kind(), ErrorKind::Limit { what: "memory of the header", .. }), "{err}");
        assert!(decode(&raw[..100], 8 << 20).is_err());
    }

    #[test]
    fn another_encoding_of_the_same_is_refused() {
        let mut raw = vec![1, 0];
        raw.extend([0; 32]);
        raw.extend([0; 7]);
        assert!(decode(&raw, 1 << 20).is_ok());
        for (at, instead) in [(0, &[0x81, 0][..]), (1, &[2]), (34, &[0x80, 0]), (41, &[])] {
            let mut other = raw.clone();
            other.splice(at..(at + 1).min(raw.len()), instead.iter().copied());
            if at == 41 {
                other.push(0);
            }
            assert!(decode(&other, 1 << 20).is_err(), "{at}");
        }
    }
}
