//! Performing one step of a loader's plan.

use super::{efi, flash};
use crate::error::{Error, Result};
use crate::sysroot::apply as disk;
use rootling_boot::loader::Step;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

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
            let file =
                OpenOptions::new().read(true).write(true).open(&path).map_err(Error::io("open", &path))?;
            if flash::overwrite(&file, &path, *offset, bytes)? {
                // a character device, which knows no sync: a write is durable when it returns
                return Ok(());
            }
            file.write_all_at(bytes, *offset).map_err(Error::io("write", &path))?;
            file.sync_all().map_err(Error::io("sync", &path))
        }
        Step::SetVariable { name, bytes } => efi::set_variable(sysroot, name, bytes),
        Step::RemoveVariable { name } => efi::remove_variable(sysroot, name),
    }
}
