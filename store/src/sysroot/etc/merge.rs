//! Applying the changes of an `etc` to that of a new deployment.

use super::CONFLICT_SUFFIX;
use super::copy::{copy_dir, copy_file};
use super::diff::{Change, ChangeKind, stat};
use crate::error::{Error, Result};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// What a merge did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merge {
    /// Changed files and folders that were carried over.
    pub modified: usize,
    /// Removals that were carried over.
    pub removed: usize,
    /// Added files and folders that were carried over.
    pub added: usize,
    /// Where the new tree has another kind of file: its path in `etc`, the new default is there; the edited one
    /// lies beside it, see [`CONFLICT_SUFFIX`].
    pub conflicts: Vec<PathBuf>,
    /// Sockets, pipes and devices, which are not carried over.
    pub skipped: Vec<PathBuf>,
}

/// Applies `changes` between `defaults` and `edited` to `new`.
pub fn merge(defaults: &Path, edited: &Path, new: &Path, changes: &[Change]) -> Result<Merge> {
    let mut merging = Merging { defaults, edited, new, done: Merge::default() };
    for change in changes.iter().filter(|c| c.kind == ChangeKind::Removed) {
        merging.remove(&change.path)?;
    }
    for change in changes.iter().filter(|c| c.kind != ChangeKind::Removed) {
        merging.keep(change)?;
    }
    merging.done.conflicts.sort_unstable();
    merging.done.conflicts.dedup();
    Ok(merging.done)
}

struct Merging<'a> {
    defaults: &'a Path,
    edited: &'a Path,
    new: &'a Path,
    done: Merge,
}

impl Merging<'_> {
    /// Removes a path, but not one that has become another kind of file, nor one behind a link, which would lead
    /// out of `etc`.
    fn remove(&mut self, path: &Path) -> Result<()> {
        if !self.has_obstacle(path)?
            && self.is_own_change(path, path)?
            && let Some(metadata) = stat(&self.new.join(path))?
        {
            let target = self.new.join(path);
            let removed =
                if metadata.is_dir() { fs::remove_dir_all(&target) } else { fs::remove_file(&target) };
            removed.map_err(Error::io("remove", &target))?;
        }
        self.done.removed += 1;
        Ok(())
    }

    fn keep(&mut self, change: &Change) -> Result<()> {
        let source = self.edited.join(&change.path);
        let Some(metadata) = stat(&source)? else { return Ok(()) };
        let kind = metadata.file_type();
        if !(kind.is_dir() || kind.is_file() || kind.is_symlink()) {
            self.done.skipped.push(change.path.clone());
            return Ok(());
        }
        let place = self.place(&change.path, kind.is_dir())?;
        let target = self.new.join(&place);
        if kind.is_dir() {
            copy_dir(&source, &metadata, &target)?;
        } else {
            self.clear(&target)?;
            copy_file(&source, &metadata, &target)?;
        }
        match change.kind {
            ChangeKind::Added => self.done.added += 1,
            _ => self.done.modified += 1,
        }
        Ok(())
    }

    /// Where an edited path goes: its own place, or one beside it if the new tree has another kind of file there.
    ///
    /// Makes the folders on the way.
    fn place(&mut self, path: &Path, is_dir: bool) -> Result<PathBuf> {
        let (mut place, mut original) = (PathBuf::new(), PathBuf::new());
        let parts: Vec<Component<'_>> = path.components().collect();
        let parents = parts.len().saturating_sub(1);
        for (at, part) in parts.into_iter().enumerate() {
            place.push(part);
            original.push(part);
            let wants_dir = at < parents || is_dir;
            let there = stat(&self.new.join(&place))?;
            if there.as_ref().is_some_and(|t| t.is_dir() != wants_dir) {
                if self.is_own_change(&original, &place)? {
                    self.clear(&self.new.join(&place))?;
                } else {
                    self.done.conflicts.push(place.clone());
                    place.as_mut_os_string().push(CONFLICT_SUFFIX);
                    let beside = self.new.join(&place);
                    if stat(&beside)?.is_some_and(|t| t.is_dir() != wants_dir) {
                        self.clear(&beside)?;
                    }
                }
            }
            if at < parents && stat(&self.new.join(&place))?.is_none() {
                let template = self.edited.join(&original);
                let metadata = fs::metadata(&template).map_err(Error::io("stat", &template))?;
                copy_dir(&template, &metadata, &self.new.join(&place))?;
            }
        }
        Ok(place)
    }

    /// Whether the edit alone made the difference in kind: the new default is of the same kind as the old one.
    fn is_own_change(&self, original: &Path, place: &Path) -> Result<bool> {
        let (old, new) = (stat(&self.defaults.join(original))?, stat(&self.new.join(place))?);
        Ok(old.zip(new).is_some_and(|(old, new)| old.is_dir() == new.is_dir()))
    }

    fn clear(&self, target: &Path) -> Result<()> {
        match stat(target)? {
            None => Ok(()),
            Some(metadata) if metadata.is_dir() => {
                fs::remove_dir_all(target).map_err(Error::io("remove", target))
            }
            Some(_) => fs::remove_file(target).map_err(Error::io("remove", target)),
        }
    }

    /// Whether a parent of a path is there in the new `etc` and is no folder.
    fn has_obstacle(&self, path: &Path) -> Result<bool> {
        for parent in path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()) {
            if stat(&self.new.join(parent))?.is_some_and(|m| !m.is_dir()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
