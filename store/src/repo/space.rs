//! How much of a file system may still be used.

use super::Repo;
use crate::atomic::AtomicI64;
use crate::error::{Error, Result};
use nix::sys::statvfs::statvfs;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Bytes that can be written to the file system of `path` by this user.
pub fn available(path: &Path) -> Result<u64> {
    let stat = statvfs(path).map_err(|errno| Error::io("ask for free space of", path)(errno.into()))?;
    Ok(wide(stat.blocks_available()).saturating_mul(wide(stat.fragment_size())))
}

/// The counts are 32 bits wide on some systems.
fn wide(count: impl Into<u64>) -> u64 {
    count.into()
}

fn total(path: &Path) -> Result<u64> {
    let stat = statvfs(path).map_err(|errno| Error::io("ask for free space of", path)(errno.into()))?;
    Ok(wide(stat.blocks()).saturating_mul(wide(stat.fragment_size())))
}

/// What a transaction may still write.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicI64,
}

impl Budget {
    /// Takes `size` bytes, and one block for the inode's tail.
    pub(crate) fn take(&self, repo: &Repo, size: u64) -> Result<()> {
        let rounded = i64::try_from(size.saturating_add(4095) & !4095).unwrap_or(i64::MAX);
        let before = self.left.fetch_sub(rounded, Ordering::Relaxed);
        if before >= rounded {
            return Ok(());
        }
        self.left.fetch_add(rounded, Ordering::Relaxed);
        let available = u64::try_from(before).unwrap_or(0);
        Err(Error::no_space(repo.path().to_owned(), size, available))
    }
}

impl Repo {
    /// Bytes this repo must leave free: `min-free-space-size`, or else `min-free-space-percent` (3).
    pub fn min_free_space(&self) -> Result<u64> {
        match self.config.get("core", "min-free-space-size") {
            Some(text) => parse_size(text).ok_or_else(|| {
                Error::unsupported(format_args!(
                    "min-free-space-size={text:?}: expected a number with MB, GB or TB"
                ))
            }),
            None => {
                let percent = self.number("min-free-space-percent", 3)?.min(99);
                Ok(total(&self.root)? / 100 * percent)
            }
        }
    }

    /// Bytes that may be written now.
    pub fn usable_space(&self) -> Result<u64> {
        Ok(available(&self.root)?.saturating_sub(self.min_free_space()?))
    }

    pub(crate) fn budget(&self) -> Result<Budget> {
        Ok(Budget { left: AtomicI64::new(i64::try_from(self.usable_space()?).unwrap_or(i64::MAX)) })
    }
}

/// `500MB`, `2GB`, `1TB`: libostree's units, which are powers of 1024.
fn parse_size(text: &str) -> Option<u64> {
    let (number, shift) = ["MB", "GB", "TB"]
        .iter()
        .zip([20u32, 30, 40])
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))?;
    number.trim().parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_units_of_libostree() {
        assert_eq!(parse_size("500MB"), Some(500 << 20));
        assert_eq!(parse_size("2GB"), Some(2 << 30));
        for bad in ["500", "MB", "-1MB", "99999999999999TB", "1KB"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}
