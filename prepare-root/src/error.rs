//! Why the root could not be prepared.

use std::fmt;
use std::io;

/// What was wrong; as PID 1 each of them ends in a reboot.
#[derive(Debug)]
pub enum Error {
    /// Not PID 1, and no folder was named.
    Usage,
    /// The kernel arguments or the configuration ask for what cannot be done.
    Refused {
        /// What they say.
        what: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A system call failed.
    Io {
        /// What was to be done.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    /// Names what was to be done.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }

    /// Says what was expected instead.
    pub fn refused(what: impl Into<String>, expected: &'static str) -> Error {
        Error::Refused { what: what.into(), expected }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage => f.write_str("expected the folder where the root is mounted, or to be PID 1"),
            Error::Refused { what, expected } => write!(f, "expected {expected}, got {what:?}"),
            Error::Io { what, source } => write!(f, "{what}: {source}"),
        }
    }
}
