//! Removing objects that no commit needs.
//!
//! The repo is locked alone. Commits go first, then what they named, so that a power failure never leaves a commit
//! whose objects were removed: until its commit object is gone, all it names is there.

use crate::error::{Error, Result};
use crate::lock::LockKind;
use crate::repo::Repo;
use rootling_object::{Checksum, DirTree, Names, ObjectKind, ObjectName};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

/// What to keep.
#[derive(Debug, Clone, Copy, Default)]
pub struct PruneOptions<'a> {
    /// Keeps only commits that refs lead to; otherwise every commit is kept and only stray objects go.
    pub refs_only: bool,
    /// Parents to keep of each ref's commit; `None` keeps all of them.
    pub depth: Option<u64>,
    /// Commits to keep besides.
    pub keep: &'a [Checksum],
    /// Only counts.
    pub dry_run: bool,
}

/// What was, or would be, removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneStats {
    /// Objects before.
    pub total: u64,
    /// Objects removed.
    pub removed: u64,
    /// Bytes freed, as the file system counts them; objects a deployment still links to free nothing.
    pub bytes: u64,
}

/// Removes what is not needed.
pub fn prune(repo: &Repo, options: &PruneOptions<'_>) -> Result<PruneStats> {
    let _lock = repo.lock(LockKind::Exclusive)?;
    let objects = repo.list_objects()?;
    let reachable = reachable(repo, &objects, options)?;
    let mut unneeded: Vec<ObjectName> =
        objects.iter().filter(|name| !reachable.contains(name)).copied().collect();
    // Commits and their metadata first, see above.
    unneeded.sort_unstable_by_key(|name| (name.kind != ObjectKind::Commit, *name));
    let mut stats = PruneStats { total: objects.len() as u64, ..PruneStats::default() };
    let commits = unneeded.iter().filter(|name| name.kind == ObjectKind::Commit).count();
    for (index, name) in unneeded.iter().enumerate() {
        let path = repo.object_path(name);
        let metadata = path.symlink_metadata().map_err(Error::io("stat", &path))?;
        if metadata.nlink() == 1 {
            stats.bytes += metadata.blocks() * 512;
        }
        stats.removed += 1;
        if options.dry_run {
            continue;
        }
        std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        if index + 1 == commits && repo.fsync()? {
            crate::fs::sync_file_system(repo.path())?;
        }
    }
    if !options.dry_run {
        for commit in repo.partial_commits()? {
            if !repo.has(&ObjectName::new(ObjectKind::Commit, commit)) {
                repo.clear_partial(&commit)?;
            }
        }
        crate::deltas::prune(repo)?;
    }
    Ok(stats)
}

fn reachable(repo: &Repo, objects: &[ObjectName], options: &PruneOptions<'_>) -> Result<Names<ObjectName>> {
    let mut found = Reachable { repo, objects: Names::default(), commits: BTreeSet::new() };
    for (_, commit) in repo.list_refs()? {
        found.history(commit, options.depth)?;
    }
    for commit in options.keep {
        found.history(*commit, Some(0))?;
    }
    if !options.refs_only {
        for name in objects.iter().filter(|name| name.kind == ObjectKind::Commit) {
            found.history(name.checksum, Some(0))?;
        }
    }
    Ok(found.objects)
}

struct Reachable<'a> {
    repo: &'a Repo,
    objects: Names<ObjectName>,
    commits: BTreeSet<(Checksum, Option<u64>)>,
}

impl Reachable<'_> {
    fn add(&mut self, kind: ObjectKind, checksum: Checksum) -> bool {
        self.objects.insert(ObjectName::new(kind, checksum))
    }

    fn history(&mut self, first: Checksum, depth: Option<u64>) -> Result<()> {
        let (mut next, mut depth) = (Some(first), depth);
        while let Some(checksum) = next.take() {
            if !self.commits.insert((checksum, depth)) {
                return Ok(());
            }
            let commit = match self.repo.load_commit(&checksum) {
                Ok(commit) => commit,
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(error),
            };
            if self.add(ObjectKind::Commit, checksum) {
                self.add(ObjectKind::CommitMeta, checksum);
                let partial = self.repo.is_partial(&checksum);
                self.dir(&commit.root_tree, &commit.root_meta, partial)?;
            }
            match depth {
                Some(0) => {}
                Some(left) => (next, depth) = (commit.parent, Some(left - 1)),
                None => next = commit.parent,
            }
        }
        Ok(())
    }

    fn dir(&mut self, tree: &Checksum, meta: &Checksum, partial: bool) -> Result<()> {
        self.add(ObjectKind::DirMeta, *meta);
        if !self.add(ObjectKind::DirTree, *tree) {
            return Ok(());
        }
        let DirTree { files, dirs } = match self.repo.load_dirtree(tree) {
            Ok(tree) => tree,
            Err(error) if partial && error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        for (_, checksum) in files {
            self.add(ObjectKind::File, checksum);
        }
        for (_, tree, meta) in dirs {
            self.dir(&tree, &meta, partial)?;
        }
        Ok(())
    }
}
