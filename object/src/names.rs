//! Sets and tables of checksums and object names, without a hash of their own.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// Names of objects.
pub type Names<T> = HashSet<T, BuildHasherDefault<Prefix>>;

/// Something for each checksum.
pub type Table<K, V> = HashMap<K, V, BuildHasherDefault<Prefix>>;

/// The start of a checksum is as good as any hash of it.
///
/// Whoever chooses many objects with the same start makes tables slow, not wrong; on a device that is who signs its trees.
#[derive(Debug, Clone, Copy, Default)]
pub struct Prefix(u64);

impl Hasher for Prefix {
    fn write(&mut self, bytes: &[u8]) {
        let start = bytes.first_chunk().map_or(0, |start| u64::from_le_bytes(*start));
        self.0 = self.0.rotate_left(1) ^ start;
    }

    // the length of an array, the same each time, and the kind of an object
    fn write_usize(&mut self, number: usize) {
        self.0 ^= u64::try_from(number).unwrap_or(0);
    }

    fn write_isize(&mut self, number: isize) {
        self.0 ^= u64::try_from(number).unwrap_or(0);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checksum, ObjectKind, ObjectName};
    use std::hash::{BuildHasher, BuildHasherDefault};

    #[test]
    fn names_that_differ_have_hashes_that_differ() {
        let build = BuildHasherDefault::<Prefix>::default();
        let kinds = [ObjectKind::File, ObjectKind::DirTree, ObjectKind::DirMeta, ObjectKind::Commit];
        let names = (0u32..1000).flat_map(|number| {
            let checksum = Checksum::of(&number.to_le_bytes());
            kinds.map(|kind| ObjectName::new(kind, checksum))
        });
        let hashes: std::collections::BTreeSet<u64> = names.map(|name| build.hash_one(name)).collect();
        assert_eq!(hashes.len(), 4000);
        // where tables look: the lowest bits for the place, the highest seven for a first comparison
        let low: std::collections::BTreeSet<u64> = hashes.iter().map(|hash| hash & 0xffff).collect();
        let high: std::collections::BTreeSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
        assert!(low.len() > 3000 && high.len() == 128, "{} {}", low.len(), high.len());
    }
}
