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
