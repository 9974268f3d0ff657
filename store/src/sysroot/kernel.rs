//! The boot files of a deployment on disk: found and hashed as `rootling_boot::kernel` lays down.

use super::boot_error;
use crate::error::{Error, Result};
use rootling_boot::kernel::{MODULES, VMLINUZ, choose_version, dtb_order};
use rootling_boot::{KernelFiles, OsRelease};
use rootling_object::{Checksum, Hasher};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Finds the kernel of a tree and what comes with it.
pub(super) fn find(tree: &Path) -> Result<KernelFiles> {
    let modules = tree.join(MODULES);
    let mut versions = Vec::new();
    for (name, path) in crate::fs::list(&modules)? {
        if path.join(VMLINUZ).is_file() {
            versions.push(name);
        }
    }
    let version = choose_version(versions.iter().map(String::as_str)).map_err(boot_error(tree.display()))?;
    let names = crate::fs::list(&modules.join(version))?;
    Ok(KernelFiles::find(version, names.iter().map(|(name, path)| (name.as_str(), path.is_dir()))))
}

/// The boot checksum of a tree's boot files.
pub(super) fn bootcsum(tree: &Path, kernel: &KernelFiles) -> Result<Checksum> {
    let folder = tree.join(MODULES).join(&kernel.version);
    let mut hasher = Hasher::new();
    for name in kernel.hashed() {
        let path = folder.join(name);
        if !path.is_dir() {
            hash_file(&path, &mut hasher)?;
            continue;
        }
        let mut files = Vec::new();
        list_files(&path, "", &mut files)?;
        dtb_order(&mut files);
        for file in files {
            hash_file(&path.join(file), &mut hasher)?;
        }
    }
    Ok(hasher.finish())
}

/// Adds a file's bytes; a link to nothing adds none, as in libostree.
fn hash_file(path: &Path, hasher: &mut Hasher) -> Result<()> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        file => file.map_err(Error::io("open", path))?,
    };
    let mut buffer = [0; 32 << 10];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => return Ok(()),
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// The paths of all files below a folder, relative to it; folders themselves are left out.
fn list_files(folder: &Path, prefix: &str, files: &mut Vec<String>) -> Result<()> {
    for (name, path) in crate::fs::list(folder)? {
        let relative = format!("{prefix}{name}");
        if path.symlink_metadata().map_err(Error::io("stat", &path))?.is_dir() {
            list_files(&path, &format!("{relative}/"), files)?;
        } else {
            files.push(relative);
        }
    }
    Ok(())
}

/// The title of a tree's system, from `usr/lib/os-release` or else `etc/os-release`.
pub(super) fn os_title(tree: &Path) -> Result<String> {
    for place in ["usr/lib/os-release", "etc/os-release"] {
        let path = tree.join(place);
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("read", &path)(error)),
            Ok(bytes) => {
                let release = OsRelease::parse(&String::from_utf8_lossy(&bytes));
                let title = release.title().map(str::to_string);
                let reason = || format!("{}: expected PRETTY_NAME or ID, got neither", path.display());
                return title.ok_or_else(|| Error::refused(reason()));
            }
        }
    }
    Err(Error::not_found("os-release", tree))
}
