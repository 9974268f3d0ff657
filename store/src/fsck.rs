//! Checking that every object a commit needs is there and is what its name says; and making it so again.

use crate::atomic::AtomicU64;
use crate::error::{Error, Result};
use crate::repo::{Repo, Transaction};
use rootling_object::{Checksum, DirTree, Names, ObjectKind, ObjectName, Table};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One object that is missing or broken.
#[derive(Debug)]
pub struct Problem {
    /// The object.
    pub object: ObjectName,
    /// A commit that needs it.
    pub commit: Checksum,
    /// A path it has in that commit, where it is in a tree.
    pub path: String,
    /// What is wrong.
    pub error: Error,
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// Commits that were checked.
    pub commits: u64,
    /// Objects that were checked, each once.
    pub objects: u64,
    /// Bytes of content that were read.
    pub bytes: u64,
    /// Commits that are marked as not complete; not checked.
    pub partial: Vec<Checksum>,
    /// What is wrong, ascending by object.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Whether everything is in order.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks all commits of the repo, or those given, with all objects below them.
pub fn fsck(repo: &Repo, commits: Option<&[Checksum]>, threads: usize) -> Result<Report> {
    match commits {
        Some(commits) => check(repo, commits, &[], threads),
        None => check(repo, &all_commits(repo)?, &[], threads),
    }
}

/// Checks `commits`; those that are marked partial only if `repaired` names them.
fn check(repo: &Repo, commits: &[Checksum], repaired: &[Checksum], threads: usize) -> Result<Report> {
    let mut report = Report::default();
    let mut seen = Seen::default();
    for commit in commits {
        if repo.is_partial(commit) && !repaired.contains(commit) {
            report.partial.push(*commit);
            continue;
        }
        report.commits += 1;
        seen.commit(repo, commit);
    }
    check_content(repo, &mut seen, &mut report, threads);
    report.objects = seen.metadata.len() as u64 + seen.content.len() as u64;
    report.problems = seen.problems;
    report.problems.sort_by_key(|problem| problem.object);
    report.problems.dedup_by_key(|problem| problem.object);
    Ok(report)
}

/// Commits with an object and commits that refs name, ascending.
fn all_commits(repo: &Repo) -> Result<Vec<Checksum>> {
    let objects = repo.list_objects()?.into_iter().filter(|name| name.kind == ObjectKind::Commit);
    let mut commits: Vec<_> = objects.map(|name| name.checksum).collect();
    commits.extend(repo.list_refs()?.into_iter().map(|(_, commit)| commit));
    commits.sort_unstable();
    commits.dedup();
    Ok(commits)
}

#[derive(Default)]
struct Seen {
    metadata: Names<ObjectName>,
    /// Content objects with the first place they were seen at.
    content: Table<Checksum, Place>,
    /// In the order they were found; the first about an object counts.
    problems: Vec<Problem>,
}

#[derive(Clone)]
struct Place {
    commit: Checksum,
    dir: std::rc::Rc<str>,
    name: Box<str>,
}

impl Seen {
    fn problem(&mut self, object: ObjectName, commit: Checksum, path: String, error: Error) {
        self.problems.push(Problem { object, commit, path, error });
    }

    fn commit(&mut self, repo: &Repo, checksum: &Checksum) {
        let name = ObjectName::new(ObjectKind::Commit, *checksum);
        self.metadata.insert(name);
        let commit = match repo.load_commit(checksum) {
            Ok(commit) => commit,
            Err(error) => return self.problem(name, *checksum, String::new(), error),
        };
        if let Err(error) = repo.load_detached(checksum) {
            self.problem(ObjectName::new(ObjectKind::CommitMeta, *checksum), *checksum, String::new(), error);
        }
        self.dir(repo, *checksum, "", &commit.root_tree, &commit.root_meta);
    }

    fn dir(&mut self, repo: &Repo, commit: Checksum, path: &str, tree: &Checksum, meta: &Checksum) {
        let meta_name = ObjectName::new(ObjectKind::DirMeta, *meta);
        if self.metadata.insert(meta_name)
            && let Err(error) = repo.load_dirmeta(meta)
        {
            self.problem(meta_name, commit, format!("{path}/"), error);
        }
        let tree_name = ObjectName::new(ObjectKind::DirTree, *tree);
        if !self.metadata.insert(tree_name) {
            return;
        }
        let DirTree { files, dirs } = match repo.load_dirtree(tree) {
            Ok(tree) => tree,
            Err(error) => return self.problem(tree_name, commit, format!("{path}/"), error),
        };
        let dir: std::rc::Rc<str> = path.into();
        for (name, checksum) in files {
            let dir = dir.clone();
            self.content.entry(checksum).or_insert_with(|| Place { commit, dir, name: name.into() });
        }
        for (name, tree, meta) in dirs {
            self.dir(repo, commit, &format!("{path}/{name}"), &tree, &meta);
        }
    }
}

/// Bytes: enough for inflate and a path, with a margin of two.
const STACK: usize = 256 << 10;

fn check_content(repo: &Repo, seen: &mut Seen, report: &mut Report, threads: usize) {
    let mut checksums: Vec<Checksum> = seen.content.keys().copied().collect();
    checksums.sort_unstable();
    let (next, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
    let broken = Mutex::new(Vec::new());
    let work = || {
        while let Some(checksum) = checksums.get(next.fetch_add(1, Ordering::Relaxed)) {
            match repo.verify_content(checksum) {
                Ok(size) => {
                    bytes.fetch_add(size, Ordering::Relaxed);
                }
                Err(error) => {
                    broken.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((*checksum, error));
                }
            }
        }
    };
    crate::threads::with(threads.saturating_sub(1), STACK, &work, &mut |_| work());
    report.bytes = bytes.into_inner();
    for (checksum, error) in broken.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        if let Some(Place { commit, dir, name }) = seen.content.get(&checksum).cloned() {
            seen.problem(ObjectName::new(ObjectKind::File, checksum), commit, format!("{dir}/{name}"), error);
        }
    }
}

/// Gets an object again and adds it to the transaction under its name.
pub type Fetch<'a> = dyn FnMut(&Transaction<'_>, &ObjectName) -> Result<()> + 'a;

/// Replaces broken and missing objects by what `fetch` brings, until a check is clean.
///
/// The commits concerned are marked partial first, so that a repair that does not come to its end never leaves a
/// commit that claims to be complete. Returns how many objects were replaced.
pub fn repair(repo: &Repo, mut report: Report, threads: usize, fetch: &mut Fetch<'_>) -> Result<u64> {
    let mut replaced = 0;
    let mut commits: Vec<Checksum> = Vec::new();
    while !report.is_clean() {
        for problem in &report.problems {
            if !commits.contains(&problem.commit) {
                repo.mark_partial(&problem.commit)?;
                commits.push(problem.commit);
            }
        }
        let txn = repo.transaction()?;
        for problem in &report.problems {
            txn.forget(&problem.object)?;
            fetch(&txn, &problem.object)?;
            if problem.object.kind != ObjectKind::CommitMeta && !txn.has(&problem.object) {
                return Err(Error::no_object(&problem.object, repo.path()));
            }
            replaced += 1;
        }
        txn.commit()?;
        // A directory that was missing may have hidden others.
        report = check(repo, &all_commits(repo)?, &commits, threads)?;
    }
    for commit in &commits {
        repo.clear_partial(commit)?;
    }
    Ok(replaced)
}
