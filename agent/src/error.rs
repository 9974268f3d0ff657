//! What can go wrong, sorted by what the caller does about it.
//!
//! | constructor | the caller | exit code |
//! |---|---|---|
//! | [`Error::retry`] | tries again later: the network or the server failed | 4 |
//! | [`Error::locked`] | tries again later: another updater holds the lock | 6 |
//! | [`Error::untrusted`] | refuses and reports: signature, binding or time-stamp | 3 |
//! | [`Error::corrupt`] | refuses and reports: bytes that do not match their name | 7 |
//! | [`Error::space`] | frees space, then tries again | 5 |
//! | [`Error::refused`] | reports: the request makes no sense here, or is not supported | 1 |
//! | [`Error::usage`] | shows the help text | 2 |
//! | [`Error::bug`] | reports to us | 70 |

use std::fmt::{self, Arguments};

use crate::exit::Exit;

/// The one error type of the agent; the text says what, where, expected and got. As small as a pointer: results of
/// every function carry it.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inside>);

#[derive(Clone, PartialEq, Eq)]
struct Inside {
    exit: Exit,
    text: String,
}

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    #[cold]
    #[inline(never)]
    fn new(exit: Exit, text: Arguments<'_>) -> Error {
        Error(Box::new(Inside { exit, text: text.to_string() }))
    }

    /// The network or the server failed; nothing is wrong with this device.
    pub fn retry(text: Arguments<'_>) -> Error {
        Error::new(Exit::Network, text)
    }

    /// Another updater holds the lock of the repo or the sysroot.
    pub fn locked(text: Arguments<'_>) -> Error {
        Error::new(Exit::Locked, text)
    }

    /// A signature, a ref binding or a time-stamp does not allow this commit.
    pub fn untrusted(text: Arguments<'_>) -> Error {
        Error::new(Exit::Untrusted, text)
    }

    /// Bytes do not match the name, length or form they must have.
    pub fn corrupt(text: Arguments<'_>) -> Error {
        Error::new(Exit::Corrupt, text)
    }

    /// Not enough free space; nothing was changed.
    pub fn space(text: Arguments<'_>) -> Error {
        Error::new(Exit::Space, text)
    }

    /// The request cannot be carried out here.
    pub fn refused(text: Arguments<'_>) -> Error {
        Error::new(Exit::Failed, text)
    }

    /// The command line was not understood.
    pub fn usage(text: Arguments<'_>) -> Error {
        Error::new(Exit::Usage, text)
    }

    /// A promise inside the program was broken.
    pub fn bug(text: Arguments<'_>) -> Error {
        Error::new(Exit::Bug, text)
    }

    /// The exit code that scripts see for this error, which is its class.
    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    /// A word for the class of error, as JSON progress reports it.
    pub fn class(&self) -> &'static str {
        self.exit().word()
    }

    /// The text without the class.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The same text in another class.
    pub fn class_is(mut self, exit: Exit) -> Error {
        self.0.exit = exit;
        self
    }

    /// The same error with `place` in front of its text.
    pub fn at(mut self, place: &str) -> Error {
        self.0.text = format!("{place}: {}", self.0.text);
        self
    }

    /// An error of this machine's files, sorted by its kind.
    pub fn io(place: &str, error: &std::io::Error) -> Error {
        let exit = match error.kind() {
            _ if is_full(error) => Exit::Space,
            std::io::ErrorKind::WouldBlock => Exit::Locked,
            _ => Exit::Failed,
        };
        Error::new(exit, format_args!("{place}: {error}"))
    }
}

impl From<rootling_store::Error> for Error {
    fn from(error: rootling_store::Error) -> Error {
        use rootling_store::ErrorKind as E;
        let exit = match error.kind() {
            E::Corrupt { .. } => Exit::Corrupt,
            E::NoSpace { .. } => Exit::Space,
            E::Locked { .. } => Exit::Locked,
            E::Trust(inner) => return inner.clone().into(),
            E::Io { source, .. } if is_full(source) => Exit::Space,
            _ => Exit::Failed,
        };
        Error::new(exit, format_args!("{error}"))
    }
}

impl From<rootling_trust::Error> for Error {
    fn from(error: rootling_trust::Error) -> Error {
        use rootling_trust::ErrorKind as E;
        let exit = match error.kind() {
            E::WrongChecksum { .. } | E::Malformed(_) => Exit::Corrupt,
            E::BadKey { .. } => Exit::Failed,
            _ => Exit::Untrusted,
        };
        Error::new(exit, format_args!("{error}"))
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

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.class())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_goes_in_front_and_the_class_stays() {
        let error = Error::retry(format_args!("no answer in 30 s")).at("http://host/summary");
        assert_eq!(error.to_string(), "http://host/summary: no answer in 30 s");
        assert_eq!(error.exit(), Exit::Network);
    }

    #[test]
    fn a_full_disk_is_not_an_ordinary_failure() {
        let error = Error::io("/ostree/repo", &std::io::Error::from_raw_os_error(28));
        assert_eq!(error.exit(), Exit::Space);
    }
}
