//! The repo as the decoder sees it: old objects to read, new ones into a transaction.

use std::fs::File;
use std::os::unix::fs::FileExt;

use rootling_delta::{Error, NewContent, OldContent, OldTree, PlannedObject, ReadAt, Result};
use rootling_object::{Checksum, ObjectKind, ObjectName};
use rootling_store::{Incoming, Repo, Transaction};

/// The commit that a delta starts from.
pub(super) struct Old<'a> {
    pub(super) repo: &'a Repo,
    pub(super) root: Option<(Checksum, Checksum)>,
}

fn foreign(error: rootling_store::Error) -> Error {
    Error::io(error.to_string())
}

impl OldTree for Old<'_> {
    fn dirtree(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.repo.load_metadata(ObjectKind::DirTree, checksum).map_err(foreign)
    }

    fn root(&self) -> Option<(Checksum, Checksum)> {
        self.root
    }
}

impl OldContent for Old<'_> {
    fn open(&self, checksum: &Checksum) -> Result<Box<dyn ReadAt + '_>> {
        let path = self.repo.object_path(&ObjectName::new(ObjectKind::File, *checksum));
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((size, file)) => Ok(Box::new(OldFile { file, size })),
            Err(error) => Err(Error::io(format!("{}: {error}", path.display()))),
        }
    }
}

struct OldFile {
    file: File,
    size: u64,
}

impl ReadAt for OldFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(into, offset).map_err(|error| Error::io(format!("old object: {error}")))
    }
}

/// New objects, each checked against its name by the transaction.
pub(super) struct New<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) open: Option<Incoming<'a>>,
    /// An error of this machine's disk, which no loose object would mend.
    pub(super) disk: Option<rootling_store::Error>,
    pub(super) made: Vec<Checksum>,
    pub(super) bytes: u64,
}

impl New<'_> {
    fn note(&mut self, error: rootling_store::Error) -> Error {
        let text = error.to_string();
        if !error.is_corrupt() {
            self.disk.get_or_insert(error);
        }
        Error::io(text)
    }
}

#[cfg(feature = "ostree-delta")]
impl rootling_delta::ostree::Target for New<'_> {
    fn metadata(&mut self, name: &ObjectName, bytes: Vec<u8>) -> Result<()> {
        match self.transaction.write_metadata(name.kind, &bytes, Some(&name.checksum)) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.note(error)),
        }
    }
}

impl NewContent for New<'_> {
    fn begin(&mut self, object: &PlannedObject) -> Result<()> {
        self.open = None;
        if let Some(size) = object.size {
            match self.transaction.incoming(&object.header, size, &object.checksum) {
                Ok(incoming) => self.open = Some(incoming),
                Err(error) => return Err(self.note(error)),
            }
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        match self.open.as_mut().map_or(Ok(()), |incoming| incoming.write(bytes)) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.note(error)),
        }
    }

    fn finish(&mut self, object: &PlannedObject) -> Result<()> {
        let kept = match self.open.take() {
            Some(incoming) => incoming.finish(),
            None => {
                let (header, name) = (&object.header, &object.checksum);
                self.transaction.write_content(header, 0, &mut std::io::empty(), Some(name)).map(|_| ())
            }
        };
        match kept {
            Ok(()) => self.made.push(object.checksum),
            Err(error) => return Err(self.note(error)),
        }
        Ok(())
    }
}
