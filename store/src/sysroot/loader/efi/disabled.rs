//! A build that leaves the firmware's entries alone.

use super::super::{Armed, Loader, Try};
use crate::error::{Error, Result};
use crate::sysroot::{Deployment, Locked};
use rootling_boot::loader::{Change, Promises, Trial};
use std::path::Path;

/// There is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Board {}

impl Board {
    /// Never called.
    pub fn partition(&self) -> &str {
        match *self {}
    }
}

fn unsupported() -> Error {
    Error::unsupported("boot loader efi in a build without the feature efi")
}

/// Does not look.
pub(in crate::sysroot) fn installed(_: &Path) -> Option<String> {
    None
}

/// Refuses.
pub(in crate::sysroot) fn open(_: &Path, _: Option<&str>) -> Result<Loader> {
    Err(unsupported())
}

/// Never called.
pub(in crate::sysroot) fn promises(board: &Board, _: &Path) -> Result<Promises> {
    match *board {}
}

/// Never called.
pub(in crate::sysroot) fn trial(board: &Board, _: &Path, _: &Armed, _: Option<&Deployment>) -> Result<Trial> {
    match *board {}
}

/// Refuses.
pub(in crate::sysroot) fn set_variable(_: &Path, _: &str, _: &[u8]) -> Result<()> {
    Err(unsupported())
}

/// Refuses.
pub(in crate::sysroot) fn remove_variable(_: &Path, _: &str) -> Result<()> {
    Err(unsupported())
}

impl Locked {
    /// Never called.
    pub(in crate::sysroot) fn prepare_efi(
        &self,
        board: &Board,
        _: &[Deployment],
        _: Option<&Armed>,
        _: Try,
    ) -> Result<Change> {
        match *board {}
    }

    /// Never called.
    pub(in crate::sysroot) fn install_efi(&self, board: &Board) -> Result<()> {
        match *board {}
    }

    /// Never called.
    pub(in crate::sysroot) fn follow_efi(&self, board: &Board) -> Result<bool> {
        match *board {}
    }
}
