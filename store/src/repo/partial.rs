//! `state/<commit>.commitpartial`: the mark of a commit whose objects are not all here.
//!
//! It is written before anything of the commit and removed when all of it is durable, so a commit without it is
//! complete at every moment.

use super::Repo;
use crate::error::Result;
use rootling_object::Checksum;
use std::path::PathBuf;

impl Repo {
    fn partial_path(&self, commit: &Checksum) -> PathBuf {
        self.root.join("state").join(format!("{commit}.commitpartial"))
    }

    /// Whether objects of the commit may be missing.
    pub fn is_partial(&self, commit: &Checksum) -> bool {
        self.partial_path(commit).exists()
    }

    /// Marks a commit; durable once it returns.
    pub fn mark_partial(&self, commit: &Checksum) -> Result<()> {
        if self.is_partial(commit) {
            return Ok(());
        }
        crate::fs::replace(&self.partial_path(commit), b"")
    }

    /// Takes the mark away; the caller has made all objects durable.
    pub fn clear_partial(&self, commit: &Checksum) -> Result<()> {
        crate::fs::remove_if_there(&self.partial_path(commit)).map(|_| ())
    }

    /// The commits that are marked.
    pub fn partial_commits(&self) -> Result<Vec<Checksum>> {
        let names = crate::fs::list(&self.root.join("state"))?;
        Ok(names
            .iter()
            .filter_map(|(name, _)| Checksum::parse_hex(name.strip_suffix(".commitpartial")?).ok())
            .collect())
    }
}
