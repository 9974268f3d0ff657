//! A tree in memory.

use super::Root;
use crate::error::{Error, Result};
use crate::repo::Transaction;
use rootling_object::{Checksum, DirTree, ObjectKind, dirtree};
use std::collections::BTreeMap;

/// A directory whose files are objects already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemTree {
    meta: Checksum,
    files: BTreeMap<String, Checksum>,
    dirs: BTreeMap<String, MemTree>,
}

impl MemTree {
    /// An empty directory with this dirmeta.
    pub fn new(meta: Checksum) -> MemTree {
        MemTree { meta, files: BTreeMap::new(), dirs: BTreeMap::new() }
    }

    fn check(&self, name: &str) -> Result<()> {
        if !dirtree::is_file_name(name) {
            return Err(Error::refused(format_args!("{name:?} cannot be the name of a file")));
        }
        if self.files.contains_key(name) || self.dirs.contains_key(name) {
            return Err(Error::refused(format_args!("{name:?} is in the directory already")));
        }
        Ok(())
    }

    /// Adds a file or symlink.
    pub fn add_file(&mut self, name: &str, content: Checksum) -> Result<()> {
        self.check(name)?;
        self.files.insert(name.to_owned(), content);
        Ok(())
    }

    /// Adds a directory.
    pub fn add_dir(&mut self, name: &str, dir: MemTree) -> Result<()> {
        self.check(name)?;
        self.dirs.insert(name.to_owned(), dir);
        Ok(())
    }

    /// Adds the dirtree objects, the deepest first.
    pub fn write(&self, txn: &Transaction<'_>) -> Result<Root> {
        let mut tree = DirTree::default();
        for (name, checksum) in &self.files {
            tree.files.push((name.clone(), *checksum));
        }
        for (name, dir) in &self.dirs {
            let root = dir.write(txn)?;
            tree.dirs.push((name.clone(), root.tree, root.meta));
        }
        let tree = txn.write_metadata(ObjectKind::DirTree, &tree.encode(), None)?;
        Ok(Root { tree, meta: self.meta })
    }
}
