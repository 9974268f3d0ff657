//! What was changed in an `etc` since it was copied from its `usr/etc`.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, FileType, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A difference between the defaults and the edited folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Relative to `etc`.
    pub path: PathBuf,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// How a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Other content, mode, owner, link target or type.
    Modified,
    /// Only in the defaults.
    Removed,
    /// Only in the edited folder.
    Added,
}

/// Lists the changes, ascending by path, so that a folder comes before what is in it.
///
/// A removed folder is one change; an added one is one for itself and one for each thing in it, as in libostree.
pub fn diff(defaults: &Path, edited: &Path) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    diff_dir(defaults, edited, Path::new(""), &mut changes)?;
    changes.sort_unstable();
    Ok(changes)
}

fn diff_dir(defaults: &Path, edited: &Path, at: &Path, changes: &mut Vec<Change>) -> Result<()> {
    let mut both = names(&defaults.join(at))?;
    both.extend(names(&edited.join(at))?);
    both.sort_unstable();
    both.dedup();
    for name in both {
        let path = at.join(name);
        let (a, b) = (defaults.join(&path), edited.join(&path));
        let mut add = |kind| changes.push(Change { path: path.clone(), kind });
        match (stat(&a)?, stat(&b)?) {
            (Some(_), None) => add(ChangeKind::Removed),
            (None, Some(new)) => {
                add(ChangeKind::Added);
                if new.is_dir() {
                    add_all(edited, &path, changes)?;
                }
            }
            (Some(old), Some(new)) => {
                if kind(&old) != kind(&new) || is_modified(&a, &old, &b, &new)? {
                    add(ChangeKind::Modified);
                }
                match (old.is_dir(), new.is_dir()) {
                    (true, true) => diff_dir(defaults, edited, &path, changes)?,
                    (false, true) => add_all(edited, &path, changes)?,
                    _ => {}
                }
            }
            (None, None) => {}
        }
    }
    Ok(())
}

fn add_all(edited: &Path, at: &Path, changes: &mut Vec<Change>) -> Result<()> {
    for name in names(&edited.join(at))? {
        let path = at.join(name);
        let is_dir = stat(&edited.join(&path))?.is_some_and(|m| m.is_dir());
        changes.push(Change { path: path.clone(), kind: ChangeKind::Added });
        if is_dir {
            add_all(edited, &path, changes)?;
        }
    }
    Ok(())
}

/// Names of any bytes: an admin may make others than this crate would.
pub(super) fn names(dir: &Path) -> Result<Vec<OsString>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("list", dir))?,
    };
    entries.map(|entry| entry.map(|e| e.file_name()).map_err(Error::io("list", dir))).collect()
}

/// About a path itself; `None` if there is nothing, or something on the way to it is no folder.
pub(super) fn stat(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::io("stat", path)(error)),
    }
}

fn kind(metadata: &Metadata) -> FileType {
    metadata.file_type()
}

fn is_modified(a: &Path, old: &Metadata, b: &Path, new: &Metadata) -> Result<bool> {
    let link = |path: &Path| fs::read_link(path).map_err(Error::io("read link", path));
    if old.uid() != new.uid() || old.gid() != new.gid() {
        return Ok(true);
    }
    if old.is_symlink() {
        return Ok(link(a)? != link(b)?);
    }
    if old.mode() != new.mode() {
        return Ok(true);
    }
    Ok(old.is_file() && (old.len() != new.len() || !same_content(a, b)?))
}

fn same_content(a: &Path, b: &Path) -> Result<bool> {
    let open = |path: &Path| File::open(path).map_err(Error::io("open", path));
    let (mut file_a, mut file_b) = (open(a)?, open(b)?);
    let (mut buffer_a, mut buffer_b) = ([0; 8 << 10], [0; 8 << 10]);
    loop {
        let count = file_a.read(&mut buffer_a).map_err(Error::io("read", a))?;
        let (piece_a, piece_b) = (buffer_a.get(..count), buffer_b.get_mut(..count));
        let (Some(piece_a), Some(piece_b)) = (piece_a, piece_b) else { return Ok(false) };
        match file_b.read_exact(piece_b) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
            done => done.map_err(Error::io("read", b))?,
        }
        if piece_a != piece_b {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.kind {
            ChangeKind::Modified => 'M',
            ChangeKind::Removed => 'D',
            ChangeKind::Added => 'A',
        };
        write!(f, "{letter}    {}", self.path.display())
    }
}
