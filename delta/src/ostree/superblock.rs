//! The superblock: `(a{sv}tayay(a{sv}aya(say)sstayay)aya(uayttay)a(yaytt))`.
//!
//! | member | field |
//! |---|---|
//! | `a{sv}` | `ostree.endianness` (`y`: `l` or `B`, order of the numbers below), detached metadata of the new commit |
//! | `t` | time it was made in seconds, big endian |
//! | `ay` | old commit, 32 bytes or none |
//! | `ay` | new commit |
//! | commit | the new commit object, whole |
//! | `ay` | deltas to apply before, always empty |
//! | `a(uayttay)` | parts: version 0, SHA-256, length in bytes, sum of the sizes of its objects, 33 bytes (kind, checksum) for each |
//! | `a(yaytt)` | objects to fetch by themselves: kind, checksum, length of the file, size |

use crate::error::{Error, Result};
use rootling_object::{Checksum, Dict, ObjectKind, ObjectName, Value};

const WHAT: &str = "superblock";
const TYPE: &str = "(a{sv}tayay(a{sv}aya(say)sstayay)aya(uayttay)a(yaytt))";
const ENDIANNESS: &str = "ostree.endianness";

/// Longest superblock that is read, in bytes: 33 for each object, and what comes inline.
pub const MAX_SUPERBLOCK: u64 = 4 << 20;

/// What a delta says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Superblock {
    /// Seconds since 1970.
    pub timestamp: u64,
    /// The old commit; `None`: from nothing.
    pub from: Option<Checksum>,
    /// The new commit.
    pub to: Checksum,
    /// The new commit's object, which hashes to `to`.
    pub commit: Vec<u8>,
    /// Its detached metadata.
    pub detached: Option<Dict>,
    /// The parts in order.
    pub parts: Vec<PartHeader>,
    /// Objects that no part brings.
    pub fallbacks: Vec<Fallback>,
}

/// What is known of a part before it is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHeader {
    /// SHA-256 of its file.
    pub checksum: Checksum,
    /// Length of its file in bytes.
    pub size: u64,
    /// Sum of the sizes of its objects.
    pub content: u64,
    /// The objects in the order of its operations.
    pub objects: Vec<ObjectName>,
}

/// An object to fetch by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// Which.
    pub name: ObjectName,
    /// Length of its file in an archive repo.
    pub packed: u64,
    /// Length once unpacked.
    pub size: u64,
}

impl Superblock {
    /// Reads a superblock; its commit is checked against its name, and nothing else is trusted.
    pub fn decode(bytes: &[u8]) -> Result<Superblock> {
        let whole = Value::decode(TYPE, bytes).map_err(|error| wrong("framing", "a superblock", error))?;
        let [metadata, time, from, to, commit, before, parts, fallbacks] = whole.items().unwrap_or_default()
        else {
            return Err(wrong("framing", "eight members", "another number"));
        };
        let to = checksum("new commit", to)?;
        let from = match from.as_bytes() {
            Some([]) => None,
            _ => Some(checksum("old commit", from)?),
        };
        let commit = commit.encode();
        let got = Checksum::of(&commit);
        if got != to {
            return Err(wrong("commit", to, got));
        }
        if before.as_bytes() != Some(&[]) {
            return Err(wrong("deltas before this one", "none", "some"));
        }
        let swap = match value(metadata, ENDIANNESS) {
            Some(Value::Byte(b'l')) => false,
            Some(Value::Byte(b'B')) => true,
            other => return Err(wrong(ENDIANNESS, "l or B", format_args!("{other:?}"))),
        };
        let detached = value(metadata, &detached_key(from.as_ref(), &to));
        let detached = detached.and_then(|value| Dict::decode("detached metadata", &value.encode()).ok());
        let timestamp = number(time, true)?;
        let parts = parts.items().unwrap_or_default().iter().map(|part| PartHeader::of(part, swap));
        let fallbacks = fallbacks.items().unwrap_or_default().iter().map(|entry| Fallback::of(entry, swap));
        let (parts, fallbacks) = (parts.collect::<Result<_>>()?, fallbacks.collect::<Result<_>>()?);
        Ok(Superblock { timestamp, from, to, commit, detached, parts, fallbacks })
    }

