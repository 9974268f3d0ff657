//! Looking once more at the objects of a commit before it is deployed.
//!
//! A pull checks every object as it writes it, but a commit also stands on objects that were written long ago,
//! and flash forgets. Whatever this run did not hash itself is read and hashed here, before the new deployment
//! can be booted. Nothing is written.

use crate::atomic::AtomicU64;
use crate::error::{Error, Result};
use crate::repo::Repo;
use crate::share::share;
use rootling_object::{Checksum, Commit, DirTree, Names, ObjectKind, ObjectName};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Content objects handed to a thread at once; bounds the memory, not the work.
const BATCH: usize = 64;

/// What a verification did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verification {
    /// Objects that were read and hashed.
    pub objects: u64,
    /// Their bytes: of files only, metadata is small.
    pub bytes: u64,
    /// Objects that were left out because they are known to be good.
    pub known: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Reads every object of a commit, except content that `is_known` vouches for, and compares it with its name.
///
/// Directories are always read: that is how their content is found. Ends with the first broken object.
pub fn verify_commit_objects(
    repo: &Repo,
    commit: &Commit,
    is_known: &dyn Fn(&Checksum) -> bool,
    threads: usize,
) -> Result<Verification> {
    let start = Instant::now();
    let (bytes, files) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut walk = Walk { repo, is_known, seen: Names::default(), batch: Vec::new(), metadata: 0, known: 0 };
    let work = |batch: Vec<Checksum>| {
        for checksum in batch {
            bytes.fetch_add(repo.verify_content(&checksum)?, Ordering::Relaxed);
            files.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    let mut find = |send: &mut dyn FnMut(Vec<Checksum>) -> bool| {
        walk.dir(&commit.root_tree, &commit.root_meta, send)?;
        send(std::mem::take(&mut walk.batch));
        Ok(())
    };
    share(threads, &mut find, &work)?;
    Ok(Verification {
        objects: files.into_inner() + walk.metadata,
        bytes: bytes.into_inner(),
        known: walk.known,
        elapsed: start.elapsed(),
    })
}

struct Walk<'a> {
    repo: &'a Repo,
    is_known: &'a dyn Fn(&Checksum) -> bool,
    seen: Names<ObjectName>,
    batch: Vec<Checksum>,
    metadata: u64,
    known: u64,
}

impl Walk<'_> {
    fn dir(
        &mut self,
        tree: &Checksum,
        meta: &Checksum,
        send: &mut dyn FnMut(Vec<Checksum>) -> bool,
    ) -> Result<()> {
        if self.seen.insert(ObjectName::new(ObjectKind::DirMeta, *meta)) {
            self.repo.load_dirmeta(meta)?;
            self.metadata += 1;
        }
        if !self.seen.insert(ObjectName::new(ObjectKind::DirTree, *tree)) {
            return Ok(());
        }
        let DirTree { files, dirs } = self.repo.load_dirtree(tree)?;
        self.metadata += 1;
        for (name, checksum) in files {
            let object = ObjectName::new(ObjectKind::File, checksum);
            if !self.seen.insert(object) {
                continue;
            }
            if !self.repo.has(&object) {
                return Err(Error::not_found(format_args!("object {object} ({name})"), self.repo.path()));
            }
            if (self.is_known)(&checksum) {
                self.known += 1;
                continue;
            }
            self.batch.push(checksum);
            if self.batch.len() >= BATCH && !send(std::mem::take(&mut self.batch)) {
                return Ok(());
            }
        }
        dirs.iter().try_for_each(|(_, tree, meta)| self.dir(tree, meta, send))
    }
}
