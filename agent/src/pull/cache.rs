//! The last verified summary of a remote, so that "nothing new" costs one conditional request.
//!
//! Below `tmp/cache/summaries` of the repo, as in libostree: `REMOTE` and `REMOTE.sig`, and `REMOTE.etag` with the
//! server's name for that `summary.sig`. What is read back is verified again, so a broken file here costs a request
//! and nothing more; for the same reason nothing is synced, and a failure to write is no error.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the summary of one remote is kept.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    remote: String,
}

/// A summary as the server had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The bytes of `summary`.
    pub summary: Vec<u8>,
    /// The bytes of `summary.sig`.
    pub signatures: Vec<u8>,
    /// The server's name for `summary.sig`; empty if it gave none.
    pub etag: String,
}

impl Cache {
    /// The cache of `remote` in a repo.
    pub fn new(repo: &Path, remote: &str) -> Cache {
        Cache { folder: repo.join("tmp/cache/summaries"), remote: remote.to_owned() }
    }

    /// What was kept, if all of it is there.
    pub fn load(&self) -> Option<Kept> {
        Some(Kept {
            summary: fs::read(self.path("")).ok()?,
            signatures: fs::read(self.path(".sig")).ok()?,
            etag: fs::read_to_string(self.path(".etag")).ok()?,
        })
    }

    /// Keeps a summary that was verified.
    pub fn save(&self, kept: &Kept) {
        let parts = [("", &kept.summary[..]), (".sig", &kept.signatures), (".etag", kept.etag.as_bytes())];
        // the name for the server goes first and comes last: without it nothing is believed
        let _ = fs::remove_file(self.path(".etag"));
        let written = fs::create_dir_all(&self.folder).and_then(|()| {
            parts.iter().try_for_each(|(suffix, bytes)| {
                let draft = self.path(&format!("{suffix}.new"));
                fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, self.path(suffix)))
            })
        });
        if let Err(error) = written {
            log::debug!("{}: {error}", self.folder.display());
        }
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.folder.join(format!("{}{suffix}", self.remote))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_and_half_of_it_is_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(dir.path(), "origin");
        assert_eq!(cache.load(), None);
        let kept = Kept { summary: b"s".to_vec(), signatures: b"g".to_vec(), etag: "\"1\"".into() };
        cache.save(&kept);
        assert_eq!(cache.load(), Some(kept));
        fs::remove_file(dir.path().join("tmp/cache/summaries/origin.sig")).expect("it is there");
        assert_eq!(cache.load(), None);
    }
}