    /// The superblock's bytes.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let commit = Value::decode("(a{sv}aya(say)sstayay)", &self.commit)
            .map_err(|error| wrong("commit", "a commit object", error))?;
        let pair = |key: &str, value: Value| {
            Value::DictEntry(Box::new(Value::str(key)), Box::new(Value::Variant(Box::new(value))))
        };
        let mut metadata = vec![pair(ENDIANNESS, Value::Byte(b'l'))];
        if let Some(detached) = &self.detached {
            let items = detached.0.iter().map(|(key, value)| pair(key, value.clone())).collect();
            let key = detached_key(self.from.as_ref(), &self.to);
            metadata.push(pair(&key, Value::Array { element: "{sv}".into(), items }));
        }
        let bytes = |checksum: &Checksum| Value::Bytes(checksum.0.to_vec());
        let parts = self.parts.iter().map(|part| {
            let objects = part
                .objects
                .iter()
                .flat_map(|name| std::iter::once(name.kind.number()).chain(name.checksum.0));
            Value::Tuple(vec![
                Value::U32(0),
                bytes(&part.checksum),
                Value::U64(part.size),
                Value::U64(part.content),
                Value::Bytes(objects.collect()),
            ])
        });
        let fallbacks = self.fallbacks.iter().map(|entry| {
            let kind = Value::Byte(entry.name.kind.number());
            let sizes = (Value::U64(entry.packed), Value::U64(entry.size));
            Value::Tuple(vec![kind, bytes(&entry.name.checksum), sizes.0, sizes.1])
        });
        let whole = Value::Tuple(vec![
            Value::Array { element: "{sv}".into(), items: metadata },
            Value::U64(self.timestamp.swap_bytes()),
            Value::Bytes(self.from.map_or(Vec::new(), |from| from.0.to_vec())),
            bytes(&self.to),
            commit,
            Value::Bytes(Vec::new()),
            Value::Array { element: "(uayttay)".into(), items: parts.collect() },
            Value::Array { element: "(yaytt)".into(), items: fallbacks.collect() },
        ]);
        Ok(whole.encode())
    }

    /// Bytes of all parts.
    pub fn size(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.size))
    }
}

fn detached_key(from: Option<&Checksum>, to: &Checksum) -> String {
    format!("{}/commitmeta", super::path::folder(from, to))
}

impl PartHeader {
    fn of(part: &Value, swap: bool) -> Result<PartHeader> {
        let [version, name, size, content, objects] = part.items().unwrap_or_default() else {
            return Err(wrong("part", "five members", "another number"));
        };
        if *version != Value::U32(0) {
            return Err(wrong("version of a part", "0", format_args!("{version:?}")));
        }
        let objects = objects.as_bytes().unwrap_or_default().chunks(33).map(|entry| {
            let (kind, name) = entry.split_first().unwrap_or((&0, &[]));
            object(*kind, name)
        });
        Ok(PartHeader {
            checksum: checksum("part", name)?,
            size: number(size, swap)?,
            content: number(content, swap)?,
            objects: objects.collect::<Result<_>>()?,
        })
    }
}

impl Fallback {
    fn of(entry: &Value, swap: bool) -> Result<Fallback> {
        let [Value::Byte(kind), Value::Bytes(name), packed, size] = entry.items().unwrap_or_default() else {
            return Err(wrong("fallback", "kind, checksum and two sizes", "another"));
        };
        Ok(Fallback { name: object(*kind, name)?, packed: number(packed, swap)?, size: number(size, swap)? })
    }
}

