//! What can go wrong, sorted by what the caller does about it.
//!
//! | variant | the caller | exit code |
//! |---|---|---|
//! | [`Error::Retry`] | tries again later: the network or the server failed | 4 |
//! | [`Error::Locked`] | tries again later: another updater holds the lock | 6 |
//! | [`Error::Untrusted`] | refuses and reports: signature, binding or time-stamp | 3 |
//! | [`Error::Corrupt`] | refuses and reports: bytes that do not match their name | 7 |
//! | [`Error::Space`] | frees space, then tries again | 5 |
//! | [`Error::Refused`] | reports: the request makes no sense here, or is not supported | 1 |
//! | [`Error::Usage`] | shows the help text | 2 |
//! | [`Error::Bug`] | reports to us | 70 |

use std::fmt;

use crate::exit::Exit;

/// The one error type of the agent; the text says what, where, expected and got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The network or the server failed; nothing is wrong with this device.
    Retry(String),
    /// Another updater holds the lock of the repo or the sysroot.
    Locked(String),
    /// A signature, a ref binding or a time-stamp does not allow this commit.
    Untrusted(String),
    /// Bytes do not match the name, length or form they must have.
    Corrupt(String),
    /// Not enough free space; nothing was changed.
    Space(String),
    /// The request cannot be carried out here.
    Refused(String),
    /// The command line was not understood.
    Usage(String),
    /// A promise inside the program was broken.
    Bug(String),
}

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The exit code that scripts see for this error.
    pub fn exit(&self) -> Exit {
        match self {
            Error::Retry(_) => Exit::Network,
            Error::Locked(_) => Exit::Locked,
            Error::Untrusted(_) => Exit::Untrusted,
            Error::Corrupt(_) => Exit::Corrupt,
            Error::Space(_) => Exit::Space,
            Error::Refused(_) => Exit::Failed,
            Error::Usage(_) => Exit::Usage,
            Error::Bug(_) => Exit::Bug,
        }
    }

    /// A word for the class of error, as JSON progress reports it.
    pub fn class(&self) -> &'static str {
        self.exit().word()
    }

    /// The text without the class.
    pub fn text(&self) -> &str {
        match self {
            Error::Retry(text)
            | Error::Locked(text)
            | Error::Untrusted(text)
            | Error::Corrupt(text)
            | Error::Space(text)
            | Error::Refused(text)
            | Error::Usage(text)
            | Error::Bug(text) => text,
        }
    }

    /// The same error with `place` in front of its text.
    pub fn at(self, place: &str) -> Error {
        let text = format!("{place}: {}", self.text());
        match self {
            Error::Retry(_) => Error::Retry(text),
            Error::Locked(_) => Error::Locked(text),
            Error::Untrusted(_) => Error::Untrusted(text),
            Error::Corrupt(_) => Error::Corrupt(text),
            Error::Space(_) => Error::Space(text),
            Error::Refused(_) => Error::Refused(text),
            Error::Usage(_) => Error::Usage(text),
            Error::Bug(_) => Error::Bug(text),
        }
    }

    /// An error of this machine's files, sorted by its kind.
    pub fn io(place: &str, error: &std::io::Error) -> Error {
        let text = format!("{place}: {error}");
        match error.kind() {
            _ if is_full(error) => Error::Space(text),
            std::io::ErrorKind::WouldBlock => Error::Locked(text),
            _ => Error::Refused(text),
        }
    }
}

impl From<rootling_store::Error> for Error {
    fn from(error: rootling_store::Error) -> Error {
        use rootling_store::ErrorKind as E;
        let text = error.to_string();
        match error.kind() {
            E::Corrupt { .. } => Error::Corrupt(text),
            E::NoSpace { .. } => Error::Space(text),
            E::Locked { .. } => Error::Locked(text),
            E::Trust(inner) => inner.clone().into(),
            E::Io { source, .. } if is_full(source) => Error::Space(text),
            _ => Error::Refused(text),
        }
    }
}

impl From<rootling_trust::Error> for Error {
    fn from(error: rootling_trust::Error) -> Error {
        use rootling_trust::ErrorKind as E;
        let text = error.to_string();
        match error.kind() {
            E::WrongChecksum { .. } | E::Malformed(_) => Error::Corrupt(text),
            E::BadKey { .. } => Error::Refused(text),
            _ => Error::Untrusted(text),
        }
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_goes_in_front_and_the_class_stays() {
        let error = Error::Retry("no answer in 30 s".into()).at("http://host/summary");
        assert_eq!(error.to_string(), "http://host/summary: no answer in 30 s");
        assert_eq!(error.exit(), Exit::Network);
    }

    #[test]
    fn a_full_disk_is_not_an_ordinary_failure() {
        let error = Error::io("/ostree/repo", &std::io::Error::from_raw_os_error(28));
        assert_eq!(error.exit(), Exit::Space);
    }
}
