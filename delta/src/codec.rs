//! The header's bytes, postcard's wire format: numbers in LEB128, lists and strings with their length before them, options
//! and variants with their number, arrays of bytes as they are.
//!
//! Only the shortest encoding is read, so encoding again gives the same bytes. Lists of short elements grow up to
//! forty times when they are read, so the length of the bytes is no bound: what is allocated is counted as it is read.

use crate::backend::{Stream, StreamHeader};
use crate::error::{Error, Result};
use crate::group::GroupHeader;
use crate::header::{Header, SOURCES};
#[cfg(feature = "make")]
use crate::num::wide;
use crate::num::{index, low32};
use crate::tree::{Base, Change, Dir, Edit, Meta, Object};

/// Bytes of a list or string before its elements.
const LIST: u64 = 24;
/// Bytes of an [`Edit`], an [`Object`] and so on, rounded up.
const ELEMENT: u64 = 128;
/// Lists may hold twice what they need while they grow.
const GROWTH: u64 = 2;

/// Reads a header that takes at most `budget` bytes of memory, and all of its stream.
pub(crate) fn decode(stream: &mut Stream<'_>, budget: u64) -> Result<Header> {
    let header = Reader { stream, cost: 0, budget, profile: 0 }.header();
    stream.end()?;
    Ok(header)
}

/// Reads on after an error, which the stream keeps, as that does.
struct Reader<'r, 's> {
    stream: &'r mut Stream<'s>,
    cost: u64,
    budget: u64,
    profile: u32,
}

impl Reader<'_, '_> {
    #[inline(never)]
    fn header(&mut self) -> Header {
        Header {
            profile: {
                self.profile = self.short();
                self.profile
            },
            from: self.option(Self::array),
            to: self.array(),
            commit: self.bytes(),
            detached: self.option(Self::bytes),
            dirmetas: self.list(Self::bytes),
            file_headers: self.list(Self::bytes),
            dirs: self.list(Self::dir),
            objects: self.list(Self::object),
            groups: self.list(Self::group),
        }
    }

    #[inline(never)]
    fn dir(&mut self) -> Dir {
        Dir { base: self.base(), edits: self.list(Self::edit) }
    }

    #[inline(never)]
    fn edit(&mut self) -> Edit {
        let name = self.text();
        let change = match self.variant(3, "a change from 0 to 3") {
            1 => Change::Object(self.short()),
            2 => Change::Old(self.text()),
            3 => Change::Dir(self.meta()),
            _ => Change::Remove,
        };
        Edit { name, change }
    }

    fn meta(&mut self) -> Meta {
        match self.variant(2, "a dirmeta from 0 to 2") {
            1 => Meta::New(self.short()),
            2 => Meta::Old(self.array()),
            _ => Meta::Same,
        }
    }

    #[inline(never)]
    fn object(&mut self) -> Object {
        Object {
            checksum: self.array(),
            header: self.short(),
            size: self.option(Self::number),
            source: self.base(),
            more: if self.profile < SOURCES { Vec::new() } else { self.list(Self::text) },
        }
    }

    #[inline(never)]
    fn group(&mut self) -> GroupHeader {
        let (checksum, files) = (self.array(), self.short());
        let mut streams = [StreamHeader::default(); 4];
        for stream in &mut streams {
            *stream = StreamHeader { packed: self.number(), raw: self.number() };
        }
        GroupHeader { checksum, files, streams }
    }

    fn base(&mut self) -> Base {
        match self.variant(2, "a base from 0 to 2") {
            1 => Base::Nothing,
            2 => Base::Path(self.text()),
            _ => Base::Same,
        }
    }

    /// The number of a variant, at most `last`.
    fn variant(&mut self, last: u64, expected: &'static str) -> u64 {
        let number = self.stream.number();
        if number > last {
            self.stream.wrong(expected, "another");
        }
        number
    }

    fn number(&mut self) -> u64 {
        self.stream.number()
    }

    fn short(&mut self) -> u32 {
        low32(self.variant(u64::from(u32::MAX), "a number of 32 bits"))
    }

    /// Whether so many bytes of memory may be taken, too.
    fn charge(&mut self, count: u64) -> bool {
        self.cost = self.cost.saturating_add(count.saturating_mul(GROWTH));
        if self.cost > self.budget {
            self.stream.fail(Error::limit("memory of the header", self.budget, self.cost));
        }
        self.stream.is_valid()
    }

    fn array(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.stream.exact(&mut bytes);
        bytes
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.stream.number();
        let mut bytes = Vec::new();
        if self.stream.holds(length) && self.charge(length.saturating_add(LIST)) {
            bytes.resize(index(length), 0);
            self.stream.exact(&mut bytes);
        }
        bytes
    }

    fn text(&mut self) -> String {
        String::from_utf8(self.bytes()).unwrap_or_else(|_| {
            self.stream.wrong("UTF-8", "another text");
            String::new()
        })
    }

    fn list<T>(&mut self, element: fn(&mut Self) -> T) -> Vec<T> {
        let mut left = self.number();
        let mut list = Vec::new();
        while self.goes_on(&mut left) {
            list.push(element(self));
        }
        list
    }

    /// Whether a list has another element, of which there are `left`.
    fn goes_on(&mut self, left: &mut u64) -> bool {
        if *left == 0 || !self.stream.holds(*left) {
            return false;
        }
        *left = left.wrapping_sub(1);
        self.charge(ELEMENT)
    }

    fn option<T>(&mut self, some: fn(&mut Self) -> T) -> Option<T> {
        (self.variant(1, "0 or 1") == 1).then(|| some(self))
    }
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
    put(&mut out, wide(header.objects.len()));
    for object in &header.objects {
        out.extend(object.checksum);
        put(&mut out, object.header.into());
        option(&mut out, object.size.as_ref(), |out, size| put(out, *size));
        base(&mut out, &object.source);
        if header.profile >= SOURCES {
            list(&mut out, &object.more, |out, path| bytes(out, path.as_bytes()));
        }
    }
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

#[cfg(all(test, feature = "make"))]
mod tests {
    use super::*;
    use crate::backend::{Backend, pack};
    use crate::error::ErrorKind;

    fn decode(raw: &[u8], budget: u64) -> Result<Header> {
        let packed = pack(Backend::Deflate, raw);
        let header = StreamHeader { packed: wide(packed.len()), raw: wide(raw.len()) };
        super::decode(&mut Stream::open(Backend::Deflate, "delta header", &packed, 0, header), budget)
    }

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
