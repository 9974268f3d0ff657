//! The one error of this crate.

use crate::Checksum;
use std::fmt;

/// What was wrong with the bytes or the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The input is not what its format says; the source has to be refused.
    Malformed {
        /// The thing being read, such as `dirtree`.
        what: &'static str,
        /// The field or entry inside it.
        place: String,
        /// What the format asks for.
        expected: String,
        /// What was there.
        got: String,
    },
    /// The bytes are not those the name stands for; another source may have them.
    Checksum {
        /// The object, such as `dirtree 6e34…1d`.
        what: String,
        /// The name asked for.
        expected: Checksum,
        /// What the bytes hash to.
        got: Checksum,
    },
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn malformed(
        what: &'static str,
        place: impl Into<String>,
        expected: impl Into<String>,
        got: impl fmt::Display,
    ) -> Error {
        Error::Malformed { what, place: place.into(), expected: expected.into(), got: got.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Malformed { what, place, expected, got } => {
                write!(f, "malformed {what}: {place}: expected {expected}, got {got}")
            }
            Error::Checksum { what, expected, got } => {
                write!(f, "corrupt {what}: expected checksum {expected}, got {got}")
            }
        }
    }
}

impl std::error::Error for Error {}