fn object(kind: u8, name: &[u8]) -> Result<ObjectName> {
    let known = ObjectKind::from_number(kind).filter(|kind| kind.is_metadata() || *kind == ObjectKind::File);
    let kind = known.ok_or_else(|| wrong("kind of an object", "1 to 4", kind))?;
    let checksum = Checksum::from_slice(name).map_err(|error| wrong("object", "a checksum", error))?;
    Ok(ObjectName { kind, checksum })
}

fn value<'a>(dict: &'a Value, key: &str) -> Option<&'a Value> {
    dict.items()?.iter().find_map(|item| match item {
        Value::DictEntry(name, value) if name.as_str() == Some(key) => match &**value {
            Value::Variant(value) => Some(&**value),
            _ => None,
        },
        _ => None,
    })
}

fn checksum(field: &'static str, value: &Value) -> Result<Checksum> {
    let bytes = value.as_bytes().unwrap_or_default();
    Checksum::from_slice(bytes).map_err(|_| wrong(field, "32 bytes", bytes.len()))
}

fn number(value: &Value, swap: bool) -> Result<u64> {
    match value {
        Value::U64(number) if swap => Ok(number.swap_bytes()),
        Value::U64(number) => Ok(*number),
        _ => Err(wrong("size", "a number", "another type")),
    }
}

fn wrong(field: &'static str, expected: impl std::fmt::Display, got: impl std::fmt::Display) -> Error {
    Error::malformed(WHAT, field, &expected, &got)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rootling_object::Commit;

    fn example() -> Superblock {
        let (root_tree, root_meta) = (Checksum([3; 32]), Checksum([4; 32]));
        let (subject, body) = ("new".to_owned(), String::new());
        let metadata = Dict(vec![("version".into(), Value::str("2"))]);
        let commit = Commit { metadata, parent: None, subject, body, timestamp: 9, root_tree, root_meta };
        let commit = commit.encode();
        let name = |kind, byte| ObjectName::new(kind, Checksum([byte; 32]));
        let objects = vec![name(ObjectKind::DirTree, 1), name(ObjectKind::File, 2)];
        let part = PartHeader { checksum: Checksum([5; 32]), size: 100, content: 1000, objects };
        Superblock {
            timestamp: 7,
            from: Some(Checksum([8; 32])),
            to: Checksum::of(&commit),
            commit,
            detached: Some(Dict(vec![("ostree.sign.ed25519".into(), Value::byte_arrays([vec![1; 64]]))])),
            parts: vec![part.clone(), PartHeader { objects: Vec::new(), ..part }],
            fallbacks: vec![Fallback { name: name(ObjectKind::File, 6), packed: 5, size: 50 }],
        }
    }

    #[test]
    fn is_read_as_it_was_written() {
        let superblock = example();
        assert_eq!(Superblock::decode(&superblock.encode().unwrap()), Ok(superblock.clone()));
        let from_nothing = Superblock { from: None, detached: None, ..superblock };
        assert_eq!(Superblock::decode(&from_nothing.encode().unwrap()), Ok(from_nothing));
    }

    #[test]
    fn what_is_hostile_is_refused_by_name() {
        let good = example();
        let bytes = good.encode().unwrap();
        for end in 0..bytes.len() {
            assert!(Superblock::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        let other = Superblock { to: Checksum([9; 32]), ..good.clone() };
        let error = |superblock: &Superblock| {
            Superblock::decode(&superblock.encode().unwrap()).unwrap_err().to_string()
        };
        assert!(error(&other).contains("superblock: commit"));
        let mut other = good;
        other.parts[0].objects[0].kind = ObjectKind::CommitMeta;
        assert!(error(&other).contains("kind of an object"));
        let at = bytes.windows(17).position(|part| part == b"ostree.endianness").unwrap() + 18;
        let at = at + bytes[at..].iter().position(|byte| *byte == b'l').unwrap();
        let mut swapped = bytes;
        swapped[at] = b'B';
        assert_eq!(Superblock::decode(&swapped).unwrap().parts[0].size, 100u64.swap_bytes());
        swapped[at] = b'?';
        assert!(Superblock::decode(&swapped).unwrap_err().to_string().contains("l or B"));
    }
}
