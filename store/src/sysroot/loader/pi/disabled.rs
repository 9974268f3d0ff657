//! A build that leaves the partitions of a Raspberry Pi alone.

use super::super::{Armed, Loader, Try};
use crate::error::{Error, Result};
use crate::sysroot::{Deployment, Locked};
use rootling_boot::loader::{Change, Promises, Trial};
use std::fmt;
use std::path::Path;

/// There are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slots {}

/// File systems beside the root that are synced.
pub(in crate::sysroot) const SYNCED: &[&str] = &["boot", "efi", "boot/efi"];

/// No reboot has anything to say to the firmware.
pub const TELLS: bool = false;

/// Does not look.
pub(in crate::sysroot) fn installed(_: &Path) -> bool {
    false
}

/// Refuses.
pub(in crate::sysroot) fn open(_: &Path) -> Result<Loader> {
    Err(Error::unsupported("boot loader raspberry-pi in a build without the feature pi"))
}

/// Never called.
pub(in crate::sysroot) fn promises(slots: &Slots, _: &Path) -> Result<Promises> {
    match *slots {}
}

/// Never called.
pub(in crate::sysroot) fn trial(slots: &Slots, _: &Path, _: &Armed) -> Result<Trial> {
    match *slots {}
}

/// Never called.
pub(in crate::sysroot) fn spare(slots: &Slots, _: &Path) -> Result<(String, u64)> {
    match *slots {}
}

/// Never called.
pub(in crate::sysroot) fn is_boot_file(slots: &Slots, _: &str) -> bool {
    match *slots {}
}

/// Refuses.
pub fn restart(_: &str) -> Error {
    Error::unsupported("a reboot with an argument in a build without the feature pi")
}

impl Locked {
    /// Never called.
    pub(in crate::sysroot) fn prepare_pi(&self, slots: &Slots, _: &[Deployment], _: Try) -> Result<Change> {
        match *slots {}
    }

    /// Never called.
    pub(in crate::sysroot) fn follow_pi(&self, slots: &Slots) -> Result<bool> {
        match *slots {}
    }

    /// Never called.
    pub(in crate::sysroot) fn install_pi(&self, slots: &Slots) -> Result<()> {
        match *slots {}
    }

    /// Never called.
    pub(in crate::sysroot) fn clean_links(&self, slots: &Slots) -> Result<()> {
        match *slots {}
    }

    /// Nothing has to be said.
    pub fn reboot_argument(&self) -> Result<Option<&'static str>> {
        Ok(None)
    }
}

/// Nothing is noted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked(());

impl Asked {
    pub(in crate::sysroot) fn read<'a>(_: &mut impl Iterator<Item = &'a str>) -> Asked {
        Asked(())
    }

    pub(in crate::sysroot) fn end_line(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\n")
    }
}
