//! Why boot text could not be read or changed.

use std::fmt;

/// What was wrong with boot data, by what the caller can do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Text on disk is not what its format says: refuse and report.
    Malformed {
        /// The kind of text, for example "ostree= argument".
        what: &'static str,
        /// What the format asks for.
        expected: &'static str,
        /// What was found.
        got: String,
    },
    /// A request about kernel arguments does not fit the list: tell the user.
    Kargs {
        /// The argument as the user wrote it.
        arg: String,
        /// Why it does not fit.
        reason: KargsReason,
    },
    /// A change does not fit into the room its format has: refuse and report.
    NoRoom {
        /// The kind of data.
        what: &'static str,
        /// The room, in bytes.
        limit: usize,
        /// What the change would take, in bytes.
        needs: usize,
    },
    /// Two things that have to differ have the same name: refuse and report.
    Duplicate {
        /// The kind of thing.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The loader cannot promise what was asked: the caller may say explicitly that it is wanted all the same.
    Promise {
        /// The loader.
        loader: &'static str,
        /// What it does not promise.
        lacks: String,
    },
    /// The tree has no kernel that could be booted.
    NoKernel {
        /// Where one was expected.
        place: &'static str,
    },
}

/// Why a change of the kernel arguments was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KargsReason {
    /// No argument has this key.
    NoSuchKey,
    /// The key is there, but not with this value.
    NoSuchValue,
    /// Several arguments have this key and the request does not say which.
    SeveralValues,
}

impl Error {
    pub(crate) fn malformed(what: &'static str, expected: &'static str, got: impl Into<String>) -> Error {
        Error::Malformed { what, expected, got: got.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Malformed { what, expected, got } => write!(f, "{what}: expected {expected}, got {got:?}"),
            Error::Kargs { arg, reason } => match reason {
                KargsReason::NoSuchKey => write!(f, "kernel argument {arg:?}: no argument has this key"),
                KargsReason::NoSuchValue => {
                    write!(f, "kernel argument {arg:?}: the key is present, but not with this value")
                }
                KargsReason::SeveralValues => {
                    write!(f, "kernel argument {arg:?}: several values have this key, expected KEY=VALUE")
                }
            },
            Error::NoRoom { what, limit, needs } => {
                write!(f, "{what}: expected {limit} bytes at most, got {needs}")
            }
            Error::Duplicate { what, name } => {
                write!(f, "{what}: expected each name once, got {name:?} twice")
            }
            Error::Promise { loader, lacks } => write!(f, "{loader}: {lacks}"),
            Error::NoKernel { place } => write!(f, "kernel: expected a vmlinuz in {place}, got none"),
        }
    }
}

impl std::error::Error for Error {}
