//! The one error of this crate; the variants follow what a caller does about it.

use rootling_object::{self as object, ObjectName};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A pointer to an [`ErrorKind`]: `?` moves it at every step, and that is most of what errors cost a program.
pub struct Error(Box<ErrorKind>);

/// Why something on disk could not be read or written.
#[derive(Debug)]
pub enum ErrorKind {
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
        move |source| io_at(doing, path.as_ref(), source)
    }

    /// Names the place of malformed bytes.
    pub fn corrupt(place: impl fmt::Display) -> impl FnOnce(object::Error) -> Error {
        move |source| Error::corrupt_at(place.to_string(), source)
    }

    /// Malformed bytes at a place.
    pub fn corrupt_at(place: String, source: object::Error) -> Error {
        ErrorKind::Corrupt { place, source }.into()
    }

    /// Something is not at a place.
    #[cold]
    pub fn not_found(what: impl fmt::Display, place: impl AsRef<Path>) -> Error {
        let (what, place) = (text(&what), place.as_ref().to_owned());
        ErrorKind::NotFound { what, place }.into()
    }

    /// Another program holds the lock.
    pub fn locked(path: PathBuf) -> Error {
        ErrorKind::Locked { path }.into()
    }

    /// Too little space on the file system of `path`.
    pub fn no_space(path: PathBuf, needed: u64, available: u64) -> Error {
        ErrorKind::NoSpace { path, needed, available }.into()
    }

    /// Something this program does not do.
    #[cold]
    pub fn unsupported(what: impl fmt::Display) -> Error {
        ErrorKind::Unsupported { what: text(&what) }.into()
    }

    /// A request that goes against a rule.
    #[cold]
    pub fn refused(reason: impl fmt::Display) -> Error {
        ErrorKind::Refused { reason: text(&reason) }.into()
    }

    /// What happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// An object that is not there.
    pub fn no_object(name: &ObjectName, place: &Path) -> Error {
        Error::not_found(format_args!("object {name}"), place)
    }

    /// Whether the bytes themselves are at fault.
    pub fn is_corrupt(&self) -> bool {
        matches!(self.kind(), ErrorKind::Corrupt { .. })
    }

    /// Whether the thing is just not there.
    pub fn is_not_found(&self) -> bool {
        match self.kind() {
            ErrorKind::NotFound { .. } => true,
            ErrorKind::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }
}

/// Once, for every type it is asked with.
#[inline(never)]
fn text(what: &dyn fmt::Display) -> String {
    what.to_string()
}

/// Once, for every type of path.
#[cold]
#[inline(never)]
fn io_at(doing: &'static str, path: &Path, source: io::Error) -> Error {
    match foreign(source) {
        Ok(error) => error,
        Err(source) => ErrorKind::Io { doing, path: path.to_owned(), source }.into(),
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
        ErrorKind::Trust(error).into()
    }
}

impl From<ErrorKind> for Error {
    #[cold]
    #[inline(never)]
    fn from(kind: ErrorKind) -> Error {
        Error(Box::new(kind))
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
            ErrorKind::Io { doing, path, source } => write!(f, "{doing} {}: {source}", path.display()),
            ErrorKind::Corrupt { place, source } => write!(f, "{place}: {source}"),
            ErrorKind::NotFound { what, place } => write!(f, "{what} is not in {}", place.display()),
            ErrorKind::NoSpace { path, needed, available } => {
                write!(f, "no space on {}: needed {needed} bytes, may use {available}", path.display())
            }
            ErrorKind::Locked { path } => write!(f, "another program holds the lock {}", path.display()),
            ErrorKind::Unsupported { what } => write!(f, "not supported: {what}"),
            ErrorKind::Refused { reason } => write!(f, "refused: {reason}"),
            ErrorKind::Trust(error) => error.fmt(f),
        }
    }
}

// what it comes from is in its text already
impl std::error::Error for Error {}
