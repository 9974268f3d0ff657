//! A value and by what it was verified.

use crate::PublicKey;
use std::fmt;

/// Says by what a value was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// A signature of this key.
    Key(PublicKey),
    /// The explicit policy "unsigned" of this remote.
    Unsigned {
        /// The remote's name.
        remote: String,
    },
}

/// A value that passed the checks of this crate; there is no other way to make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
    by: By,
    checksum: rootling_object::Checksum,
}

impl<T> Verified<T> {
    pub(crate) fn new(value: T, by: By, checksum: rootling_object::Checksum) -> Verified<T> {
        Verified { value, by, checksum }
    }

    /// The value.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// By what it was verified.
    pub fn by(&self) -> &By {
        &self.by
    }

    /// The checksum of the bytes it was read from: for a commit, its name.
    pub fn checksum(&self) -> &rootling_object::Checksum {
        &self.checksum
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::Key(key) => write!(f, "key {key}"),
            By::Unsigned { remote } => write!(f, "policy \"unsigned\" of remote {remote:?}"),
        }
    }
}
