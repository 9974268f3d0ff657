//! From a commit to a directory, by hard links where the repo allows it.
//!
//! Nothing here is synced: who makes a checkout to keep syncs the file system once, after the last one. A checkout
//! that was cut short is removed and made again.

use crate::error::{Error, Result};
use crate::repo::{Repo, RepoMode};
use crate::sys;
use rootling_object::{Checksum, DirMeta, FileHeader, ObjectKind, ObjectName, Xattrs};
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// How files get into the directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckoutOptions {
    /// Always copies, so that the files may be changed.
    pub copy: bool,
    /// Leaves owners and xattrs as the file system makes them, as a user without root must.
    pub user: bool,
}

/// What a checkout did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckoutStats {
    /// Files that share their inode with the repo.
    pub linked: u64,
    /// Files that were copied, symlinks included.
    pub copied: u64,
    /// Directories.
    pub dirs: u64,
}

/// Makes the directory `to` from a tree; `to` must not be there.
pub fn checkout(
    repo: &Repo,
    root: (&Checksum, &Checksum),
    to: &Path,
    options: CheckoutOptions,
) -> Result<CheckoutStats> {
    let mut stats = CheckoutStats::default();
    checkout_dir(repo, root, to, options, &mut stats)?;
    Ok(stats)
}

fn checkout_dir(
    repo: &Repo,
    (tree, meta): (&Checksum, &Checksum),
    to: &Path,
    options: CheckoutOptions,
    stats: &mut CheckoutStats,
) -> Result<()> {
    fs::DirBuilder::new().mode(0o700).create(to).map_err(Error::io("make directory", to))?;
    stats.dirs += 1;
    let tree = repo.load_dirtree(tree)?;
    for (name, checksum) in &tree.files {
        checkout_file(repo, checksum, &to.join(name), options, stats)?;
    }
    for (name, tree, meta) in &tree.dirs {
        checkout_dir(repo, (tree, meta), &to.join(name), options, stats)?;
    }
    finish_dir(&repo.load_dirmeta(meta)?, to, options)
}

/// Owner before mode, since changing the owner drops setgid; both after the last entry was made.
fn finish_dir(meta: &DirMeta, to: &Path, options: CheckoutOptions) -> Result<()> {
    if !options.user {
        chown(to, Some(meta.uid), Some(meta.gid)).map_err(Error::io("change owner of", to))?;
        set_xattrs(to, &meta.xattrs)?;
    }
    fs::set_permissions(to, Permissions::from_mode(meta.mode & 0o7777))
        .map_err(Error::io("change mode of", to))?;
    let dir = match File::open(to) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(Error::io("open", to)(error)),
    };
    dir.set_times(FileTimes::new().set_modified(UNIX_EPOCH)).map_err(Error::io("set time of", to))
}

fn set_xattrs(path: &Path, xattrs: &Xattrs) -> Result<()> {
    for (name, value) in &xattrs.0 {
        sys::set_xattr(path, name, value).map_err(Error::io("set xattrs of", path))?;
    }
    Ok(())
}

/// Puts one content object at `to`.
///
/// Empty files are copied, as libostree does: many share one object, and file systems bound the names of an inode.
pub fn checkout_file(
    repo: &Repo,
    checksum: &Checksum,
    to: &Path,
    options: CheckoutOptions,
    stats: &mut CheckoutStats,
) -> Result<()> {
    let linkable = match repo.mode() {
        RepoMode::Bare => !options.user,
        RepoMode::BareUser | RepoMode::BareUserOnly => options.user,
        RepoMode::Archive => false,
    };
    if linkable && !options.copy {
        let object = repo.object_path(&ObjectName::new(ObjectKind::File, *checksum));
        let metadata = object.symlink_metadata().map_err(Error::io("find", &object))?;
        let stored_as_file = repo.mode() == RepoMode::BareUser && is_stored_symlink(repo, checksum)?;
        if (metadata.is_symlink() || metadata.len() > 0) && !stored_as_file {
            match fs::hard_link(&object, to) {
                Ok(()) => {
                    stats.linked += 1;
                    return Ok(());
                }
                Err(error)
                    if matches!(error.raw_os_error(), Some(libc::EMLINK | libc::EXDEV | libc::EPERM)) => {}
                Err(error) => return Err(Error::io("link", to)(error)),
            }
        }
    }
    let mut content = repo.open_content(checksum)?;
    stats.copied += 1;
    write_file(&content.header, &mut *content.reader, to, options)
}

fn is_stored_symlink(repo: &Repo, checksum: &Checksum) -> Result<bool> {
    Ok(repo.open_content(checksum)?.header.is_symlink())
}

fn write_file(header: &FileHeader, source: &mut dyn Read, to: &Path, options: CheckoutOptions) -> Result<()> {
    if let Some(target) = &header.target {
        symlink(target, to).map_err(Error::io("make symlink", to))?;
        if !options.user {
            lchown(to, Some(header.uid), Some(header.gid)).map_err(Error::io("change owner of", to))?;
            set_xattrs(to, &header.xattrs)?;
        }
        return Ok(());
    }
    let mut file = File::create_new(to).map_err(Error::io("create", to))?;
    let mut buffer = [0; 32 << 10];
    loop {
        let count = source.read(&mut buffer).map_err(Error::io("read for", to))?;
        if count == 0 {
            break;
        }
        file.write_all(buffer.get(..count).unwrap_or_default()).map_err(Error::io("write", to))?;
    }
    if !options.user {
        chown(to, Some(header.uid), Some(header.gid)).map_err(Error::io("change owner of", to))?;
        set_xattrs(to, &header.xattrs)?;
    }
    file.set_permissions(Permissions::from_mode(header.mode & 0o7777))
        .map_err(Error::io("change mode of", to))?;
    file.set_times(FileTimes::new().set_modified(UNIX_EPOCH)).map_err(Error::io("set time of", to))
}
