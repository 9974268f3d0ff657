//! Making the summary of a repo, so that any static server can say what is new in one file.

use super::Repo;
use crate::error::{Error, Result};
use rootling_object::summary::{SummaryRef, key};
use rootling_object::variant::{Dict, Value};
use rootling_object::{MAX_METADATA_SIZE, ObjectKind, Summary};
use std::io::Read;

impl Repo {
    /// Collects the local refs into a summary; `now` in seconds since 1970.
    pub fn make_summary(&self, now: u64) -> Result<Summary> {
        let mut summary = Summary::default();
        for (refspec, commit) in self.list_refs()? {
            if refspec.remote.is_some() {
                continue;
            }
            let bytes = self.load_metadata(ObjectKind::Commit, &commit)?;
            let timestamp = self.load_commit(&commit)?.timestamp;
            let mut metadata = Dict::new();
            metadata.set(key::COMMIT_TIMESTAMP, Value::U64(timestamp.swap_bytes()));
            let commit_size = bytes.len() as u64;
            summary.refs.push(SummaryRef { name: refspec.name, commit_size, commit, metadata });
        }
        let metadata = &mut summary.metadata;
        metadata.set(key::MODE, Value::str(self.mode().to_string()));
        metadata.set(key::LAST_MODIFIED, Value::U64(now.swap_bytes()));
        metadata.set(key::TOMBSTONES, Value::Bool(self.flag("tombstone-commits", false)?));
        metadata.set(key::INDEXED_DELTAS, Value::Bool(false));
        Ok(summary)
    }

    /// Replaces `summary`, and `summary.sig` by the signatures over it, if there are any.
    ///
    /// The old signature goes first: a client then sees an unsigned summary for a moment, never a wrong signature
    /// that would stop it.
    pub fn write_summary(&self, bytes: &[u8], signatures: Option<&Dict>) -> Result<()> {
        let signature_path = self.root.join("summary.sig");
        crate::fs::remove_if_there(&signature_path)?;
        crate::fs::replace(&self.root.join("summary"), bytes)?;
        match signatures {
            Some(signatures) => crate::fs::replace(&signature_path, &signatures.encode()),
            None => Ok(()),
        }
    }

    /// The summary of this repo, if it has one.
    pub fn read_summary(&self) -> Result<Option<Summary>> {
        let path = self.root.join("summary");
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("open", &path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_METADATA_SIZE).read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
        Summary::decode(&bytes).map(Some).map_err(Error::corrupt(path.display()))
    }
}
