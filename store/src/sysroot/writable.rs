//! Writing to a running system that has `/sysroot` or `/boot` mounted read-only (`sysroot.readonly`).
//!
//! The process gets a mount namespace of its own and makes the mounts writable there; for every other process they
//! stay read-only. The namespace, and with it the change, ends with the process. Nothing on a disk changes.

use crate::error::{Error, Result};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};
use std::fs;
use std::path::Path;

/// Makes the mounts of the running system's sysroot writable for this process.
///
/// Threads that were started before do not see the change.
pub(super) fn make_writable(sysroot: &Path) -> Result<()> {
    for name in ["sysroot", "boot"] {
        let path = sysroot.join(name);
        if path.is_dir() && is_read_only(&path)? {
            leave_shared_namespace()?;
            mount(Some(&path), &path, None::<&str>, MsFlags::MS_REMOUNT | MsFlags::MS_RELATIME, None::<&str>)
                .map_err(|errno| Error::io("remount writable", &path)(errno.into()))?;
        }
    }
    Ok(())
}

fn is_read_only(path: &Path) -> Result<bool> {
    let stat = statvfs(path).map_err(|errno| Error::io("ask for the mount of", path)(errno.into()))?;
    Ok(stat.flags().contains(FsFlags::ST_RDONLY))
}

/// A namespace of its own, unless this process has one that is not PID 1's.
fn leave_shared_namespace() -> Result<()> {
    let [first, own] = ["/proc/1/ns/mnt", "/proc/self/ns/mnt"];
    let own_id = fs::read_link(own).map_err(Error::io("read link", own))?;
    if fs::read_link(first).is_ok_and(|first| first != own_id) {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| Error::io("leave the mount namespace", own)(errno.into()))
}
