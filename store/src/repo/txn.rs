//! Adding objects and refs to a repo, so that a power failure at any line leaves the old or the new.
//!
//! | step | durable after it |
//! |---|---|
//! | objects are written into `tmp/staging-...`, each checked against its name | nothing that counts |
//! | [`Transaction::checkpoint`]: the file system is synced, the objects renamed into `objects/`, synced again | the objects so far |
//! | [`Transaction::commit`]: a last checkpoint | all objects |
//! | marks of complete commits removed, refs renamed into place one by one, each synced | the refs up to there |
//!
//! A process that dies loses nothing it staged: the next transaction of the same boot takes over its directory. After
//! a reboot staged objects may be cut short, so directories of other boots are removed.

use super::space::Budget;
use super::staging;
use super::write::for_all_to_read;
use super::{Repo, RepoMode};
use crate::atomic::AtomicU64;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::lock::{FileLock, LockKind};
use rootling_object::variant::Dict;
use rootling_object::{Checksum, FileHeader, MAX_METADATA_SIZE, ObjectKind, ObjectName, Refspec};
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a transaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Objects that were not there before.
    pub objects: u64,
    /// Their content in bytes, uncompressed.
    pub bytes: u64,
    /// `syncfs` and `fsync` calls.
    pub syncs: u64,
}

/// An open transaction; may be used by several threads at once.
pub struct Transaction<'a> {
    repo: &'a Repo,
    staging: PathBuf,
    budget: Budget,
    drafts: AtomicU64,
    /// Which of the 256 directories in `staging` are there.
    dirs: Vec<AtomicBool>,
    objects: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
    after: Mutex<Vec<After>>,
    /// One checkpoint at a time: each moves all that is staged.
    checkpoint: Mutex<()>,
    _staging_lock: FileLock,
    _lock: Option<FileLock>,
}

/// What happens once all objects are durable.
enum After {
    Complete(Checksum),
    Detached(Checksum, Vec<u8>),
    Ref(Refspec, Option<Checksum>),
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(repo: &'a Repo) -> Result<Transaction<'a>> {
        let lock = repo.lock(LockKind::Shared)?;
        let (staging, staging_lock) = staging::take(&repo.root.join("tmp"))?;
        Ok(Transaction {
            repo,
            staging,
            budget: repo.budget()?,
            drafts: AtomicU64::new(0),
            dirs: (0..256).map(|_| AtomicBool::new(false)).collect(),
            objects: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            after: Mutex::new(Vec::new()),
            checkpoint: Mutex::new(()),
            _staging_lock: staging_lock,
            _lock: lock,
        })
    }

    /// The repo this belongs to.
    pub fn repo(&self) -> &'a Repo {
        self.repo
    }

    /// Directories by the first byte, as in `objects/`: threads then seldom wait for the same one.
    pub(super) fn staged(&self, name: &ObjectName) -> PathBuf {
        self.staging.join(name.path(self.repo.mode.content_extension()))
    }

    /// Whether the object is in the repo or staged.
    pub fn has(&self, name: &ObjectName) -> bool {
        self.repo.has(name) || self.staged(name).symlink_metadata().is_ok()
    }

    /// The bytes of a metadata object, staged or in the repo, checked against its name.
    pub fn load_metadata(&self, kind: ObjectKind, checksum: &Checksum) -> Result<Vec<u8>> {
        let name = ObjectName::new(kind, *checksum);
        let staged = self.staged(&name);
        match fs::read(&staged) {
            Ok(bytes) => {
                name.check(&bytes).map_err(Error::corrupt(staged.display()))?;
                Ok(bytes)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.repo.load_metadata(kind, checksum)
            }
            Err(error) => Err(Error::io("read", &staged)(error)),
        }
    }

    /// Adds a metadata object; with `expected`, bytes of another name are refused.
    pub fn write_metadata(
        &self,
        kind: ObjectKind,
        bytes: &[u8],
        expected: Option<&Checksum>,
    ) -> Result<Checksum> {
        let name = ObjectName::new(kind, Checksum::of(bytes));
        if let Some(expected) = expected {
            let wanted = ObjectName::new(kind, *expected);
            wanted.check_checksum(name.checksum).map_err(Error::corrupt(format_args!("new {kind}")))?;
        }
        if bytes.len() as u64 > MAX_METADATA_SIZE {
            return Err(Error::refused(format_args!(
                "{name} has {} bytes, the format allows {MAX_METADATA_SIZE}",
                bytes.len()
            )));
        }
        if !self.has(&name) {
            self.store_metadata(&name, bytes)?;
        }
        Ok(name.checksum)
    }

