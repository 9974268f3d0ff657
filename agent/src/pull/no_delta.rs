//! A build that reads no static deltas: all objects come loose.

use std::path::Path;

use rootling_object::{Checksum, Dict};
use rootling_store::Transaction;

use super::Pull;
use crate::error::{Error, Result};

/// The highest profile of deltas that is read: none.
pub const PROFILE: u32 = 0;

/// Whether deltas are used.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Not here.
    #[default]
    Auto,
    /// Nor here.
    Never,
    /// Always an error.
    Require,
}

/// What the remote offers for one commit.
#[derive(Debug)]
pub enum Offer {
    /// Nobody asks.
    Untried,
    /// No delta.
    Loose,
}

impl Offer {
    /// Never one.
    pub fn commit(&self) -> Option<(&[u8], Option<Dict>)> {
        None
    }
}

/// What came by delta: nothing.
#[derive(Debug, Default)]
pub struct Brought {
    /// Objects made.
    pub objects: u64,
    /// Content objects that were hashed.
    pub hashed: Vec<Checksum>,
}

/// Asks nobody.
pub fn offer(pull: &Pull<'_>, _: &Checksum) -> Result<Offer> {
    match pull.deltas {
        Mode::Require => Err(Error::refused(format_args!(
            "--require-delta: static deltas are not supported by this build (feature \"static-delta\" is off)"
        ))),
        _ => Ok(Offer::Loose),
    }
}

/// Brings nothing.
pub fn bring(_: &Pull<'_>, _: &Transaction<'_>, _: Offer) -> Result<Brought> {
    Ok(Brought::default())
}

/// There is nothing to forget.
pub fn forget(_: &Pull<'_>) {}

/// Nothing takes any.
pub fn memory_limit(_: &Path) -> u64 {
    0
}
