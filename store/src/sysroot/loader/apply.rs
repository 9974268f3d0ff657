//! Performing one step of a loader's plan.

use crate::error::{Error, Result};
use crate::sysroot::apply as disk;
use rootling_boot::loader::Step;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Performs one step; paths are below the sysroot, but for devices.
pub(super) fn apply(sysroot: &Path, step: &Step) -> Result<()> {
    match step {
        Step::Disk(step) => disk::apply(sysroot, step),
        Step::WriteBytes { path, bytes } => {
            let path = sysroot.join(path);
            if path.exists() {
                // a killed run left it, maybe as the file that a loader still sees under its own name
                disk::sync(sysroot)?;
                disk::remove_all(&path)?;
            }
            let mut file = File::create(&path).map_err(Error::io("create", &path))?;
            file.write_all(bytes).map_err(Error::io("write", &path))?;
            file.sync_all().map_err(Error::io("sync", &path))
        }
        Step::Overwrite { path, offset, bytes } => {
            let path = sysroot.join(path);
            let file = open(&path)?;
            file.write_all_at(bytes, *offset).map_err(Error::io("write", &path))?;
            file.sync_all().map_err(Error::io("sync", &path))
        }
        Step::SetVariable { name, .. } | Step::RemoveVariable { name } => {
            Err(Error::unsupported(format_args!("firmware variable {name} with this boot loader")))
        }
    }
}

/// What is written over in place.
pub(super) fn open(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).open(path).map_err(Error::io("open", path))
}
