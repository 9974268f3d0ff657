//! Small files replaced whole, and directories made durable.

use crate::error::{Error, Result};
use crate::input::Input;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Replaces a file: written beside it, synced, renamed, the directory synced.
///
/// After a power failure the old or the new content is there, never a part.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".rootling-tmp");
    replace_through(&path.with_file_name(name), path, content)
}

/// As [`replace`], with the new file first at `draft`, where others do not look; on the same file system.
pub fn replace_through(draft: &Path, path: &Path, content: &[u8]) -> Result<()> {
    let mut file = File::create(draft).map_err(Error::io("create", draft))?;
    file.write_all(content).map_err(Error::io("write", draft))?;
    file.sync_all().map_err(Error::io("sync", draft))?;
    fs::rename(draft, path).map_err(Error::io("rename", draft))?;
    sync_parent(path)
}

/// Bytes copied at a time.
pub(crate) const CHUNK: usize = 32 << 10;

/// Copies all of `source`; `path` is the file's, for errors.
pub(crate) fn copy(source: &mut dyn Input, file: &mut dyn Write, path: &Path) -> Result<()> {
    let mut buffer = [0; CHUNK];
    loop {
        let count = source.read(&mut buffer).map_err(Error::io("read for", path))?;
        if count == 0 {
            return Ok(());
        }
        file.write_all(buffer.get(..count).unwrap_or_default()).map_err(Error::io("write", path))?;
    }
}

/// Reads to the end, once for all readers of this crate: std's own is there again for each type.
pub(crate) fn read_to_end(source: &mut dyn Read, out: &mut Vec<u8>) -> io::Result<usize> {
    let (mut buffer, before) = ([0; CHUNK], out.len());
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(out.len().saturating_sub(before)),
            Ok(count) => out.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes the names in the directory of `path` durable.
pub fn sync_parent(path: &Path) -> Result<()> {
    sync_dir(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// Makes the names in a directory durable.
pub fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", dir))
}

/// Makes everything written to the file system of `path` durable.
///
/// Linux writes a FAT by `syncfs` and does not have the disk make it durable (6.1: it has no `sync_fs`); `fsync` does.
pub fn sync_file_system(path: &Path) -> Result<()> {
    let dir = File::open(path).map_err(Error::io("open", path))?;
    nix::unistd::syncfs(&dir).map_err(|errno| Error::io("sync the file system of", path)(errno.into()))?;
    dir.sync_all().map_err(Error::io("sync", path))
}

/// Puts what is durable on the file system of `path` where a boot loader finds it that does not replay the journal.
///
/// Not on file systems that have no such thing, and not without the right to; the log names both.
pub fn checkpoint(path: &Path) -> Result<()> {
    let dir = File::open(path).map_err(Error::io("open", path))?;
    match crate::sys::checkpoint(dir.as_fd()) {
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::EOPNOTSUPP | libc::ENOTTY | libc::ENOSYS | libc::EPERM)
            ) =>
        {
            log::debug!("{}: its journal, if any, stays as it is: {error}", path.display());
            Ok(())
        }
        done => done.map_err(Error::io("empty the journal of", path)),
    }
}

/// Removes a file if it is there.
pub fn remove_if_there(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("remove", path)(error)),
    }
}

/// Name and path of everything in a directory, ascending by name; nothing if there is no such directory.
///
/// Names that are not UTF-8 are left out: nothing this crate makes has one.
pub fn list(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let named = |path: PathBuf| Some((path.file_name()?.to_str()?.to_owned(), path));
    Ok(paths(dir)?.into_iter().filter_map(named).collect())
}

/// Everything in a directory, ascending by name; nothing if there is no such directory.
pub fn paths(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("list", dir))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(Error::io("list", dir))?.path());
    }
    // as bytes: all differ behind the last '/' alone
    paths.sort_unstable_by(|one: &PathBuf, other| one.as_os_str().cmp(other.as_os_str()));
    Ok(paths)
}
