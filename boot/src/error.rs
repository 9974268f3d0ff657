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
            Error::NoKernel { place } => write!(f, "kernel: expected a vmlinuz in {place}, got none"),
        }
    }
}

impl std::error::Error for Error {}
