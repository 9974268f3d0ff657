//! A regular file that comes in pieces: hashed as it is written, kept only if it hashes to its name.

use super::Transaction;
use super::write::create;
use crate::error::{Error, Result};
use rootling_object::{Checksum, FileHeader, Hasher};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

/// A content object being written out of sight; dropping it removes what was written.
pub struct Incoming<'a> {
    transaction: &'a Transaction<'a>,
    header: FileHeader,
    size: u64,
    expected: Checksum,
    draft: PathBuf,
    file: File,
    hasher: Hasher,
    count: u64,
}

impl Transaction<'_> {
    /// Starts a regular file of `size` bytes, in a repo that stores files as they are.
    pub fn incoming(&self, header: &FileHeader, size: u64, expected: &Checksum) -> Result<Incoming<'_>> {
        self.take_space(size)?;
        let draft = self.draft(expected)?;
        let (file, hasher) = (create(&draft)?, header.hasher());
        let (header, expected) = (header.clone(), *expected);
        Ok(Incoming { transaction: self, header, size, expected, draft, file, hasher, count: 0 })
    }
}

impl Incoming<'_> {
    /// The next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.count = self.count.saturating_add(bytes.len() as u64);
        self.file.write_all(bytes).map_err(Error::io("write", &self.draft))
    }

    /// All of it has come: compares it with its name and puts it there.
    pub fn finish(self) -> Result<()> {
        if self.count != self.size {
            let (expected, got) = (format!("{} bytes", self.size), format!("{} bytes", self.count));
            let source = rootling_object::Error::malformed("content", "size", expected, got);
            return Err(Error::corrupt_at(self.draft.display().to_string(), source));
        }
        let checksum = self.hasher.clone().finish();
        self.transaction.repo().settle(&self.file, &self.draft, &self.header)?;
        self.transaction.keep_content(
            &self.draft,
            checksum,
            Some(&self.expected),
            self.size,
            &"rebuilt content",
        )?;
        Ok(())
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        // it is gone if it was kept; else what stays is removed by the next transaction
        let _ = fs::remove_file(&self.draft);
    }
}

#[cfg(test)]
mod tests {
    use crate::repo::{Repo, RepoMode};
    use rootling_object::{FileHeader, ObjectKind, ObjectName, Xattrs};

    #[test]
    fn only_what_hashes_to_its_name_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let repo = Repo::create(&dir.path().join("repo"), RepoMode::BareUser).unwrap();
        let txn = repo.transaction().unwrap();
        let header = FileHeader { uid: 1, gid: 2, mode: 0o100_640, target: None, xattrs: Xattrs::default() };
        let mut hasher = header.hasher();
        hasher.update(b"in two pieces");
        let name = ObjectName::new(ObjectKind::File, hasher.finish());
        for (pieces, expected) in [
            (&[&b"in two "[..], b"pieces"][..], Ok(())),
            (&[b"in two "], Err("expected 13 bytes, got 7 bytes")),
            (&[b"in two Pieces"], Err(&*name.checksum.to_string())),
        ] {
            let txn = repo.transaction().unwrap();
            let mut incoming = txn.incoming(&header, 13, &name.checksum).unwrap();
            pieces.iter().for_each(|piece| incoming.write(piece).unwrap());
            assert!(!txn.has(&name), "out of sight");
            match (incoming.finish(), expected) {
                (Ok(()), Ok(())) => assert!(txn.has(&name)),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (got, _) => panic!("{got:?} for {pieces:?}"),
            }
            drop(txn);
            let txn = repo.transaction().unwrap();
            std::fs::remove_file(txn.staged(&name)).ok();
        }
        let mut incoming = txn.incoming(&header, 13, &name.checksum).unwrap();
        incoming.write(b"in two pieces").unwrap();
        incoming.finish().unwrap();
        txn.commit().unwrap();
        assert_eq!(repo.verify_content(&name.checksum).unwrap(), 13);
        assert_eq!(repo.open_content(&name.checksum).unwrap().header, header);
    }
}
