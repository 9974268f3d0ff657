//! The locks that libostree takes too, so that two updaters exclude each other.
//!
//! libostree uses open-file-description locks (`F_OFD_SETLK`) over the whole of `repo/.lock` (shared while objects
//! are added, exclusive while they are removed) and of `ostree/lock` in a sysroot (exclusive). `flock` locks are
//! another kind and would not be seen.

use crate::error::{Error, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// Together with other shared holders.
    Shared,
    /// Alone.
    Exclusive,
}

/// A held lock; dropping it, or the death of the process, lets it go.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock, trying again for at most `patience`.
    pub fn acquire(path: &Path, kind: LockKind, patience: Duration) -> Result<FileLock> {
        let start = Instant::now();
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(Error::io("open", path))?;
            if try_lock(&file, kind).map_err(|errno| Error::io("lock", path)(errno.into()))? {
                // libostree removes `ostree/lock` when it lets go: a lock on a file without a name locks nobody out
                if file.metadata().map_err(Error::io("stat", path))?.nlink() > 0 {
                    return Ok(FileLock { _file: file });
                }
                continue;
            }
            if start.elapsed() >= patience {
                return Err(Error::locked(path.to_owned()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Takes the lock if it is free.
    pub fn try_acquire(path: &Path, kind: LockKind) -> Result<FileLock> {
        FileLock::acquire(path, kind, Duration::ZERO)
    }
}

fn try_lock(file: &File, kind: LockKind) -> std::result::Result<bool, Errno> {
    let l_type = match kind {
        LockKind::Shared => libc::F_RDLCK,
        LockKind::Exclusive => libc::F_WRLCK,
    };
    let whole = libc::flock {
        l_type: l_type as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn exclusive_keeps_all_others_out_and_shared_only_exclusive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let shared = FileLock::try_acquire(&path, LockKind::Shared).unwrap();
        let second = FileLock::try_acquire(&path, LockKind::Shared).unwrap();
        assert!(
            matches!(FileLock::try_acquire(&path, LockKind::Exclusive), Err(error) if matches!(error.kind(), ErrorKind::Locked { .. }))
        );
        drop((shared, second));
        let exclusive = FileLock::try_acquire(&path, LockKind::Exclusive).unwrap();
        assert!(
            matches!(FileLock::try_acquire(&path, LockKind::Shared), Err(error) if matches!(error.kind(), ErrorKind::Locked { .. }))
        );
        drop(exclusive);
        FileLock::try_acquire(&path, LockKind::Shared).unwrap();
    }
}
