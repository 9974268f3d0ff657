//! A list: which deltas lead to one commit, and what each costs. Specified in `docs/formats/delta-repo.md`.
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 7 | `RLDLIST` |
//! | 7 | 1 | version of this layout, 1 |
//! | 8 | 32 | the commit that all deltas lead to |
//! | 40 | 4 | number of entries, little-endian as all numbers |
//! | 44 | | the entries, 84 bytes each, ascending by from-commit, version and profile |
//!
//! Nothing here is signed: whatever a list says, a delta is used only for a commit that was verified, and each object that
//! it makes must hash to its name.

use crate::ENABLED;
use crate::error::{Error, Result};
use crate::header::{MAX_HEADER, PRELUDE, PROFILE, VERSION};
use crate::num::{array_at, le32_at, le64_at, wide};
use rootling_object::Checksum;

const MAGIC: &[u8; 7] = b"RLDLIST";
const LIST_VERSION: u8 = 1;
const START: usize = 44;
const ENTRY: usize = 84;

/// Most entries of a list. Changing it does not break the format.
pub const MAX_ENTRIES: u32 = 1024;
/// Length in bytes of the longest list.
pub const MAX_LIST: u64 = 44 + 84 * 1024;

/// One delta of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The commit that it starts from; `None` if from nothing.
    pub from: Option<Checksum>,
    /// Version of prelude and header.
    pub version: u32,
    /// Version of objects and prediction rules.
    pub profile: u32,
    /// Bytes of prelude and packed header.
    pub head: u32,
    /// Bytes of the whole delta.
    pub total: u64,
    /// SHA-256 of prelude and packed header; part of the file's name.
    pub checksum: Checksum,
}

impl Entry {
    /// Whether this build can decode it.
    pub fn is_known(&self) -> bool {
        self.version == u32::from(VERSION) && (1..=PROFILE).contains(&self.profile)
    }
}

/// Reads the list of the deltas to `to`.
#[inline(never)]
pub fn decode(bytes: &[u8], to: &Checksum) -> Result<Vec<Entry>> {
    if !ENABLED {
        return Error::none();
    }
    if !bytes.starts_with(MAGIC) {
        return Err(wrong("magic", "RLDLIST"));
    }
    // before the length, which is another one in another version
    let version = bytes.get(MAGIC.len()).copied().unwrap_or(0);
    if version != LIST_VERSION {
        return Err(Error::unsupported("delta list version", version.into()));
    }
    let Some((start, rest)) = bytes.split_first_chunk::<START>() else {
        return Err(wrong("length", "that of its entries"));
    };
    let named = Checksum(array_at(start, 8));
    if named != *to {
        return Err(Error::malformed("delta list", "commit", to, &named));
    }
    let count = le32_at(start, 40);
    if count > MAX_ENTRIES {
        return Err(Error::limit("entries of a delta list", MAX_ENTRIES.into(), count.into()));
    }
    if wide(rest.len()) != u64::from(count).saturating_mul(wide(ENTRY)) {
        return Err(wrong("length", "that of its entries"));
    }
    let (mut entries, mut last) = (Vec::new(), None);
    for bytes in rest.as_chunks().0 {
        let entry = entry(bytes).ok_or_else(|| wrong("entry", "a header within a delta"))?;
        // nothing comes first, as zeros do
        let place = Some((bytes.first_chunk::<32>(), entry.version, entry.profile));
        if last >= place {
            return Err(wrong("entries", "an ascending order"));
        }
        last = place;
        entries.push(entry);
    }
    Ok(entries)
}

#[cold]
#[inline(never)]
fn wrong(field: &'static str, expected: &'static str) -> Error {
    Error::malformed("delta list", field, expected, "another")
}

fn entry(bytes: &[u8; ENTRY]) -> Option<Entry> {
    let from = Checksum(array_at(bytes, 0));
    let entry = Entry {
        from: (from.0 != [0; 32]).then_some(from),
        checksum: Checksum(array_at(bytes, 32)),
        total: le64_at(bytes, 64),
        head: le32_at(bytes, 72),
        version: le32_at(bytes, 76),
        profile: le32_at(bytes, 80),
    };
    let least = wide(PRELUDE);
    let most = u64::from(MAX_HEADER).saturating_add(least);
    let head = u64::from(entry.head);
    ((least..=most).contains(&head) && head <= entry.total).then_some(entry)
}

/// The bytes that [`decode`] reads; of entries with the same start, version and profile the last one stays.
#[cfg(feature = "make")]
pub fn encode(to: &Checksum, entries: &[Entry]) -> Vec<u8> {
    let key = |entry: &Entry| (entry.from, entry.version, entry.profile);
    let sorted: std::collections::BTreeMap<_, _> = entries.iter().map(|entry| (key(entry), entry)).collect();
    let mut bytes = MAGIC.to_vec();
    bytes.push(LIST_VERSION);
    bytes.extend(to.0);
    bytes.extend((sorted.len() as u32).to_le_bytes());
    for entry in sorted.values() {
        bytes.extend(entry.from.map_or([0; 32], |from| from.0));
        bytes.extend(entry.checksum.0);
        bytes.extend(entry.total.to_le_bytes());
        [entry.head, entry.version, entry.profile].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    }
    bytes
}

#[cfg(all(test, feature = "make"))]
mod tests {
    use super::*;

    fn entry(from: Option<u8>, total: u64) -> Entry {
        let from = from.map(|byte| Checksum([byte; 32]));
        Entry { from, version: 1, profile: 1, head: 30, total, checksum: Checksum([7; 32]) }
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let to = Checksum([9; 32]);
        let bytes = encode(&to, &[entry(Some(2), 50), entry(None, 90), entry(Some(2), 40)]);
        assert_eq!(decode(&bytes, &to), Ok(vec![entry(None, 90), entry(Some(2), 40)]));
        assert_eq!(encode(&to, &[]).len(), START);
        assert_eq!(MAX_LIST, (START + ENTRY * MAX_ENTRIES as usize) as u64);
    }

    #[test]
    fn a_hostile_list_is_refused_by_name() {
        let to = Checksum([9; 32]);
        let good = encode(&to, &[entry(Some(2), 50), entry(Some(3), 40)]);
        for length in 0..good.len() {
            assert!(decode(&good[..length], &to).is_err(), "cut at {length}");
        }
        let at = |offset: usize, bytes: &[u8]| {
            let mut list = good.clone();
            list[offset..offset + bytes.len()].copy_from_slice(bytes);
            decode(&list, &to).unwrap_err().to_string()
        };
        assert!(at(0, b"X").contains("delta list: magic"));
        assert!(at(7, &[2]).contains("delta list version"));
        assert!(decode(b"RLDLIST\x02", &to).unwrap_err().to_string().contains("delta list version"));
        assert!(decode(b"RLDLIST\x01", &to).unwrap_err().to_string().contains("delta list: length"));
        assert!(at(8, &[1]).contains("delta list: commit"));
        assert!(at(40, &[255; 4]).contains("entries of a delta list"));
        assert!(at(40, &[3]).contains("delta list: length"));
        assert!(at(START, &[4]).contains("ascending"));
        assert!(at(START + 72, &[255; 4]).contains("a header within a delta"));
        assert!(at(START + 64, &[0]).contains("a header within a delta"));
    }
}
