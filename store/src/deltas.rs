//! Where the static deltas of a repo lie. What is in them, `rootling-delta` knows.
//!
//! ```text
//! deltas-rootling/index/XX/<62>          the list of the deltas to one commit
//! deltas-rootling/data/XX/<62>-<16>      a delta to that commit; 16 digits of its header's checksum
//! ```
//! A delta is written before the list that names it, and removed after it: whoever has read a list finds what it names,
//! or the next version of that list.

use crate::error::{Error, Result};
use crate::repo::Repo;
use rootling_object::{Checksum, ObjectKind, ObjectName};
use std::fs;
use std::path::PathBuf;

const INDEX: &str = "deltas-rootling/index";
const DATA: &str = "deltas-rootling/data";

/// The list of the deltas to `to`, below the repo.
pub fn list_path(to: &Checksum) -> String {
    let hex = to.to_string();
    let (first, rest) = hex.split_at(2);
    format!("{INDEX}/{first}/{rest}")
}

/// The delta to `to` whose header has the checksum `header`, below the repo.
pub fn data_path(to: &Checksum, header: &Checksum) -> String {
    let (hex, header) = (to.to_string(), header.to_string());
    let (first, rest) = hex.split_at(2);
    format!("{DATA}/{first}/{rest}-{}", header.split_at(16).0)
}

/// Writes a file of this folder: beside its place, synced, renamed.
pub fn write(repo: &Repo, path: &str, bytes: &[u8]) -> Result<()> {
    let place = repo.path().join(path);
    let folder = place.parent().unwrap_or(repo.path());
    fs::create_dir_all(folder).map_err(Error::io("make directory", folder))?;
    crate::fs::replace(&place, bytes)?;
    // the folder itself may be new
    crate::fs::sync_parent(folder)
}

/// Every list with the commit it leads to, ascending.
pub fn lists(repo: &Repo) -> Result<Vec<(Checksum, PathBuf)>> {
    files(repo, INDEX)
}

/// Every file of a delta with the commit it leads to, ascending.
pub fn data(repo: &Repo) -> Result<Vec<(Checksum, PathBuf)>> {
    files(repo, DATA)
}

fn files(repo: &Repo, below: &str) -> Result<Vec<(Checksum, PathBuf)>> {
    let mut found = Vec::new();
    for (first, folder) in crate::fs::list(&repo.path().join(below))? {
        if first.len() != 2 {
            continue;
        }
        for (name, path) in crate::fs::list(&folder)? {
            let rest = name.split_at_checked(62).map_or("", |(rest, _)| rest);
            if let Ok(to) = Checksum::parse_hex(&format!("{first}{rest}")) {
                found.push((to, path));
            }
        }
    }
    Ok(found)
}

/// Removes the lists and then the deltas to commits that are gone; returns how many files.
pub fn prune(repo: &Repo) -> Result<u64> {
    let gone = |to: &Checksum| !repo.has(&ObjectName::new(ObjectKind::Commit, *to));
    let mut removed = 0;
    for files in [lists(repo)?, data(repo)?] {
        for (_, path) in files.iter().filter(|(to, _)| gone(to)) {
            fs::remove_file(path).map_err(Error::io("remove", path))?;
            crate::fs::sync_parent(path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::{PruneOptions, prune};
    use crate::repo::RepoMode;
    use rootling_object::{Commit, Dict, DirMeta, DirTree, Xattrs};

    #[test]
    fn what_leads_to_a_commit_that_is_gone_goes_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let repo = Repo::create(&dir.path().join("repo"), RepoMode::BareUser).unwrap();
        let txn = repo.transaction().unwrap();
        let root_tree = txn.write_metadata(ObjectKind::DirTree, &DirTree::default().encode(), None).unwrap();
        let meta = DirMeta { uid: 0, gid: 0, mode: 0o40_755, xattrs: Xattrs::default() };
        let root_meta = txn.write_metadata(ObjectKind::DirMeta, &meta.encode(), None).unwrap();
        let (metadata, subject, body) = (Dict(Vec::new()), String::new(), String::new());
        let commit = Commit { metadata, parent: None, subject, body, timestamp: 1, root_tree, root_meta };
        let here = txn.write_metadata(ObjectKind::Commit, &commit.encode(), None).unwrap();
        txn.commit().unwrap();
        let gone = Checksum([0xab; 32]);
        for to in [here, gone] {
            write(&repo, &data_path(&to, &Checksum([1; 32])), b"delta").unwrap();
            write(&repo, &list_path(&to), b"list").unwrap();
        }
        assert_eq!(list_path(&gone), format!("deltas-rootling/index/ab/{}", "ab".repeat(31)));
        prune(&repo, &PruneOptions { dry_run: true, ..PruneOptions::default() }).unwrap();
        assert_eq!((lists(&repo).unwrap().len(), data(&repo).unwrap().len()), (2, 2));
        prune(&repo, &PruneOptions::default()).unwrap();
        let left = |files: Vec<(Checksum, PathBuf)>| files.into_iter().map(|(to, _)| to).collect::<Vec<_>>();
        assert_eq!((left(lists(&repo).unwrap()), left(data(&repo).unwrap())), (vec![here], vec![here]));
    }
}
