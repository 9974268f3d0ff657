//! A repo of any mode as the encoder and the decoder see it.

use std::io::Read;

use anyhow::{Context, Result, bail};
use rootling_delta::make::{Coded, Objects};
use rootling_delta::ostree::Target;
use rootling_delta::{Error, NewContent, OldContent, OldTree, PlannedObject, ReadAt};
use rootling_object::{Checksum, FileHeader, Hasher, ObjectKind, ObjectName};
use rootling_store::Repo;

use super::cache::Cache;

/// A repo with what was coded before.
pub struct Trees<'a> {
    /// The repo.
    pub repo: &'a Repo,
    /// Tokens of earlier times.
    pub cache: Option<&'a Cache>,
}

/// Refuses a commit that is missing or not whole.
pub fn check_whole(repo: &Repo, commit: &Checksum) -> Result<()> {
    if !repo.has(&ObjectName::new(ObjectKind::Commit, *commit)) {
        bail!("commit {commit}: expected it in {}, got none", repo.path().display());
    }
    if repo.is_partial(commit) {
        bail!(
            "commit {commit}: expected all of its objects in {}, but it is marked partial",
            repo.path().display()
        );
    }
    Ok(())
}

fn foreign(error: rootling_store::Error) -> Error {
    Error::io(error.to_string())
}

impl Trees<'_> {
    fn read(&self, checksum: &Checksum) -> rootling_delta::Result<(FileHeader, Vec<u8>)> {
        let mut content = self.repo.open_content(checksum).map_err(foreign)?;
        let mut bytes = Vec::with_capacity(usize::try_from(content.size.min(1 << 30)).unwrap_or(0));
        let read = content.reader.read_to_end(&mut bytes);
        read.map_err(|error| Error::io(format!("object {checksum}: {error}")))?;
        let mut hasher = content.header.hasher();
        hasher.update(&bytes);
        let got = hasher.finish();
        if got != *checksum {
            return Err(Error::io(format!("object {checksum}: expected its checksum, got {got}")));
        }
        Ok((content.header, bytes))
    }
}

impl Objects for Trees<'_> {
    fn commit(&self, checksum: &Checksum) -> rootling_delta::Result<Vec<u8>> {
        self.repo.load_metadata(ObjectKind::Commit, checksum).map_err(foreign)
    }

    fn detached(&self, checksum: &Checksum) -> rootling_delta::Result<Option<Vec<u8>>> {
        Ok(self.repo.load_detached(checksum).map_err(foreign)?.map(|detached| detached.encode()))
    }

    fn dirtree(&self, checksum: &Checksum) -> rootling_delta::Result<Vec<u8>> {
        self.repo.load_metadata(ObjectKind::DirTree, checksum).map_err(foreign)
    }

    fn dirmeta(&self, checksum: &Checksum) -> rootling_delta::Result<Vec<u8>> {
        self.repo.load_metadata(ObjectKind::DirMeta, checksum).map_err(foreign)
    }

    fn content(&self, checksum: &Checksum) -> rootling_delta::Result<(FileHeader, Vec<u8>)> {
        self.read(checksum)
    }

    fn described(&self, checksum: &Checksum) -> rootling_delta::Result<(FileHeader, u64)> {
        let content = self.repo.open_content(checksum).map_err(foreign)?;
        Ok((content.header, content.size))
    }

    fn kept(&self, from: &[Checksum], to: &Checksum) -> Option<Coded> {
        self.cache?.get(from, to)
    }

    fn keep(&self, from: &[Checksum], to: &Checksum, coded: &Coded) {
        if let Some(cache) = self.cache {
            cache.put(from, to, coded);
        }
    }
}

/// The tree that a delta starts from.
pub struct Start<'a> {
    trees: &'a Trees<'a>,
    root: Option<(Checksum, Checksum)>,
}

impl<'a> Start<'a> {
    /// `from`, or nothing.
    pub fn new(trees: &'a Trees<'a>, from: Option<Checksum>) -> Result<Start<'a>> {
        let commit = from.map(|from| trees.repo.load_commit(&from)).transpose().context("old commit")?;
        Ok(Start { trees, root: commit.map(|commit| (commit.root_tree, commit.root_meta)) })
    }
}

impl OldTree for Start<'_> {
    fn dirtree(&self, checksum: &Checksum) -> rootling_delta::Result<Vec<u8>> {
        Objects::dirtree(self.trees, checksum)
    }

    fn root(&self) -> Option<(Checksum, Checksum)> {
        self.root
    }
}

impl OldContent for Start<'_> {
    fn open(&self, checksum: &Checksum) -> rootling_delta::Result<Box<dyn ReadAt + '_>> {
        Ok(Box::new(self.trees.read(checksum)?.1))
    }
}

/// Counts objects that the decoder has checked and drops them.
#[derive(Debug, Default)]
pub struct Discard {
    /// How many.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl NewContent for Discard {
    fn begin(&mut self, _: &PlannedObject) -> rootling_delta::Result<()> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> rootling_delta::Result<()> {
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn finish(&mut self, _: &PlannedObject) -> rootling_delta::Result<()> {
        self.objects += 1;
        Ok(())
    }
}

/// Compares objects with their names and drops them.
#[derive(Debug, Default)]
pub struct Hashed(Option<Hasher>);

impl NewContent for Hashed {
    fn begin(&mut self, object: &PlannedObject) -> rootling_delta::Result<()> {
        self.0 = Some(object.header.hasher());
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> rootling_delta::Result<()> {
        self.0.iter_mut().for_each(|hasher| hasher.update(bytes));
        Ok(())
    }

    fn finish(&mut self, object: &PlannedObject) -> rootling_delta::Result<()> {
        let got = self.0.take().unwrap_or_default().finish();
        if got != object.checksum {
            return Err(Error::io(format!("object {}: expected its checksum, got {got}", object.checksum)));
        }
        Ok(())
    }
}

impl Target for Hashed {
    fn metadata(&mut self, name: &ObjectName, bytes: Vec<u8>) -> rootling_delta::Result<()> {
        name.check(&bytes).map_err(|error| Error::io(error.to_string()))
    }
}
