//! Paths that differ between two trees.

use crate::error::Result;
use crate::repo::Repo;
use crate::walk::{Entry, walk};
use rootling_object::{Checksum, DirTree};
use std::collections::BTreeMap;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Only in the new tree.
    Added(String),
    /// In both, with other content, owner, mode, xattrs or kind.
    Modified(String),
    /// Only in the old tree.
    Removed(String),
}

impl Change {
    /// The path, from `/`.
    pub fn path(&self) -> &str {
        match self {
            Change::Added(path) | Change::Modified(path) | Change::Removed(path) => path,
        }
    }
}

/// Compares two trees; equal directories are not descended into. Ascending by path.
pub fn diff(repo: &Repo, old: (&Checksum, &Checksum), new: (&Checksum, &Checksum)) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    if old.1 != new.1 {
        changes.push(Change::Modified("/".into()));
    }
    diff_dirs(repo, "", old.0, new.0, &mut changes)?;
    changes.sort_unstable_by(|a, b| a.path().cmp(b.path()));
    Ok(changes)
}

fn entries(tree: DirTree) -> BTreeMap<String, Entry> {
    let files = tree.files.into_iter().map(|(name, checksum)| (name, Entry::File(checksum)));
    let dirs = tree.dirs.into_iter().map(|(name, tree, meta)| (name, Entry::Dir(tree, meta)));
    files.chain(dirs).collect()
}

fn diff_dirs(
    repo: &Repo,
    path: &str,
    old: &Checksum,
    new: &Checksum,
    changes: &mut Vec<Change>,
) -> Result<()> {
    if old == new {
        return Ok(());
    }
    let old = entries(repo.load_dirtree(old)?);
    let mut new = entries(repo.load_dirtree(new)?);
    for (name, before) in &old {
        let path = format!("{path}/{name}");
        match (before, new.remove(name)) {
            (_, None) => all(repo, &path, before, changes, Change::Removed)?,
            (before, Some(after)) if *before == after => {}
            (Entry::Dir(old_tree, old_meta), Some(Entry::Dir(new_tree, new_meta))) => {
                if *old_meta != new_meta {
                    changes.push(Change::Modified(path.clone()));
                }
                diff_dirs(repo, &path, old_tree, &new_tree, changes)?;
            }
            (Entry::File(_), Some(Entry::File(_))) => changes.push(Change::Modified(path)),
            (before, Some(after)) => {
                all(repo, &path, before, changes, Change::Removed)?;
                all(repo, &path, &after, changes, Change::Added)?;
            }
        }
    }
    for (name, after) in &new {
        all(repo, &format!("{path}/{name}"), after, changes, Change::Added)?;
    }
    Ok(())
}

fn all(
    repo: &Repo,
    path: &str,
    entry: &Entry,
    changes: &mut Vec<Change>,
    change: fn(String) -> Change,
) -> Result<()> {
    match entry {
        Entry::File(_) => changes.push(change(path.to_owned())),
        Entry::Dir(tree, meta) => walk(repo, path, (tree, meta), &mut |path, _| {
            changes.push(change(path.to_owned()));
            Ok(true)
        })?,
    }
    Ok(())
}
