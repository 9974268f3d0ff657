//! Which deltas a repo offers.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rootling_delta::list::{self, Entry};
use rootling_object::Checksum;
use rootling_store::{Repo, deltas};

/// The deltas to `to`, none if there is no list.
pub fn read(repo: &Repo, to: &Checksum) -> Result<Vec<Entry>> {
    let path = repo.path().join(deltas::list_path(to));
    match fs::read(&path) {
        Ok(bytes) => list::decode(&bytes, to).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// All deltas of the repo with the commit they lead to, ascending.
pub fn all(repo: &Repo) -> Result<Vec<(Checksum, Entry)>> {
    let mut found = Vec::new();
    for (to, _) in deltas::lists(repo)? {
        found.extend(read(repo, &to)?.into_iter().map(|entry| (to, entry)));
    }
    Ok(found)
}

/// Where a delta of a list lies.
pub fn place(repo: &Repo, to: &Checksum, entry: &Entry) -> PathBuf {
    repo.path().join(deltas::data_path(to, &entry.checksum))
}

/// Adds a delta to the list; one of the same start, version and profile gives way.
pub fn add(repo: &Repo, to: &Checksum, entry: Entry) -> Result<()> {
    let mut entries = read(repo, to)?;
    entries.push(entry);
    Ok(deltas::write(repo, &deltas::list_path(to), &list::encode(to, &entries))?)
}

/// What `prune` did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Lists and deltas that lead to a commit that is gone.
    pub gone: u64,
    /// Deltas that no list names.
    pub unnamed: u64,
    /// Deltas to a commit that no ref names now.
    pub stale: u64,
}

/// Removes what leads to commits that are gone and what no list names; with `tips`, also what does not lead to a commit
/// that a ref names now.
pub fn prune(repo: &Repo, tips: bool) -> Result<Pruned> {
    let mut pruned = Pruned { gone: deltas::prune(repo)?, ..Pruned::default() };
    if tips {
        let named: Vec<Checksum> = repo.list_refs()?.into_iter().map(|(_, tip)| tip).collect();
        for (to, path) in deltas::lists(repo)?.into_iter().filter(|(to, _)| !named.contains(to)) {
            pruned.stale += read(repo, &to)?.len() as u64;
            fs::remove_file(&path).with_context(|| path.display().to_string())?;
            rootling_store::fs::sync_parent(&path)?;
        }
    }
    let named: Vec<PathBuf> = all(repo)?.iter().map(|(to, entry)| place(repo, to, entry)).collect();
    for (_, path) in deltas::data(repo)?.into_iter().filter(|(_, path)| !named.contains(path)) {
        fs::remove_file(&path).with_context(|| path.display().to_string())?;
        pruned.unnamed += 1;
    }
    pruned.unnamed -= pruned.stale.min(pruned.unnamed);
    Ok(pruned)
}
