//! Reading objects.

use super::{Repo, RepoMode};
use crate::archive::Filez;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::sys;
use rootling_object::variant::Dict;
use rootling_object::{
    Checksum, Commit, DirMeta, DirTree, FileHeader, MAX_METADATA_SIZE, ObjectKind, ObjectName, Xattrs,
    content,
};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A content object, opened.
pub struct Content {
    /// Owner, mode, target and xattrs.
    pub header: FileHeader,
    /// Size of the file in bytes; 0 for a symlink.
    pub size: u64,
    /// The file's bytes.
    pub reader: Box<dyn Input>,
}

impl Repo {
    /// Where an object lies.
    pub fn object_path(&self, name: &ObjectName) -> PathBuf {
        self.root.join("objects").join(name.path(self.mode.content_extension()))
    }

    /// Whether the object is in `objects/`; its bytes are not looked at.
    pub fn has(&self, name: &ObjectName) -> bool {
        self.object_path(name).symlink_metadata().is_ok()
    }

    /// The bytes of a metadata object, checked against its name.
    pub fn load_metadata(&self, kind: ObjectKind, checksum: &Checksum) -> Result<Vec<u8>> {
        let name = ObjectName::new(kind, *checksum);
        let path = self.object_path(&name);
        let bytes = read_bounded(&path, &name)?;
        name.check(&bytes).map_err(Error::corrupt(path.display()))?;
        Ok(bytes)
    }

    /// A commit.
    pub fn load_commit(&self, checksum: &Checksum) -> Result<Commit> {
        let bytes = self.load_metadata(ObjectKind::Commit, checksum)?;
        Commit::decode(&bytes).map_err(Error::corrupt(format_args!("commit {checksum}")))
    }

    /// A dirtree.
    pub fn load_dirtree(&self, checksum: &Checksum) -> Result<DirTree> {
        let bytes = self.load_metadata(ObjectKind::DirTree, checksum)?;
        DirTree::decode(&bytes).map_err(Error::corrupt(format_args!("dirtree {checksum}")))
    }

    /// A dirmeta.
    pub fn load_dirmeta(&self, checksum: &Checksum) -> Result<DirMeta> {
        let bytes = self.load_metadata(ObjectKind::DirMeta, checksum)?;
        DirMeta::decode(&bytes).map_err(Error::corrupt(format_args!("dirmeta {checksum}")))
    }

    /// The detached metadata of a commit, if there is any. It is not covered by the commit's checksum.
    pub fn load_detached(&self, commit: &Checksum) -> Result<Option<Dict>> {
        let name = ObjectName::new(ObjectKind::CommitMeta, *commit);
        let path = self.object_path(&name);
        match read_bounded(&path, &name) {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
            Ok(bytes) => {
                Dict::decode("detached metadata", &bytes).map(Some).map_err(Error::corrupt(path.display()))
            }
        }
    }

    /// Opens a content object. Its bytes are not checked; see [`Repo::verify_content`].
    pub fn open_content(&self, checksum: &Checksum) -> Result<Content> {
        let name = ObjectName::new(ObjectKind::File, *checksum);
        let path = self.object_path(&name);
        if self.mode == RepoMode::Archive {
            let file = File::open(&path).map_err(|error| missing(error, &name, &path))?;
            let filez = Filez::open(io::BufReader::with_capacity(16 << 10, file))
                .map_err(|error| error.at(path.display()))?;
            return Ok(Content {
                header: filez.header().clone(),
                size: filez.size(),
                reader: Box::new(filez),
            });
        }
        let metadata = path.symlink_metadata().map_err(|error| missing(error, &name, &path))?;
        let header = self.bare_header(&path, &metadata)?;
        if header.is_symlink() {
            return Ok(Content { header, size: 0, reader: Box::new(io::empty()) });
        }
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        Ok(Content { header, size: metadata.len(), reader: Box::new(file) })
    }

