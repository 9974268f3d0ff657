//! A build that reads no deltas of `ostree`.

use std::path::Path;

use rootling_object::{Checksum, Dict};
use rootling_store::Transaction;

use super::super::Brought;
use crate::error::Result;
use crate::pull::Pull;
use crate::pull::source::Server;

/// There is none.
#[derive(Debug)]
pub enum Opened {}

impl Opened {
    /// Never called.
    pub fn commit(&self) -> (&[u8], Option<Dict>) {
        match *self {}
    }
}

/// Asks nobody.
pub fn open(_: &Pull<'_>, _: &Server, _: &Checksum) -> Result<Option<Opened>> {
    Ok(None)
}

/// Never called.
pub fn apply(
    _: &Pull<'_>,
    _: &Server,
    _: &Transaction<'_>,
    opened: &Opened,
) -> Result<(Brought, Vec<String>)> {
    match *opened {}
}

/// Nothing takes any.
pub fn memory_limit(_: &Path) -> u64 {
    0
}
