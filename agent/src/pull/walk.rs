//! From an admitted commit to all of its objects.
//!
//! Threads with small stacks share one [`Queue`]; each has at most one object in hand, so memory does not grow with
//! the tree. Every dirtree is read even if it is here already: only that shows that what it names is here too.

use rootling_store::atomic::AtomicU64;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use rootling_object::{Checksum, DirTree, ObjectKind, ObjectName};
use rootling_store::{Transaction, threads};

use super::admit::Admitted;
use super::queue::{Job, Queue};
use super::source::Source;
use super::{Meters, Pull};
use crate::error::{Error, Result};
use crate::progress::Count;

/// Enough for inflate, TLS and a path of their frames, measured with a margin of two.
const STACK: usize = 256 << 10;

/// After so many bytes what is there is made durable, so that a reboot does not cost it.
const CHECKPOINT: u64 = 64 << 20;

/// Brings everything the commit needs into the transaction.
pub fn walk(
    pull: &Pull<'_>,
    transaction: &Transaction<'_>,
    admitted: &Admitted,
) -> Result<(Count, Vec<Checksum>)> {
    bring_commit(pull, transaction, admitted)?;
    let commit = admitted.commit.get();
    let work = Work {
        pull,
        transaction,
        queue: Queue::default(),
        meters: Meters::default(),
        saved: AtomicU64::new(0),
        hashed: Mutex::default(),
    };
    let tree = Job { kind: ObjectKind::DirTree, checksum: commit.root_tree };
    let meta = Job { kind: ObjectKind::DirMeta, checksum: commit.root_meta };
    work.meters.known.store(2, Ordering::Relaxed);
    work.queue.add([tree, meta], []);
    let others = pull.threads.saturating_sub(1);
    if let Some(error) = threads::with(others, STACK, &|| work.run(), &mut |_| work.run()) {
        rootling_store::warn!("not all of {} threads: {error}", pull.threads);
    }
    let count = Count { done: work.meters.fetched.load(Ordering::Relaxed), ..work.count() };
    pull.screen.counted(work.count());
    match work.queue.failed() {
        Some(error) => Err(error),
        None => {
            let mut hashed = work.hashed.into_inner().unwrap_or_else(|broken| broken.into_inner());
            hashed.sort_unstable();
            Ok((count, hashed))
        }
    }
}

/// The commit object and its signatures, which were fetched and verified before.
fn bring_commit(pull: &Pull<'_>, transaction: &Transaction<'_>, admitted: &Admitted) -> Result<()> {
    let checksum = admitted.commit.checksum();
    if !transaction.has(&ObjectName::new(ObjectKind::Commit, *checksum)) {
        let bytes = admitted.commit.get().encode();
        let bytes = match Checksum::of(&bytes) == *checksum {
            true => bytes,
            false => pull.source.metadata(ObjectKind::Commit, checksum)?,
        };
        transaction.write_metadata(ObjectKind::Commit, &bytes, Some(checksum))?;
    }
    match &admitted.detached {
        Some(detached) if !admitted.is_local => transaction.write_detached(checksum, detached),
        _ => {}
    }
    Ok(())
}

struct Work<'a> {
    pull: &'a Pull<'a>,
    transaction: &'a Transaction<'a>,
    queue: Queue,
    meters: Meters,
    saved: AtomicU64,
    hashed: Mutex<Vec<Checksum>>,
}

impl Work<'_> {
    fn run(&self) {
        while let Some(job) = self.queue.next() {
            let result = match job.kind {
                ObjectKind::File => self.file(job),
                _ => self.metadata(job),
            };
            self.meters.done.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = result.and_then(|()| self.checkpoint()) {
                self.queue.fail(error);
            }
            self.queue.done(job);
            self.pull.screen.count(self.count());
        }
    }

    fn file(&self, job: Job) -> Result<()> {
        if self.transaction.has(&ObjectName::new(ObjectKind::File, job.checksum)) {
            return Ok(());
        }
        self.pull.source.content(self.transaction, &job.checksum)?;
        self.hashed.lock().unwrap_or_else(|broken| broken.into_inner()).push(job.checksum);
        self.meters.fetched.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn metadata(&self, job: Job) -> Result<()> {
        let bytes = match self.transaction.has(&ObjectName::new(job.kind, job.checksum)) {
            true if job.kind == ObjectKind::DirMeta => return Ok(()),
            true => self.transaction.load_metadata(job.kind, &job.checksum)?,
            false => {
                let bytes = self.pull.source.metadata(job.kind, &job.checksum)?;
                self.check(job, &bytes)?;
                self.transaction.write_metadata(job.kind, &bytes, Some(&job.checksum))?;
                self.meters.fetched.fetch_add(1, Ordering::Relaxed);
                bytes
            }
        };
        if job.kind == ObjectKind::DirTree {
            self.enqueue(DirTree::decode(&bytes).map_err(|error| malformed(job, &error))?);
        }
        Ok(())
    }

    /// Bytes that hash to their name may still be hostile; they are decoded before they are kept.
    fn check(&self, job: Job, bytes: &[u8]) -> Result<()> {
        let checked = match job.kind {
            ObjectKind::DirMeta => rootling_object::DirMeta::decode(bytes).map(|_| ()),
            _ => DirTree::decode(bytes).map(|_| ()),
        };
        checked.map_err(|error| malformed(job, &error))
    }

    fn enqueue(&self, tree: DirTree) {
        let metas = tree.dirs.iter().map(|(_, _, meta)| Job { kind: ObjectKind::DirMeta, checksum: *meta });
        let trees = tree.dirs.iter().map(|(_, tree, _)| Job { kind: ObjectKind::DirTree, checksum: *tree });
        let added = self.queue.add(metas.chain(trees), tree.files.iter().map(|(_, checksum)| *checksum));
        self.meters.known.fetch_add(added, Ordering::Relaxed);
    }

    fn checkpoint(&self) -> Result<()> {
        let (bytes, saved) = (self.pull.source.received(), self.saved.load(Ordering::Relaxed));
        if bytes.saturating_sub(saved) < CHECKPOINT {
            return Ok(());
        }
        match self.saved.compare_exchange(saved, bytes, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Ok(self.transaction.checkpoint()?),
            Err(_) => Ok(()),
        }
    }

    fn count(&self) -> Count {
        Count {
            done: self.meters.done.load(Ordering::Relaxed),
            known: self.meters.known.load(Ordering::Relaxed),
            bytes: self.pull.source.received(),
        }
    }
}

impl Source {
    fn received(&self) -> u64 {
        match self {
            Source::Server(server) => server.meter.load(Ordering::Relaxed),
            Source::Local(_) => 0,
        }
    }
}

fn malformed(job: Job, error: &rootling_object::Error) -> Error {
    Error::corrupt(format_args!("{}: {error}", ObjectName::new(job.kind, job.checksum)))
}
