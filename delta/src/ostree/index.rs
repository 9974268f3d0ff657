//! Which deltas lead to a commit: `ostree.static-deltas`, an `a{sv}` from [names](super::path::name) to the SHA-256 of
//! superblocks (`ay`), in the summary's metadata or in an index file, which is an `a{sv}` with that key.

use crate::error::{Error, Result};
use rootling_object::{Checksum, Dict, Value, summary};

/// Longest index file that is read, in bytes.
pub const MAX_INDEX: u64 = 1 << 20;

/// The deltas in the metadata of a summary or an index file: where from, where to, checksum of the superblock.
pub fn entries(metadata: &Dict) -> Vec<(Option<Checksum>, Checksum, Checksum)> {
    let listed = metadata.get(summary::key::STATIC_DELTAS).and_then(Value::items).unwrap_or_default();
    let entry = |item: &Value| {
        let Value::DictEntry(name, value) = item else { return None };
        let Value::Variant(value) = &**value else { return None };
        let (from, to) = super::path::parse_name(name.as_str()?)?;
        Some((from, to, Checksum::from_slice(value.as_bytes()?).ok()?))
    };
    listed.iter().filter_map(entry).collect()
}

/// Reads an index file.
pub fn decode(bytes: &[u8]) -> Result<Dict> {
    Dict::decode("delta index", bytes)
        .map_err(|error| Error::malformed("delta index", "metadata", "a dictionary", &error))
}

/// The value of `ostree.static-deltas`.
pub fn value(entries: &[(Option<Checksum>, Checksum, Checksum)]) -> Value {
    let item = |(from, to, superblock): &(Option<Checksum>, Checksum, Checksum)| {
        let name = Value::str(super::path::name(from.as_ref(), to));
        let checksum = Value::Variant(Box::new(Value::Bytes(superblock.0.to_vec())));
        Value::DictEntry(Box::new(name), Box::new(checksum))
    };
    Value::Array { element: "{sv}".into(), items: entries.iter().map(item).collect() }
}

/// The bytes of an index file.
pub fn encode(entries: &[(Option<Checksum>, Checksum, Checksum)]) -> Vec<u8> {
    let mut index = Dict::new();
    index.set(summary::key::STATIC_DELTAS, value(entries));
    index.encode()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_read_as_it_was_written() {
        let some = [1, 2, 3].map(|byte| Checksum([byte; 32]));
        let written = [(Some(some[0]), some[1], some[2]), (None, some[1], some[0])];
        assert_eq!(entries(&decode(&encode(&written)).unwrap()), written);
        assert!(decode(b"<html>").unwrap_err().to_string().contains("delta index"));
        let mut other = Dict::new();
        other.set(summary::key::STATIC_DELTAS, Value::strv(["x"]));
        assert_eq!(entries(&other), []);
    }
}