    fn store_metadata(&self, name: &ObjectName, bytes: &[u8]) -> Result<()> {
        self.budget.take(self.repo, bytes.len() as u64)?;
        self.with_draft(Some(&name.checksum), |draft| {
            let mut file = fs::File::create(draft).map_err(Error::io("create", draft))?;
            for_all_to_read(&file, draft)?;
            file.write_all(bytes).map_err(Error::io("write", draft))?;
            self.keep(draft, name, bytes.len() as u64)
        })
    }

    /// Adds a content object of `size` bytes; with `expected`, one of another name is refused.
    pub fn write_content(
        &self,
        header: &FileHeader,
        size: u64,
        source: &mut dyn Input,
        expected: Option<&Checksum>,
    ) -> Result<Checksum> {
        self.budget.take(self.repo, size)?;
        self.with_draft(expected, |draft| {
            let checksum = self.repo.write_content_draft(draft, header, size, source)?;
            self.keep_content(draft, checksum, expected, size, &"new content")
        })
    }

    /// Adds a content object from a `.filez` stream, such as a server sends; `place` names it in errors.
    pub fn import_archive(
        &self,
        expected: &Checksum,
        place: &dyn Display,
        source: &mut dyn Input,
    ) -> Result<()> {
        let size = AtomicU64::new(0);
        let reserve = |bytes| {
            size.store(bytes, Ordering::Relaxed);
            self.budget.take(self.repo, bytes)
        };
        self.with_draft(Some(expected), |draft| {
            let checksum = self.repo.import_filez_draft(draft, place, source, &reserve)?;
            self.keep_content(draft, checksum, Some(expected), size.load(Ordering::Relaxed), place)
        })?;
        Ok(())
    }

    pub(super) fn keep_content(
        &self,
        draft: &Path,
        checksum: Checksum,
        expected: Option<&Checksum>,
        size: u64,
        place: &dyn Display,
    ) -> Result<Checksum> {
        if let Some(expected) = expected {
            let wanted = ObjectName::new(ObjectKind::File, *expected);
            wanted.check_checksum(checksum).map_err(Error::corrupt(place))?;
        }
        self.keep(draft, &ObjectName::new(ObjectKind::File, checksum), size)?;
        Ok(checksum)
    }

    fn keep(&self, draft: &Path, name: &ObjectName, size: u64) -> Result<()> {
        let staged = self.staged(name);
        self.make_dir(&name.checksum)?;
        fs::rename(draft, &staged).map_err(Error::io("rename", draft))?;
        self.objects.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(size, Ordering::Relaxed);
        Ok(())
    }

    /// Makes the staging directory of this first byte, once.
    fn make_dir(&self, checksum: &Checksum) -> Result<PathBuf> {
        let [first, ..] = checksum.as_bytes();
        let dir = self.staging.join(format!("{first:02x}"));
        let made = self.dirs.get(usize::from(*first)).expect("there are 256");
        if !made.load(Ordering::Relaxed) {
            fs::create_dir_all(&dir).map_err(Error::io("make directory", &dir))?;
            made.store(true, Ordering::Relaxed);
        }
        Ok(dir)
    }

    /// A fresh path beside the place of `checksum`.
    pub(super) fn draft(&self, checksum: &Checksum) -> Result<PathBuf> {
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        Ok(self.make_dir(checksum)?.join(format!("draft-{number}")))
    }

    /// Counts `size` bytes against what may be written.
    pub(super) fn take_space(&self, size: u64) -> Result<()> {
        self.budget.take(self.repo, size)
    }

    /// Runs `write` on a fresh path, in the directory of `checksum` if that is known already; what is left there
    /// after an error is removed.
    fn with_draft<T>(
        &self,
        checksum: Option<&Checksum>,
        write: impl FnOnce(&Path) -> Result<T>,
    ) -> Result<T> {
        let dir = checksum.map_or_else(|| Ok(self.staging.clone()), |checksum| self.make_dir(checksum))?;
        let draft = dir.join(format!("draft-{}", self.drafts.fetch_add(1, Ordering::Relaxed)));
        let result = write(&draft);
        if result.is_err() {
            // The first error counts; a draft that stays is removed by the next transaction.
            let _ = fs::remove_file(&draft);
        }
        result
    }

