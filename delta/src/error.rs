//! What can go wrong with a delta; the variants say what the caller does about it.

use std::fmt;

/// Why a delta or a part of it was not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not what the format says: refuse this part, take the objects loose.
    Malformed {
        /// Which structure.
        what: &'static str,
        /// Which field of it.
        field: &'static str,
        /// What the format demands.
        expected: String,
        /// What stood there.
        got: String,
    },
    /// More memory or output than this reader grants.
    Limit {
        /// Which bound.
        what: &'static str,
        /// The bound.
        most: u64,
        /// What was asked for.
        got: u64,
    },
    /// A version, profile or back end that this build does not have.
    Unsupported {
        /// Which.
        what: &'static str,
        /// Its number.
        number: u64,
    },
    /// An old object could not be read or the new one not written: the caller's own reason.
    Io(String),
    /// One of the above, in one object of a group.
    Object {
        /// Number of the group.
        group: usize,
        /// Checksum of the object.
        object: rootling_object::Checksum,
        /// What went wrong.
        error: Box<Error>,
    },
}

/// The result of anything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn malformed(
        what: &'static str,
        field: &'static str,
        expected: impl fmt::Display,
        got: impl fmt::Display,
    ) -> Error {
        Error::Malformed { what, field, expected: expected.to_string(), got: got.to_string() }
    }

    pub(crate) fn of_object(self, group: usize, object: &rootling_object::Checksum) -> Error {
        Error::Object { group, object: *object, error: Box::new(self) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Malformed { what, field, expected, got } => {
                write!(f, "{what}: {field}: expected {expected}, got {got}")
            }
            Error::Limit { what, most, got } => write!(f, "{what}: expected at most {most}, got {got}"),
            Error::Unsupported { what, number } => {
                write!(f, "{what}: expected one that this build has, got number {number}")
            }
            Error::Io(reason) => write!(f, "{reason}"),
            Error::Object { group, object, error } => write!(f, "group {group}: object {object}: {error}"),
        }
    }
}

impl std::error::Error for Error {}
