//! Kinds and names of objects, and the paths they have in a repo.

use crate::checksum::Checksum;
use crate::error::{Error, Result};
use std::fmt;

/// What an object is; the numbers are those that deltas and `ostree.sizes` use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A file or symlink (1).
    File,
    /// Names in a directory (2).
    DirTree,
    /// Owner and mode of a directory (3).
    DirMeta,
    /// A commit (4).
    Commit,
    /// The mark of a commit that was removed (5).
    Tombstone,
    /// Metadata beside a commit, outside its checksum (6).
    CommitMeta,
}

impl ObjectKind {
    /// Extension of the object's file where content is stored as `content` (`file` or `filez`).
    pub fn extension(self, content: &'static str) -> &'static str {
        match self {
            ObjectKind::File => content,
            ObjectKind::DirTree => "dirtree",
            ObjectKind::DirMeta => "dirmeta",
            ObjectKind::Commit => "commit",
            ObjectKind::Tombstone => "commit-tombstone",
            ObjectKind::CommitMeta => "commitmeta",
        }
    }

    /// The kind with this extension.
    pub fn from_extension(extension: &str) -> Option<ObjectKind> {
        Some(match extension {
            "file" | "filez" => ObjectKind::File,
            "dirtree" => ObjectKind::DirTree,
            "dirmeta" => ObjectKind::DirMeta,
            "commit" => ObjectKind::Commit,
            "commit-tombstone" => ObjectKind::Tombstone,
            "commitmeta" => ObjectKind::CommitMeta,
            _ => return None,
        })
    }

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<ObjectKind> {
        Some(match number {
            1 => ObjectKind::File,
            2 => ObjectKind::DirTree,
            3 => ObjectKind::DirMeta,
            4 => ObjectKind::Commit,
            5 => ObjectKind::Tombstone,
            6 => ObjectKind::CommitMeta,
            _ => return None,
        })
    }

    /// Its number.
    pub fn number(self) -> u8 {
        match self {
            ObjectKind::File => 1,
            ObjectKind::DirTree => 2,
            ObjectKind::DirMeta => 3,
            ObjectKind::Commit => 4,
            ObjectKind::Tombstone => 5,
            ObjectKind::CommitMeta => 6,
        }
    }

    /// Whether the object is hashed as it lies on disk (file content is not).
    pub fn is_metadata(self) -> bool {
        matches!(self, ObjectKind::DirTree | ObjectKind::DirMeta | ObjectKind::Commit)
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension("file"))
    }
}

/// The name of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Its checksum.
    pub checksum: Checksum,
    /// Its kind.
    pub kind: ObjectKind,
}

impl ObjectName {
    /// Names an object.
    pub fn new(kind: ObjectKind, checksum: Checksum) -> ObjectName {
        ObjectName { checksum, kind }
    }

    /// Path below `objects/`: two digits, a slash, 62 digits, a dot and the extension.
    pub fn path(&self, content: &'static str) -> String {
        let mut path = self.checksum.to_string();
        path.insert(2, '/');
        path.push('.');
        path.push_str(self.kind.extension(content));
        path
    }

    /// Reads the two parts of such a path.
    pub fn parse(directory: &str, file: &str) -> Option<ObjectName> {
        let (stem, extension) = file.split_once('.')?;
        let kind = ObjectKind::from_extension(extension)?;
        if directory.len() != 2 {
            return None;
        }
        let checksum = Checksum::parse_hex(&format!("{directory}{stem}")).ok()?;
        Some(ObjectName { checksum, kind })
    }

    /// Checks that `bytes` are this metadata object.
    pub fn check(&self, bytes: &[u8]) -> Result<()> {
        self.check_checksum(Checksum::of(bytes))
    }

    /// Checks a checksum that was computed elsewhere.
    pub fn check_checksum(&self, got: Checksum) -> Result<()> {
        if got == self.checksum {
            return Ok(());
        }
        Err(Error::checksum(format!("object {self}"), self.checksum, got))
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.checksum, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_there_and_back() {
        let name = ObjectName::new(ObjectKind::File, Checksum::of(&[0]));
        let path = name.path("filez");
        assert_eq!(path, "6e/340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d.filez");
        let (directory, file) = path.split_once('/').unwrap();
        assert_eq!(ObjectName::parse(directory, file), Some(name));
        assert_eq!(ObjectName::parse("6e", "junk.filez"), None);
        assert_eq!(ObjectName::parse("6e3", &file[1..]), None);
    }
}
