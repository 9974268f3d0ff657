//! A build that writes no flash.

use crate::error::Result;
use rootling_boot::uboot::{EnvConfig, Flags};
use std::fs::File;
use std::path::Path;

/// Refuses.
pub(in crate::sysroot::loader::uboot) fn check(device: &str) -> Result<()> {
    Err(super::unsupported(device))
}

/// Files and block devices count.
pub(in crate::sysroot::loader::uboot) fn flags(_: &EnvConfig) -> Result<Flags> {
    Ok(Flags::Increment)
}

/// There is none.
pub(in crate::sysroot::loader::uboot) fn overwrite(_: &File, _: &Path, _: u64, _: &[u8]) -> Result<bool> {
    Ok(false)
}
