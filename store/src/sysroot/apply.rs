//! Performing the steps of a boot plan on the disk.
//!
//! Which of them is durable when is said in `rootling_boot::plan`; here each step can be repeated: whatever a
//! killed run left under its name is replaced. Half-written files have names that end in [`DRAFT`].

use super::init::ensure_dir;
use super::loader::SYNCED;
use super::space::same_file_system;
use crate::error::{Error, Result};
pub(super) use rootling_boot::loader::DRAFT;
use rootling_boot::plan::Step;
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Component, Path, PathBuf};

/// The link that a boot loader follows.
const LOADER: &str = "boot/loader";

/// Performs one step below the sysroot.
pub(super) fn apply(sysroot: &Path, step: &Step) -> Result<()> {
    match step {
        Step::Remove(path) => remove_all(&sysroot.join(path)),
        Step::MakeDir(path) => make_dirs(sysroot, Path::new(path)),
        Step::Write { path, text } => write(&sysroot.join(path), text),
        Step::Link { target, path } => link(target, &sysroot.join(path)),
        Step::Install { from, to, is_dir: false } => install(&sysroot.join(from), &sysroot.join(to)),
        Step::Install { from, to, is_dir: true } => install_dir(&sysroot.join(from), &sysroot.join(to)),
        Step::Sync => sync(sysroot),
        Step::Rename { from, to } => {
            let keeps_old = from.ends_with(DRAFT) || to == LOADER;
            rename(&sysroot.join(from), &sysroot.join(to), keeps_old)
        }
    }
}

/// Removes a file, or a folder with all in it, or nothing; links are not followed.
pub(super) fn remove_all(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(Error::io("remove", path))
}

fn make_dirs(sysroot: &Path, path: &Path) -> Result<()> {
    let mut dir = sysroot.to_owned();
    for part in path.components() {
        if let Component::Normal(part) = part {
            dir.push(part);
            ensure_dir(&dir, 0o755)?;
        }
    }
    Ok(())
}

fn draft(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(DRAFT);
    path.with_file_name(name)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = File::create(path).map_err(Error::io("create", path))?;
    file.write_all(text.as_bytes()).map_err(Error::io("write", path))?;
    file.set_permissions(Permissions::from_mode(0o644)).map_err(Error::io("change mode of", path))
}

fn link(target: &str, path: &Path) -> Result<()> {
    if fs::read_link(path).is_ok_and(|there| there == Path::new(target)) {
        return Ok(());
    }
    let draft = draft(path);
    remove_all(&draft)?;
    symlink(target, &draft).map_err(Error::io("make symlink", &draft))?;
    fs::rename(&draft, path).map_err(Error::io("rename", &draft))
}

/// Renames over what is there; what a boot loader reads changes places with its draft instead.
///
/// A loader that does not replay the journal may see the folder as it was: the link or file that was in use then has
/// to be there still. Renamed over, it would be freed, and its blocks could be used by another file at once, or have no
/// length any more. The old one stays under the draft's name until the folder is seen as it is now: a link for the next
/// swap, a file for the plan's own removal. Where the file system cannot exchange them (FAT before Linux 6.0) a file is
/// held open until the folder is on disk; a link cannot be.
fn rename(from: &Path, to: &Path, keeps_old: bool) -> Result<()> {
    let exchanged = keeps_old
        && fs::symlink_metadata(to).is_ok_and(|there| !there.is_dir())
        && crate::sys::exchange(from, to).map_err(Error::io("exchange", from))?;
    if exchanged {
        return Ok(());
    }
    // what is open is not freed, so the old one is whole for as long as its name may still be on the disk
    let held = File::open(to).ok().filter(|_| keeps_old);
    fs::rename(from, to).map_err(Error::io("rename", from))?;
    match (&held, to.parent()) {
        (Some(_), Some(folder)) => sync_whole(folder),
        _ => Ok(()),
    }
}

/// Makes a file system durable, and visible to a loader that does not replay its journal.
pub(super) fn sync_whole(folder: &Path) -> Result<()> {
    crate::fs::sync_file_system(folder)?;
    crate::fs::checkpoint(folder)
}

/// A hard link where the file systems are the same, else a copy that is whole and durable before it has its name.
fn install(from: &Path, to: &Path) -> Result<()> {
    if fs::symlink_metadata(to).is_ok() {
        return Ok(());
    }
    match fs::hard_link(from, to) {
        Ok(()) => return Ok(()),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EXDEV | libc::EMLINK | libc::EPERM)) => {}
        Err(error) => return Err(Error::io("link", to)(error)),
    }
    let draft = draft(to);
    remove_all(&draft)?;
    let mut source = File::open(from).map_err(Error::io("open", from))?;
    let metadata = source.metadata().map_err(Error::io("stat", from))?;
    let mut file = File::create_new(&draft).map_err(Error::io("create", &draft))?;
    crate::fs::copy(&mut source, &mut file, &draft)?;
    if let Err(error) = chown(&draft, Some(metadata.uid()), Some(metadata.gid()))
        && error.raw_os_error() != Some(libc::EPERM)
    {
        return Err(Error::io("change owner of", &draft)(error));
    }
    // FAT has one mode for all
    match file.set_permissions(Permissions::from_mode(metadata.mode() & 0o7777)) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
        done => done.map_err(Error::io("change mode of", &draft))?,
    }
    file.sync_all().map_err(Error::io("sync", &draft))?;
    fs::rename(&draft, to).map_err(Error::io("rename", &draft))
}

/// As [`install`] for all files of a folder.
fn install_dir(from: &Path, to: &Path) -> Result<()> {
    ensure_dir(to, 0o755)?;
    for (name, path) in crate::fs::list(from)? {
        if path.symlink_metadata().map_err(Error::io("stat", &path))?.is_dir() {
            install_dir(&path, &to.join(name))?;
        } else {
            install(&path, &to.join(name))?;
        }
    }
    Ok(())
}

/// Makes all durable, and what is below `boot` visible to a loader that does not replay the journal.
pub(super) fn sync(sysroot: &Path) -> Result<()> {
    let repo = sysroot.join("ostree/repo");
    crate::fs::sync_file_system(&repo)?;
    for place in SYNCED {
        let place = sysroot.join(place);
        if place.is_dir() && !same_file_system(&repo, &place)? {
            crate::fs::sync_file_system(&place)?;
        }
    }
    crate::fs::checkpoint(&sysroot.join("boot"))
}
