//! Writing one content object into the staging directory, as the mode of the repo wants it.

use super::{Repo, RepoMode};
use crate::archive::Filez;
use crate::error::{Error, Result};
use crate::fs::{CHUNK, copy};
use crate::input::Input;
use crate::sys;
use rootling_object::{Checksum, FileHeader, Hasher};
use std::fs::{File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Passes bytes on and hashes them.
struct Hashing<'a> {
    source: &'a mut dyn Input,
    hasher: Hasher,
    count: u64,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        self.count += count as u64;
        Ok(count)
    }

    fn read_to_end(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        crate::fs::read_to_end(self, out)
    }
}

pub(super) fn create(path: &Path) -> Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::io("create", path))
}

/// Whatever the umask: a web server reads objects as another user.
pub(super) fn for_all_to_read(file: &File, path: &Path) -> Result<()> {
    file.set_permissions(Permissions::from_mode(0o644)).map_err(Error::io("change mode of", path))
}

impl Repo {
    /// Writes a content object to `draft` and returns its checksum. The caller names it afterwards.
    pub(super) fn write_content_draft(
        &self,
        draft: &Path,
        header: &FileHeader,
        size: u64,
        source: &mut dyn Input,
    ) -> Result<Checksum> {
        let mut source = Hashing { source, hasher: header.hasher(), count: 0 };
        match self.mode {
            RepoMode::Archive => self.write_archive(draft, header, size, &mut source)?,
            RepoMode::Bare => write_bare(draft, header, &mut source)?,
            RepoMode::BareUser => write_bare_user(draft, header, &mut source)?,
            RepoMode::BareUserOnly => {
                return Err(Error::unsupported("writing into a repo of mode bare-user-only"));
            }
        }
        if source.count != size {
            let (expected, got) = (format!("{size} bytes"), format!("{} bytes", source.count));
            let what = "content";
            let source = rootling_object::Error::malformed(what, "size", expected, got);
            return Err(Error::corrupt_at(draft.display().to_string(), source));
        }
        Ok(source.hasher.finish())
    }

    /// Gives a regular file that was written what else the mode of the repo wants.
    pub(super) fn settle(&self, file: &File, draft: &Path, header: &FileHeader) -> Result<()> {
        match self.mode {
            RepoMode::Bare => settle_bare(file, draft, header),
            RepoMode::BareUser => settle_bare_user(file, draft, header),
            mode => Err(Error::unsupported(format_args!("content in pieces in a repo of mode {mode}"))),
        }
    }

    fn write_archive(
        &self,
        draft: &Path,
        header: &FileHeader,
        size: u64,
        source: &mut Hashing<'_>,
    ) -> Result<()> {
        let mut file = create(draft)?;
        for_all_to_read(&file, draft)?;
        file.write_all(&header.encode_archive(size)).map_err(Error::io("write", draft))?;
        if header.is_symlink() {
            return Ok(());
        }
        let deflate = self
            .deflate
            .as_ref()
            .ok_or_else(|| Error::unsupported("compressing into an archive repo by this program"))?;
        deflate.deflate(source, size, &mut file).map_err(Error::io("compress into", draft))
    }

    /// Writes a `.filez` as it comes from elsewhere to `draft` and returns the checksum of what is in it.
    ///
    /// `reserve` is told the size of the file before anything is written.
    pub(super) fn import_filez_draft(
        &self,
        draft: &Path,
        place: &dyn std::fmt::Display,
        source: &mut dyn Input,
        reserve: &dyn Fn(u64) -> Result<()>,
    ) -> Result<Checksum> {
        if self.mode != RepoMode::Archive {
            let mut filez = Filez::open(source).map_err(|error| error.at(place))?;
            let (header, size) = (filez.header().clone(), filez.size());
            reserve(size)?;
            return self.write_content_draft(
                draft,
                &header,
                size,
                &mut Malformed { inner: &mut filez, place },
            );
        }
        let mut tee = Tee { source, file: create(draft)? };
        for_all_to_read(&tee.file, draft)?;
        let mut filez = Filez::open(&mut tee).map_err(|error| error.at(place))?;
        reserve(filez.size())?;
        let mut hasher = filez.header().hasher();
        let mut buffer = [0; CHUNK];
        let mut inner = Malformed { inner: &mut filez, place };
        loop {
            let count = inner.read(&mut buffer).map_err(Error::io("read", place.to_string()))?;
            if count == 0 {
                return Ok(hasher.finish());
            }
            hasher.update(buffer.get(..count).unwrap_or_default());
        }
    }
}

