//! The one error of this crate; the variants follow what a caller does about it.

use rootling_object::{self as object, ObjectName};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why something on disk could not be read or written.
#[derive(Debug)]
pub enum Error {
    /// The system refused; report it.
    Io {
        /// What was being done, such as `rename`.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes are not what their name or format says; try another source, or repair.
    Corrupt {
        /// Where the bytes are or came from.
        place: String,
        /// What is wrong with them.
        source: object::Error,
    },
    /// There is no such object, ref or deployment.
    NotFound {
        /// What was looked for.
        what: String,
        /// Where.
        place: PathBuf,
    },
    /// Less space than this needs and the repo keeps free; nothing was changed.
    NoSpace {
        /// The file system.
        path: PathBuf,
        /// Bytes that are needed.
        needed: u64,
        /// Bytes that may be used, after what has to stay free.
        available: u64,
    },
    /// Another program holds the lock; try later.
    Locked {
        /// The lock's file.
        path: PathBuf,
    },
    /// The repo uses or needs something that this program does not do.
    Unsupported {
        /// The name of it.
        what: String,
    },
    /// The request goes against a rule, such as removing the booted deployment.
    Refused {
        /// The rule and what was asked.
        reason: String,
    },
    /// A signature or a policy was not satisfied; refuse the commit.
    Trust(rootling_trust::Error),
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Names the action and the file of a system error.
    pub fn io(doing: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
        move |source| match foreign(source) {
            Ok(error) => error,
            Err(source) => Error::Io { doing, path: path.as_ref().to_owned(), source },
        }
    }

    /// Names the place of malformed bytes.
    pub fn corrupt(place: impl fmt::Display) -> impl FnOnce(object::Error) -> Error {
        move |source| Error::Corrupt { place: place.to_string(), source }
    }

    /// An object that is not there.
    pub fn no_object(name: &ObjectName, place: &Path) -> Error {
        Error::NotFound { what: format!("object {name}"), place: place.to_owned() }
    }

    /// Whether the bytes themselves are at fault.
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Error::Corrupt { .. })
    }

    /// Whether the thing is just not there.
    pub fn is_not_found(&self) -> bool {
        match self {
            Error::NotFound { .. } => true,
            Error::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }
}

/// An error of this crate that travelled through a reader as an `io::Error` comes out as itself.
fn foreign(source: io::Error) -> std::result::Result<Error, io::Error> {
    if source.get_ref().is_some_and(|inner| inner.is::<Error>()) {
        match source.into_inner().map(|inner| inner.downcast::<Error>()) {
            Some(Ok(error)) => Ok(*error),
            _ => Err(io::Error::other("lost error")),
        }
    } else {
        Err(source)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::other(error)
    }
}

impl From<rootling_trust::Error> for Error {
    fn from(error: rootling_trust::Error) -> Error {
        Error::Trust(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { doing, path, source } => write!(f, "{doing} {}: {source}", path.display()),
            Error::Corrupt { place, source } => write!(f, "{place}: {source}"),
            Error::NotFound { what, place } => write!(f, "{what} is not in {}", place.display()),
            Error::NoSpace { path, needed, available } => {
                write!(f, "no space on {}: needed {needed} bytes, may use {available}", path.display())
            }
            Error::Locked { path } => write!(f, "another program holds the lock {}", path.display()),
            Error::Unsupported { what } => write!(f, "not supported: {what}"),
            Error::Refused { reason } => write!(f, "refused: {reason}"),
            Error::Trust(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::Corrupt { source, .. } => Some(source),
            Error::Trust(error) => Some(error),
            _ => None,
        }
    }
}
