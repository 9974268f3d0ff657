//! Directories as commits, for the examples.

use rootling_delta::{Error, NewContent, OldContent, OldTree, PlannedObject, ReadAt, Result};
use rootling_object::{Checksum, Commit, Dict, DirMeta, DirTree, FileHeader, Xattrs};
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Counts what it is given; the crate has checked it.
pub struct Discard(pub u64);

impl NewContent for Discard {
    fn begin(&mut self, _: &PlannedObject) -> Result<()> {
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0 += bytes.len() as u64;
        Ok(())
    }
    fn finish(&mut self, _: &PlannedObject) -> Result<()> {
        Ok(())
    }
}

/// Directories as commits.
#[derive(Default)]
pub struct Trees {
    pub only: String,
    pub metadata: HashMap<Checksum, Vec<u8>>,
    pub files: HashMap<Checksum, (FileHeader, PathBuf)>,
}

impl Trees {
    fn keep(&mut self, bytes: Vec<u8>) -> Checksum {
        let checksum = Checksum::of(&bytes);
        self.metadata.insert(checksum, bytes);
        checksum
    }

    pub fn commit_dir(&mut self, root: &Path) -> Checksum {
        let root_tree = self.dir(root);
        let root_meta = self.keep(dirmeta());
        let (metadata, subject, body) = (Dict(Vec::new()), String::new(), String::new());
        self.keep(
            Commit { metadata, parent: None, subject, body, timestamp: 0, root_tree, root_meta }.encode(),
        )
    }

    fn dir(&mut self, dir: &Path) -> Checksum {
        let mut tree = DirTree::default();
        for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
            let name = entry.file_name().into_string().expect("a UTF-8 name");
            let (path, kind) = (entry.path(), entry.file_type().expect("a type"));
            if kind.is_dir() {
                let child = self.dir(&path);
                tree.dirs.push((name, child, self.keep(dirmeta())));
            } else if path.to_string_lossy().contains(&self.only) {
                tree.files.push((name, self.file(path)));
            }
        }
        tree.files.sort();
        tree.dirs.sort();
        self.keep(tree.encode())
    }

    fn file(&mut self, path: PathBuf) -> Checksum {
        let meta = std::fs::symlink_metadata(&path).expect("a file");
        let target = meta.is_symlink().then(|| std::fs::read_link(&path).expect("a link"));
        let target = target.map(|target| target.to_string_lossy().into_owned());
        let mode = if target.is_some() { 0o120_777 } else { 0o100_000 | meta.permissions().mode() & 0o7777 };
        let header = FileHeader { uid: 0, gid: 0, mode, target, xattrs: Xattrs::default() };
        let mut hasher = header.hasher();
        if !header.is_symlink() {
            let mut file = std::fs::File::open(&path).expect("readable");
            let mut buffer = vec![0; 64 << 10];
            loop {
                let count = std::io::Read::read(&mut file, &mut buffer).expect("readable");
                if count == 0 {
                    break;
                }
                hasher.update(&buffer[..count]);
            }
        }
        let checksum = hasher.finish();
        self.files.insert(checksum, (header, path));
        checksum
    }

    pub fn find(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.metadata.get(checksum).cloned().ok_or_else(|| Error::io(format!("no object {checksum}")))
    }
}

fn dirmeta() -> Vec<u8> {
    DirMeta { uid: 0, gid: 0, mode: 0o40_755, xattrs: Xattrs::default() }.encode()
}

/// The trees seen from the old commit.
pub struct From<'a>(pub &'a Trees, pub Checksum);

impl OldTree for From<'_> {
    fn dirtree(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.0.find(checksum)
    }
    fn root(&self) -> Option<(Checksum, Checksum)> {
        let commit = Commit::decode(&self.0.find(&self.1).ok()?).ok()?;
        Some((commit.root_tree, commit.root_meta))
    }
}

impl OldContent for From<'_> {
    fn open(&self, checksum: &Checksum) -> Result<Box<dyn ReadAt + '_>> {
        let (_, path) = self.0.files.get(checksum).ok_or_else(|| Error::io("no object".into()))?;
        let file = std::fs::File::open(path).expect("readable");
        let size = file.metadata().expect("a size").len();
        Ok(Box::new(OldFile(file, size)))
    }
}

struct OldFile(std::fs::File, u64);

impl ReadAt for OldFile {
    fn size(&self) -> u64 {
        self.1
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        use std::os::unix::fs::FileExt;
        self.0.read_exact_at(into, offset).map_err(|err| Error::io(err.to_string()))
    }
}