/// Turns what a decompressor found wrong into an error of this crate that names the place.
struct Malformed<'a> {
    inner: &'a mut dyn Input,
    place: &'a dyn std::fmt::Display,
}

impl Read for Malformed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<rootling_object::Error>()) {
                Some(source) => Error::corrupt(self.place)(source.clone()).into(),
                None => error,
            }
        })
    }

    fn read_to_end(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        crate::fs::read_to_end(self, out)
    }
}

struct Tee<'a> {
    source: &'a mut dyn Input,
    file: File,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.file.write_all(buffer.get(..count).unwrap_or_default())?;
        Ok(count)
    }

    fn read_to_end(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        crate::fs::read_to_end(self, out)
    }
}

fn write_bare(draft: &Path, header: &FileHeader, source: &mut Hashing<'_>) -> Result<()> {
    let owner = (Some(header.uid), Some(header.gid));
    if let Some(target) = &header.target {
        crate::fs::remove_if_there(draft)?;
        symlink(target, draft).map_err(Error::io("make symlink", draft))?;
        lchown(draft, owner.0, owner.1).map_err(Error::io("change owner of", draft))?;
        return set_xattrs(draft, header);
    }
    let mut file = create(draft)?;
    copy(source, &mut file, draft)?;
    settle_bare(&file, draft, header)
}

/// Owner, xattrs, mode and time of a regular file that was written.
fn settle_bare(file: &File, draft: &Path, header: &FileHeader) -> Result<()> {
    let metadata = file.metadata().map_err(Error::io("stat", draft))?;
    if (metadata.uid(), metadata.gid()) != (header.uid, header.gid) {
        chown(draft, Some(header.uid), Some(header.gid)).map_err(Error::io("change owner of", draft))?;
    }
    set_xattrs(draft, header)?;
    finish(file, draft, header.mode & 0o7777)
}

/// Mode bits and a last change at the start of 1970; after the owner, since changing that drops setuid.
fn finish(file: &File, draft: &Path, mode: u32) -> Result<()> {
    file.set_permissions(Permissions::from_mode(mode)).map_err(Error::io("change mode of", draft))?;
    file.set_times(FileTimes::new().set_modified(UNIX_EPOCH)).map_err(Error::io("set time of", draft))
}

fn set_xattrs(draft: &Path, header: &FileHeader) -> Result<()> {
    for (name, value) in &header.xattrs.0 {
        sys::set_xattr(draft, name, value).map_err(Error::io("set xattrs of", draft))?;
    }
    Ok(())
}

fn write_bare_user(draft: &Path, header: &FileHeader, source: &mut Hashing<'_>) -> Result<()> {
    let mut file = create(draft)?;
    if let Some(target) = &header.target {
        file.write_all(target.as_bytes())
            .and_then(|()| file.write_all(&[0]))
            .map_err(Error::io("write", draft))?;
    } else {
        copy(source, &mut file, draft)?;
    }
    settle_bare_user(&file, draft, header)
}

fn settle_bare_user(file: &File, draft: &Path, header: &FileHeader) -> Result<()> {
    sys::set_xattr(draft, b"user.ostreemeta", &header.encode_ostreemeta())
        .map_err(Error::io("set user.ostreemeta of", draft))?;
    let mode = if header.is_symlink() { 0o644 } else { (header.mode & 0o775) | 0o400 };
    finish(file, draft, mode)
}