    /// The header of a content object in a bare repo of any kind, as the file system tells it.
    fn bare_header(&self, path: &Path, metadata: &fs::Metadata) -> Result<FileHeader> {
        let mut header = match self.mode {
            RepoMode::BareUser => {
                let meta = sys::get_xattr(path, b"user.ostreemeta")
                    .map_err(Error::io("read user.ostreemeta of", path))?;
                let meta = meta.ok_or_else(|| Error::not_found("user.ostreemeta", path))?;
                let mut header =
                    FileHeader::decode_ostreemeta(&meta).map_err(Error::corrupt(path.display()))?;
                if header.is_symlink() {
                    let target = fs::read(path).map_err(Error::io("read", path))?;
                    header.target = Some(utf8(path, target.strip_suffix(&[0]).unwrap_or(&target))?);
                }
                return Ok(header);
            }
            RepoMode::BareUserOnly => {
                FileHeader { uid: 0, gid: 0, mode: metadata.mode(), target: None, xattrs: Xattrs::default() }
            }
            _ => FileHeader {
                uid: metadata.uid(),
                gid: metadata.gid(),
                mode: metadata.mode(),
                target: None,
                xattrs: read_xattrs(path)?,
            },
        };
        if metadata.is_symlink() {
            header.mode = content::MODE_SYMLINK | 0o777;
            let target = fs::read_link(path).map_err(Error::io("read", path))?;
            header.target = Some(utf8(path, target.as_os_str().as_bytes())?);
        }
        Ok(header)
    }

    /// Reads a content object through and compares it with its name; returns its size in bytes.
    pub fn verify_content(&self, checksum: &Checksum) -> Result<u64> {
        let name = ObjectName::new(ObjectKind::File, *checksum);
        let mut content = self.open_content(checksum)?;
        let mut hasher = content.header.hasher();
        let mut buffer = [0; 32 << 10];
        let mut size = 0u64;
        loop {
            let count =
                content.reader.read(&mut buffer).map_err(Error::io("read", self.object_path(&name)))?;
            if count == 0 {
                break;
            }
            hasher.update(buffer.get(..count).unwrap_or_default());
            size += count as u64;
        }
        name.check_checksum(hasher.finish()).map_err(Error::corrupt(self.object_path(&name).display()))?;
        Ok(size)
    }

    /// Reads any object through and compares it with its name.
    pub fn verify(&self, name: &ObjectName) -> Result<()> {
        match name.kind {
            ObjectKind::File => self.verify_content(&name.checksum).map(|_| ()),
            ObjectKind::DirTree => self.load_dirtree(&name.checksum).map(|_| ()),
            ObjectKind::DirMeta => self.load_dirmeta(&name.checksum).map(|_| ()),
            ObjectKind::Commit => self.load_commit(&name.checksum).map(|_| ()),
            ObjectKind::CommitMeta => self.load_detached(&name.checksum).map(|_| ()),
            ObjectKind::Tombstone => Ok(()),
        }
    }

    /// Names of all loose objects, in no order.
    pub fn list_objects(&self) -> Result<Vec<ObjectName>> {
        let mut names = Vec::new();
        for (directory, path) in crate::fs::list(&self.root.join("objects"))? {
            if directory.len() == 2 {
                names.extend(
                    crate::fs::list(&path)?
                        .iter()
                        .filter_map(|(file, _)| ObjectName::parse(&directory, file)),
                );
            }
        }
        Ok(names)
    }
}

/// All extended attributes of a file or directory, sorted; those with an empty value are passed over, as libostree does.
pub(crate) fn read_xattrs(path: &Path) -> Result<Xattrs> {
    let names = sys::list_xattrs(path).map_err(Error::io("list xattrs of", path))?;
    let mut pairs = Vec::with_capacity(names.len());
    for name in names {
        match sys::get_xattr(path, &name).map_err(Error::io("read xattrs of", path))? {
            Some(value) if !value.is_empty() => pairs.push((name, value)),
            _ => {}
        }
    }
    Ok(Xattrs::from_unsorted(pairs))
}

fn utf8(path: &Path, bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| {
        Error::corrupt_at(
            path.display().to_string(),
            rootling_object::Error::malformed(
                "file header",
                "symlink target",
                "UTF-8",
                format_args!("{:?}", String::from_utf8_lossy(bytes)),
            ),
        )
    })
}

fn missing(error: io::Error, name: &ObjectName, path: &Path) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::no_object(name, path.parent().unwrap_or(path)),
        _ => Error::io("open", path)(error),
    }
}

fn read_bounded(path: &Path, name: &ObjectName) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|error| missing(error, name, path))?;
    let size = file.metadata().map_err(Error::io("stat", path))?.len();
    if size > MAX_METADATA_SIZE {
        return Err(Error::corrupt_at(
            path.display().to_string(),
            rootling_object::Error::malformed(
                "metadata object",
                "size",
                format_args!("at most {MAX_METADATA_SIZE} bytes"),
                size,
            ),
        ));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(MAX_METADATA_SIZE).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    Ok(bytes)
}
