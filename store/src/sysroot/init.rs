//! An empty sysroot and its stateroots.
//!
//! Nothing here can be half done in a way that matters: every step makes something unless it is there, the repo's
//! configuration comes last, and without it the folder is no sysroot. Both may be run again.

use crate::error::{Error, Result};
use crate::repo::{Repo, RepoMode};
use rootling_boot::bootlink::is_stateroot;
use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;

/// The folders of a physical root, as `ostree admin init-fs` makes them: mount points, and a home for rescue work.
const ROOT_DIRS: [(&str, u32); 10] = [
    ("boot", 0o755),
    ("dev", 0o755),
    ("home", 0o755),
    ("proc", 0o755),
    ("run", 0o755),
    ("sys", 0o755),
    ("root", 0o700),
    ("tmp", 0o1777),
    ("ostree", 0o755),
    ("ostree/deploy", 0o755),
];

/// What a stateroot's `/var` has before the first boot: what libostree makes for systems without tmpfiles.d.
const VAR_DIRS: [(&str, u32); 3] = [("tmp", 0o1777), ("lib", 0o755), ("log", 0o755)];
const VAR_LINKS: [(&str, &str); 2] = [("run", "../run"), ("lock", "../run/lock")];

/// Lays out a sysroot with an empty repo in an existing folder; what is there already stays.
pub fn init(path: &Path) -> Result<()> {
    for (name, mode) in ROOT_DIRS {
        ensure_dir(&path.join(name), mode)?;
    }
    Repo::create(&path.join("ostree/repo"), RepoMode::Bare)?;
    crate::fs::sync_file_system(path)
}

/// Adds a stateroot; one that is there already stays as it is.
pub fn init_stateroot(sysroot: &Path, name: &str) -> Result<()> {
    if !is_stateroot(name) {
        return Err(Error::refused(format_args!(
            "stateroot {name:?}: expected a name without slashes, spaces, quotes or control characters"
        )));
    }
    let dir = sysroot.join("ostree/deploy").join(name);
    ensure_dir(&dir, 0o755)?;
    ensure_dir(&dir.join("deploy"), 0o755)?;
    let var = dir.join("var");
    ensure_dir(&var, 0o755)?;
    for (name, mode) in VAR_DIRS {
        ensure_dir(&var.join(name), mode)?;
    }
    for (name, target) in VAR_LINKS {
        let link = var.join(name);
        match symlink(target, &link) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(Error::io("link", &link)(error));
            }
            _ => {}
        }
    }
    crate::fs::sync_file_system(&dir)
}

/// Makes a folder with exactly this mode, whatever the umask; one that is there keeps its mode.
pub(super) fn ensure_dir(path: &Path, mode: u32) -> Result<()> {
    match DirBuilder::new().mode(mode & 0o777).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(Error::io("set the mode of", path)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(Error::io("make directory", path)(error)),
    }
}
