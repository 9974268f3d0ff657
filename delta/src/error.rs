//! What can go wrong with a delta; the kinds say what the caller does about it.

use std::fmt::{self, Display};

/// A pointer to an [`ErrorKind`]: `?` moves it at every step, and that is most of what errors cost a program.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<ErrorKind>);

/// Why a delta or a part of it was not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// The bytes are not what the format says: refuse this part, take the objects loose.
    ///
    /// Which structure and field, what the format demands, what stood there.
    Malformed(String),
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
        error: Error,
    },
}

/// The result of anything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn malformed(
        what: &'static str,
        field: &'static str,
        expected: &(impl Display + ?Sized),
        got: &(impl Display + ?Sized),
    ) -> Error {
        Error::from_parts(what, field, &expected, &got)
    }

    #[cold]
    #[inline(never)]
    fn from_parts(
        what: &'static str,
        field: &'static str,
        expected: &dyn Display,
        got: &dyn Display,
    ) -> Error {
        Error::wrong(format!("{what}: {field}: expected {expected}, got {got}"))
    }

    /// A text without numbers: least code where it is made.
    #[cold]
    #[inline(never)]
    pub(crate) fn fixed(text: &'static str) -> Error {
        Error::wrong(text.to_owned())
    }

    /// So many of something, but not as many as expected.
    #[cold]
    #[inline(never)]
    pub(crate) fn count(what: &'static str, expected: u64, unit: &'static str, got: u64) -> Error {
        Error::wrong(format!("{what}: expected {expected} {unit}, got {got}"))
    }

    fn wrong(text: String) -> Error {
        Error(Box::new(ErrorKind::Malformed(text)))
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn limit(what: &'static str, most: u64, got: u64) -> Error {
        Error(Box::new(ErrorKind::Limit { what, most, got }))
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn unsupported(what: &'static str, number: u64) -> Error {
        Error(Box::new(ErrorKind::Unsupported { what, number }))
    }

    /// The answer of a build without a decoder. The compiler cannot see through it: what calls the decoder stays in such a
    /// program, and the difference of sizes is the decoder's own.
    pub(crate) fn none<T>() -> Result<T> {
        std::hint::black_box(Err(Error::unsupported("static deltas", 0)))
    }

    /// The caller's own reason.
    #[cold]
    pub fn io(reason: String) -> Error {
        Error(Box::new(ErrorKind::Io(reason)))
    }

    pub(crate) fn of_object(self, group: usize, object: &rootling_object::Checksum) -> Error {
        Error(Box::new(ErrorKind::Object { group, object: *object, error: self }))
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            ErrorKind::Limit { what, most, got } => write!(f, "{what}: expected at most {most}, got {got}"),
            ErrorKind::Unsupported { what, number } => {
                write!(f, "{what}: expected one that this build has, got number {number}")
            }
            ErrorKind::Malformed(text) | ErrorKind::Io(text) => f.write_str(text),
            ErrorKind::Object { group, object, error } => {
                write!(f, "group {group}: object {object}: {error}")
            }
        }
    }
}

impl std::error::Error for Error {}
