//! Tokens of files that were coded before: the same one is never coded twice from the same old files.
//!
//! One file for each, `XX/<62>`, named by the SHA-256 of encoder version, profile, and the checksums of old and new files. One that is broken
//! counts as missing, so nothing is synced, and a cache that cannot be written costs time only.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rootling_delta::make::{Coded, ENCODER};
use rootling_object::{Checksum, Hasher};

/// A folder of coded pairs.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    profile: u32,
    hits: AtomicU64,
    misses: AtomicU64,
    drafts: AtomicU64,
}

impl Cache {
    /// The cache in `folder`, which need not be there.
    pub fn new(folder: PathBuf) -> Cache {
        Cache {
            folder,
            profile: 1,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            drafts: AtomicU64::new(0),
        }
    }

    /// The cache of what is coded for devices that have no profile above `profile`.
    pub fn of_profile(self, profile: u32) -> Cache {
        Cache { profile, ..self }
    }

    /// Where a repo keeps it; libostree leaves `tmp/cache` alone.
    pub fn of_repo(repo: &Path) -> Cache {
        Cache::new(repo.join("tmp/cache/rootling-deltas"))
    }

    /// Pairs that were found, and pairs that were not.
    pub fn counts(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// The tokens of a pair.
    pub fn get(&self, from: &[Checksum], to: &Checksum) -> Option<Coded> {
        let found = fs::read(self.path(from, to)).ok().and_then(|bytes| decode(&bytes));
        let count = if found.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Keeps the tokens of a pair.
    pub fn put(&self, from: &[Checksum], to: &Checksum, coded: &Coded) {
        let path = self.path(from, to);
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        let draft = path.with_extension(format!("{}-{number}", std::process::id()));
        let folder = path.parent().unwrap_or(&self.folder);
        let written = fs::create_dir_all(folder)
            .and_then(|()| fs::write(&draft, encode(coded)))
            .and_then(|()| fs::rename(&draft, &path));
        if let Err(error) = written {
            log::debug!("{}: {error}", path.display());
        }
    }

    fn path(&self, from: &[Checksum], to: &Checksum) -> PathBuf {
        let mut hasher = Hasher::new();
        hasher.update(&ENCODER.to_le_bytes());
        hasher.update(&self.profile.to_le_bytes());
        from.iter().chain([to]).for_each(|checksum| hasher.update(checksum.as_bytes()));
        let name = hasher.finish().to_string();
        self.folder.join(&name[..2]).join(&name[2..])
    }
}

/// The profile, five lengths, the four streams, and the checksum of all that.
fn encode(coded: &Coded) -> Vec<u8> {
    let streams = [&coded.control, &coded.gaps, &coded.values, &coded.inserts];
    let mut bytes = u64::from(coded.profile).to_le_bytes().to_vec();
    bytes.extend(coded.size.to_le_bytes());
    streams.iter().for_each(|stream| bytes.extend((stream.len() as u64).to_le_bytes()));
    streams.iter().for_each(|stream| bytes.extend_from_slice(stream));
    let checksum = Checksum::of(&bytes);
    bytes.extend(checksum.0);
    bytes
}

fn decode(bytes: &[u8]) -> Option<Coded> {
    let (body, checksum) = bytes.split_last_chunk::<32>()?;
    if Checksum::of(body).0 != *checksum {
        return None;
    }
    let (lengths, mut rest) = body.split_at_checked(48)?;
    let mut lengths =
        lengths.chunks_exact(8).map(|chunk| u64::from_le_bytes(chunk.try_into().expect("8 bytes")));
    let profile = u32::try_from(lengths.next()?).ok()?;
    let size = lengths.next()?;
    let mut streams = [const { Vec::new() }; 4];
    for (stream, length) in streams.iter_mut().zip(lengths) {
        let (taken, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        (*stream, rest) = (taken.to_vec(), after);
    }
    let [control, gaps, values, inserts] = streams;
    Some(Coded { size, profile, control, gaps, values, inserts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_for_that_pair_alone_and_never_broken() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("cache"));
        let (a, b) = (Checksum([1; 32]), Checksum([2; 32]));
        let (control, gaps, values, inserts) = (vec![1], vec![], vec![2, 3], vec![4; 300]);
        let coded = Coded { size: 9, profile: 2, control, gaps, values, inserts };
        assert_eq!(cache.get(&[a], &b), None);
        cache.put(&[a], &b, &coded);
        assert_eq!(cache.get(&[a], &b), Some(coded));
        assert_eq!((cache.get(&[], &b), cache.get(&[b], &a), cache.get(&[a, a], &b)), (None, None, None));
        assert_eq!(cache.counts(), (1, 4));
        let path = cache.path(&[a], &b);
        let mut bytes = fs::read(&path).unwrap();
        bytes[45] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(cache.get(&[a], &b), None);
    }
}
