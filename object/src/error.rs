//! The one error of this crate.

use crate::Checksum;
use std::fmt;

/// A pointer to an [`ErrorKind`]: `?` moves it at every step, and that is most of what errors cost a program.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<ErrorKind>);

/// What was wrong with the bytes or the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
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
    /// For the input `what`, at `place` in it.
    pub fn malformed(
        what: &'static str,
        place: impl fmt::Display,
        expected: impl fmt::Display,
        got: impl fmt::Display,
    ) -> Error {
        Error::from_parts(what, &place, &expected, &got)
    }

    #[cold]
    #[inline(never)]
    fn from_parts(
        what: &'static str,
        place: &dyn fmt::Display,
        expected: &dyn fmt::Display,
        got: &dyn fmt::Display,
    ) -> Error {
        let (place, expected, got) = (place.to_string(), expected.to_string(), got.to_string());
        Error(Box::new(ErrorKind::Malformed { what, place, expected, got }))
    }

    pub(crate) fn checksum(what: String, expected: Checksum, got: Checksum) -> Error {
        Error(Box::new(ErrorKind::Checksum { what, expected, got }))
    }

    /// What was wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            ErrorKind::Malformed { what, place, expected, got } => {
                write!(f, "malformed {what}: {place}: expected {expected}, got {got}")
            }
            ErrorKind::Checksum { what, expected, got } => {
                write!(f, "corrupt {what}: expected checksum {expected}, got {got}")
            }
        }
    }
}

impl std::error::Error for Error {}
