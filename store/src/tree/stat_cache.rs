//! Content checksums of files that have not changed since they were hashed.
//!
//! A file counts as unchanged while device, inode, size, time of last change (mtime) and time of last status change
//! (ctime) are the same; ctime also moves with owner, mode and xattrs. A file whose ctime lies within two seconds of
//! being looked at may change again without its times showing it, so it is never entered.
//!
//! The file: the 8 bytes `RLSTAT01`, then per entry six little-endian u64 (device, inode, size, mtime and ctime in
//! nanoseconds, and a number for the options the header was made with) and the 32 bytes of the checksum, then the
//! SHA-256 of all before. One that is not exactly so counts as empty.

use crate::error::{Error, Result};
use rootling_object::Checksum;
use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

const MAGIC: &[u8; 8] = b"RLSTAT01";
const ENTRY: usize = 6 * 8 + 32;
/// Younger than this when looked at, in nanoseconds, a file is not trusted to stay as it is.
const TOO_YOUNG: i128 = 2_000_000_000;

type Key = [u64; 6];

/// The cache, read at the start and written at the end of a commit.
#[derive(Debug)]
pub struct StatCache {
    path: PathBuf,
    now: i128,
    old: HashMap<Key, Checksum>,
    new: Mutex<HashMap<Key, Checksum>>,
}

impl StatCache {
    /// Reads the cache file; `now` is the time in nanoseconds since 1970, from the clock that stamps the files.
    pub fn open(path: &Path, now: i128) -> Result<StatCache> {
        let old = match std::fs::read(path) {
            Ok(bytes) => parse(&bytes).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => HashMap::new(),
            Err(error) => return Err(Error::io("read", path)(error)),
        };
        Ok(StatCache { path: path.to_owned(), now, old, new: Mutex::default() })
    }

    /// The checksum the file had, if it has not changed.
    pub(crate) fn get(&self, metadata: &Metadata, options: u64) -> Option<Checksum> {
        let key = key(metadata, options);
        let checksum = *self.old.get(&key)?;
        self.lock().insert(key, checksum);
        Some(checksum)
    }

    /// Remembers a checksum; `metadata` was read before the file's bytes were.
    pub(crate) fn put(&self, metadata: &Metadata, options: u64, checksum: Checksum) {
        let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
        if self.now - changed >= TOO_YOUNG {
            self.lock().insert(key(metadata, options), checksum);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Checksum>> {
        self.new.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Writes the files seen in this run. Losing this file loses time, nothing else.
    pub fn save(&self) -> Result<()> {
        let mut entries: Vec<_> = self.lock().iter().map(|(key, checksum)| (*key, *checksum)).collect();
        entries.sort();
        let mut bytes = Vec::with_capacity(MAGIC.len() + entries.len() * ENTRY + 32);
        bytes.extend_from_slice(MAGIC);
        for (key, checksum) in entries {
            key.iter().for_each(|field| bytes.extend_from_slice(&field.to_le_bytes()));
            bytes.extend_from_slice(checksum.as_bytes());
        }
        let sum = Checksum::of(&bytes);
        bytes.extend_from_slice(sum.as_bytes());
        if let Some(parent) = self.path.parent() {
            std::fs::create_dir_all(parent).map_err(Error::io("make directory", parent))?;
        }
        crate::fs::replace(&self.path, &bytes)
    }
}

fn key(metadata: &Metadata, options: u64) -> Key {
    let nanoseconds = |seconds: i64, rest: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(rest) as u64;
    [
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        options,
    ]
}

fn parse(bytes: &[u8]) -> Option<HashMap<Key, Checksum>> {
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if Checksum::of(body).as_bytes() != sum {
        return None;
    }
    let entries = body.strip_prefix(MAGIC)?.chunks_exact(ENTRY);
    let read = |entry: &[u8]| {
        let (fields, checksum) = entry.split_at_checked(ENTRY - 32)?;
        let mut key = [0; 6];
        for (field, bytes) in key.iter_mut().zip(fields.chunks_exact(8)) {
            *field = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        Some((key, Checksum::from_slice(checksum).ok()?))
    };
    entries.remainder().is_empty().then(|| entries.filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::{Repo, RepoMode};
    use crate::tree::{Root, TreeOptions, commit_dir};
    use std::fs::{self, File, FileTimes};
    use std::time::{SystemTime, UNIX_EPOCH};

    /// Nanoseconds since 1970, `seconds` from now.
    fn after(seconds: i128) -> i128 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        i128::try_from(now).unwrap() + seconds * 1_000_000_000
    }

    struct Case {
        dir: tempfile::TempDir,
        repo: Repo,
    }

    impl Case {
        fn new() -> Case {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("tree")).unwrap();
            fs::write(dir.path().join("tree/file"), "first").unwrap();
            Case { repo: Repo::create(&dir.path().join("repo"), RepoMode::BareUser).unwrap(), dir }
        }

        fn file(&self) -> PathBuf {
            self.dir.path().join("tree/file")
        }

        /// Commits as if it were `seconds` later; returns the root and how many files the cache knew.
        fn commit(&self, seconds: i128) -> (Root, usize) {
            let cache = StatCache::open(&self.dir.path().join("cache"), after(seconds)).unwrap();
            let metadata = self.file().symlink_metadata().unwrap();
            let options = TreeOptions { cache: Some(&cache), ..TreeOptions::default() };
            let known = usize::from(cache.get(&metadata, options.fingerprint()).is_some());
            let txn = self.repo.transaction().unwrap();
            let root = commit_dir(&txn, &self.dir.path().join("tree"), &options).unwrap();
            txn.commit().unwrap();
            cache.save().unwrap();
            (root, known)
        }
    }

    #[test]
    fn an_unchanged_file_is_known_the_second_time() {
        let case = Case::new();
        let (first, known) = case.commit(10);
        assert_eq!(known, 0);
        assert_eq!(case.commit(20), (first, 1));
    }

    #[test]
    fn an_edit_of_the_same_size_and_time_is_seen() {
        let case = Case::new();
        let (first, _) = case.commit(10);
        let modified = case.file().metadata().unwrap().modified().unwrap();
        fs::write(case.file(), "other").unwrap();
        let file = File::options().write(true).open(case.file()).unwrap();
        file.set_times(FileTimes::new().set_modified(modified)).unwrap();
        assert_eq!(case.file().metadata().unwrap().modified().unwrap(), modified);
        let (second, known) = case.commit(20);
        assert_eq!(known, 0);
        assert_ne!(second, first);
    }

    #[test]
    fn a_file_that_was_changed_just_now_is_not_trusted() {
        let case = Case::new();
        case.commit(1);
        assert_eq!(case.commit(20).1, 0, "one second old when it was entered");
        assert_eq!(case.commit(30).1, 1, "old enough by then");
    }

    #[test]
    fn a_damaged_cache_is_an_empty_one() {
        let case = Case::new();
        case.commit(10);
        let path = case.dir.path().join("cache");
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(case.commit(20).1, 0);
    }
}
