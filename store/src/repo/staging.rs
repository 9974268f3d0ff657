//! The directory in which a transaction makes its objects: `tmp/staging-<boot id>-rootling<n>`.
//!
//! Each has a lock file beside it, `...-lock`, held while its transaction lives. One that nobody holds was left by a
//! process that died; what is whole in it counts for the next.

use crate::error::{Error, ErrorKind, Result};
use crate::lock::{FileLock, LockKind};
use std::fs;
use std::path::{Path, PathBuf};

/// Finds or makes a staging directory of this boot that no living transaction holds.
pub(super) fn take(tmp: &Path) -> Result<(PathBuf, FileLock)> {
    let boot_id =
        fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_else(|_| "no-boot-id".into());
    let prefix = format!("staging-{}-rootling", boot_id.trim());
    fs::create_dir_all(tmp).map_err(Error::io("make directory", tmp))?;
    remove_other_boots(tmp, &prefix)?;
    let mut number = 0u32;
    loop {
        let staging = tmp.join(format!("{prefix}{number}"));
        let lock = tmp.join(format!("{prefix}{number}-lock"));
        match FileLock::try_acquire(&lock, LockKind::Exclusive) {
            Ok(held) => {
                fs::create_dir_all(&staging).map_err(Error::io("make directory", &staging))?;
                remove_drafts(&staging)?;
                return Ok((staging, held));
            }
            Err(error) if number < 64 && matches!(error.kind(), ErrorKind::Locked { .. }) => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Half-written files of a transaction that was killed.
fn remove_drafts(dir: &Path) -> Result<()> {
    for (name, path) in crate::fs::list(dir)? {
        if name.starts_with("draft-") {
            crate::fs::remove_if_there(&path)?;
        } else if name.len() == 2 {
            remove_drafts(&path)?;
        }
    }
    Ok(())
}

fn remove_other_boots(tmp: &Path, prefix: &str) -> Result<()> {
    for (name, path) in crate::fs::list(tmp)? {
        let ours = name.starts_with("staging-") && name.split('-').any(|part| part.starts_with("rootling"));
        if ours && !name.starts_with(prefix) {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}
