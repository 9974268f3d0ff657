//! From directories, on disk or in memory, to dirtree objects.

mod dir;
mod mem;
mod stat_cache;

pub use dir::{TreeOptions, commit_dir};
pub use mem::MemTree;
pub use stat_cache::StatCache;

use crate::error::{Error, Result};
use crate::repo::Transaction;
use rootling_object::{Checksum, Commit, ObjectKind};

/// The two objects that make a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// Its names.
    pub tree: Checksum,
    /// Its owner and mode.
    pub meta: Checksum,
}

/// Adds a commit object and says which it is.
pub fn write_commit(txn: &Transaction<'_>, commit: &Commit) -> Result<Checksum> {
    let checksum = txn.write_metadata(ObjectKind::Commit, &commit.encode(), None)?;
    txn.mark_complete(&checksum);
    Ok(checksum)
}

pub(crate) fn not_utf8(path: &std::path::Path) -> Error {
    Error::refused(format_args!("{}: a name in a tree must be UTF-8", path.display()))
}
