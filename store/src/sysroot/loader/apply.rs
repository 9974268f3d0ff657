//! Performing one step of a loader's plan.

use super::efi::EFIVARS;
use crate::error::{Error, Result};
use crate::sysroot::apply as disk;
use rootling_boot::loader::Step;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Performs one step; paths are below the sysroot, but for devices.
pub(in crate::sysroot) fn apply(sysroot: &Path, step: &Step) -> Result<()> {
    match step {
        Step::Disk(step) => disk::apply(sysroot, step),
        Step::WriteBytes { path, bytes } => {
            let path = sysroot.join(path);
            if path.exists() {
                // a killed run left it, maybe as the file that a loader still sees under its own name
                disk::sync(sysroot)?;
                disk::remove_all(&path)?;
            }
            fs::write(&path, bytes).map_err(Error::io("write", &path))
        }
        Step::Overwrite { path, offset, bytes } => {
            let path = sysroot.join(path);
            let file = OpenOptions::new().write(true).open(&path).map_err(Error::io("open", &path))?;
            file.write_all_at(bytes, *offset).map_err(Error::io("write", &path))?;
            file.sync_all().map_err(Error::io("sync", &path))
        }
        Step::SetVariable { name, bytes } => {
            let path = mutable_variable(sysroot, name)?;
            let write = || {
                // efivarfs takes a variable in one write, and cuts it by itself
                let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
                file.write_all(bytes)?;
                let length = u64::try_from(bytes.len()).unwrap_or_default();
                if file.metadata()?.len() > length { file.set_len(length) } else { Ok(()) }
            };
            write().map_err(Error::io("write", &path))
        }
        Step::RemoveVariable { name } => disk::remove_all(&mutable_variable(sysroot, name)?),
    }
}

/// The file of a variable; the kernel makes most of them immutable, against `rm -rf`.
fn mutable_variable(sysroot: &Path, name: &str) -> Result<PathBuf> {
    let path = sysroot.join(EFIVARS).join(name);
    if let Ok(file) = File::open(&path) {
        crate::sys::set_immutable(file.as_fd(), false).map_err(Error::io("make mutable", &path))?;
    }
    Ok(path)
}
