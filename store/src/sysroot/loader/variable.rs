//! Firmware variables as files of efivarfs.

use std::path::{Path, PathBuf};

/// Where the kernel shows them.
pub(super) const EFIVARS: &str = "sys/firmware/efi/efivars";

/// The file of a variable, `NAME-GUID`.
pub(super) fn path(root: &Path, name: &str) -> PathBuf {
    root.join(EFIVARS).join(name)
}

#[cfg(feature = "efi")]
pub(super) use change::mutable;
#[cfg(any(feature = "efi", feature = "systemd-boot"))]
pub(super) use change::remove;

#[cfg(any(feature = "efi", feature = "systemd-boot"))]
mod change {
    use super::path;
    use crate::error::{Error, Result};
    use crate::sysroot::apply::remove_all;
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::path::{Path, PathBuf};

    /// The file of a variable, ready to be changed: the kernel makes most of them immutable, against `rm -rf`.
    pub(in super::super) fn mutable(root: &Path, name: &str) -> Result<PathBuf> {
        let path = path(root, name);
        if let Ok(file) = File::open(&path) {
            crate::sys::set_immutable(file.as_fd(), false).map_err(Error::io("make mutable", &path))?;
        }
        Ok(path)
    }

    /// Removes a variable, or nothing.
    pub(in super::super) fn remove(root: &Path, name: &str) -> Result<()> {
        remove_all(&mutable(root, name)?)
    }
}
