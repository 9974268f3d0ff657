//! Copies of single files and folders with owner, mode, xattrs and time.

use crate::error::{Error, Result};
use crate::sys;
use std::fs::{self, DirBuilder, File, FileTimes, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;

/// Copies a file or symlink to a path where nothing is.
pub(super) fn copy_file(from: &Path, metadata: &Metadata, to: &Path) -> Result<()> {
    if metadata.is_symlink() {
        let target = fs::read_link(from).map_err(Error::io("read link", from))?;
        symlink(target, to).map_err(Error::io("make symlink", to))?;
        lchown(to, Some(metadata.uid()), Some(metadata.gid())).map_err(Error::io("change owner of", to))?;
        return copy_xattrs(from, to);
    }
    let mut source = File::open(from).map_err(Error::io("open", from))?;
    let mut file = File::create_new(to).map_err(Error::io("create", to))?;
    crate::fs::copy(&mut source, &mut file, to)?;
    copy_attributes(from, metadata, to, &file)
}

/// Makes a folder, or takes the one that is there, with the attributes of another.
pub(super) fn copy_dir(from: &Path, metadata: &Metadata, to: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.map_err(Error::io("make directory", to))?,
    }
    let dir = File::open(to).map_err(Error::io("open", to))?;
    copy_attributes(from, metadata, to, &dir)
}

/// Owner before mode, since changing the owner drops setuid.
fn copy_attributes(from: &Path, metadata: &Metadata, to: &Path, file: &File) -> Result<()> {
    chown(to, Some(metadata.uid()), Some(metadata.gid())).map_err(Error::io("change owner of", to))?;
    copy_xattrs(from, to)?;
    file.set_permissions(Permissions::from_mode(metadata.mode() & 0o7777))
        .map_err(Error::io("change mode of", to))?;
    let modified = metadata.modified().map_err(Error::io("read the time of", from))?;
    file.set_times(FileTimes::new().set_modified(modified)).map_err(Error::io("set time of", to))
}

/// Copies what the file system and the rights of this process allow: labels may be refused in a container.
fn copy_xattrs(from: &Path, to: &Path) -> Result<()> {
    for (name, value) in crate::repo::read_xattrs(from)?.0 {
        match sys::set_xattr(to, &name, &value) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTSUP | libc::EPERM)) => {
                crate::warn!("{}: xattr {} not kept: {error}", to.display(), String::from_utf8_lossy(&name));
            }
            done => done.map_err(Error::io("set xattrs of", to))?,
        }
    }
    Ok(())
}