    /// Marks a commit as not complete; durable at once. [`Transaction::commit`] takes the mark away again if
    /// [`Transaction::mark_complete`] was called.
    pub fn mark_partial(&self, commit: &Checksum) -> Result<()> {
        self.repo.mark_partial(commit)
    }

    fn after(&self, step: After) {
        self.after.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(step);
    }

    /// All objects of the commit are staged or in the repo.
    pub fn mark_complete(&self, commit: &Checksum) {
        self.after(After::Complete(*commit));
    }

    /// Replaces the detached metadata of a commit when the transaction commits.
    pub fn write_detached(&self, commit: &Checksum, metadata: &Dict) {
        self.after(After::Detached(*commit, metadata.encode()));
    }

    /// Binds a ref, or removes it, when the transaction commits.
    pub fn set_ref(&self, refspec: &Refspec, commit: Option<Checksum>) {
        self.after(After::Ref(refspec.clone(), commit));
    }

    fn sync(&self) -> Result<()> {
        if self.repo.fsync()? {
            self.syncs.fetch_add(1, Ordering::Relaxed);
            crate::fs::sync_file_system(&self.repo.root)?;
        }
        Ok(())
    }

    /// Makes the objects so far durable and moves them into `objects/`, so that a reboot does not lose them.
    pub fn checkpoint(&self) -> Result<()> {
        let _one = self.checkpoint.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut staged = Vec::new();
        for (directory, path) in crate::fs::list(&self.staging)?.iter().filter(|(name, _)| name.len() == 2) {
            let files = crate::fs::list(path)?.into_iter();
            staged
                .extend(files.filter_map(|(file, path)| Some((ObjectName::parse(directory, &file)?, path))));
        }
        if staged.is_empty() {
            return Ok(());
        }
        self.sync()?;
        for (name, path) in staged {
            let place = self.repo.object_path(&name);
            if fs::rename(&path, &place).is_err() {
                let parent = place.parent().unwrap_or(&self.repo.root);
                fs::create_dir_all(parent).map_err(Error::io("make directory", parent))?;
                fs::rename(&path, &place).map_err(Error::io("rename", &path))?;
            }
        }
        self.sync()
    }

    /// Makes everything durable: objects first, then marks and detached metadata, then refs in the order given.
    pub fn commit(self) -> Result<Stats> {
        self.checkpoint()?;
        let steps = self.after.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).split_off(0);
        for step in &steps {
            if let After::Detached(commit, bytes) = step {
                self.replace_detached(commit, bytes)?;
            }
        }
        for step in &steps {
            if let After::Complete(commit) = step {
                self.repo.clear_partial(commit)?;
            }
        }
        for step in &steps {
            if let After::Ref(refspec, commit) = step {
                self.syncs.fetch_add(2, Ordering::Relaxed);
                self.repo.write_ref(refspec, commit.as_ref())?;
            }
        }
        fs::remove_dir_all(&self.staging).map_err(Error::io("remove", &self.staging))?;
        Ok(Stats {
            objects: self.objects.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            syncs: self.syncs.load(Ordering::Relaxed),
        })
    }

    fn replace_detached(&self, commit: &Checksum, bytes: &[u8]) -> Result<()> {
        let place = self.repo.object_path(&ObjectName::new(ObjectKind::CommitMeta, *commit));
        let parent = place.parent().unwrap_or(&self.repo.root);
        fs::create_dir_all(parent).map_err(Error::io("make directory", parent))?;
        self.syncs.fetch_add(2, Ordering::Relaxed);
        crate::fs::replace_through(&self.staging.join("draft-commitmeta"), &place, bytes)
    }

    /// Replaces a broken object by a good one that was written under the same name elsewhere in this transaction.
    pub(crate) fn forget(&self, name: &ObjectName) -> Result<()> {
        crate::fs::remove_if_there(&self.repo.object_path(name)).map(|_| ())
    }

    /// How content is stored in the repo.
    pub fn mode(&self) -> RepoMode {
        self.repo.mode
    }
}

#[cfg(test)]
mod tests;
