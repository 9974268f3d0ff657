//! Why something is not trusted.

use rootling_object::Checksum;
use std::fmt;

/// A pointer to an [`ErrorKind`]: `?` moves it at every step, and that is most of what errors cost a program.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<ErrorKind>);

/// What was wrong, by what the caller can do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// A key cannot be used: the configuration has to be put right.
    BadKey {
        /// Which key, or where it came from.
        what: &'static str,
        /// What a key has to be.
        expected: &'static str,
        /// What this one is; never the text of a secret key.
        got: String,
    },
    /// The policy asks for signatures but names no key that could make one.
    NoKeys,
    /// Not one signature is there: another source may have one.
    Unsigned {
        /// The thing without a signature, such as a commit's checksum.
        what: String,
    },
    /// Signatures are there, but none is valid and by a trusted key: refuse and report.
    Refused {
        /// The thing that was signed.
        what: String,
        /// How many signatures were looked at.
        signatures: usize,
        /// A revoked key that made a valid one, which is worth knowing.
        revoked: Option<String>,
    },
    /// Detached metadata is not what it has to be: another source may have it right.
    BadSignatures {
        /// The thing they belong to.
        what: String,
        /// What was expected of them.
        expected: String,
        /// What was found.
        got: String,
    },
    /// The bytes are not those that were asked for: try another source.
    WrongChecksum {
        /// Asked for.
        expected: Checksum,
        /// Of the bytes.
        got: Checksum,
    },
    /// The bytes are signed or allowed, but are not in the format.
    Malformed(rootling_object::Error),
}

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn bad_key(what: &'static str, expected: &'static str, got: String) -> Error {
        ErrorKind::BadKey { what, expected, got }.into()
    }

    /// What was wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
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
            ErrorKind::BadKey { what, expected, got } => write!(f, "{what}: expected {expected}, got {got}"),
            ErrorKind::NoKeys => f.write_str("signature policy: expected at least one trusted key, got none"),
            ErrorKind::Unsigned { what } => write!(f, "{what}: expected an ed25519 signature, got none"),
            ErrorKind::Refused { what, signatures, revoked } => {
                write!(
                    f,
                    "{what}: expected a valid signature by a trusted key, got {signatures} without one"
                )?;
                match revoked {
                    Some(key) => write!(f, "; the revoked key {key} made one of them"),
                    None => Ok(()),
                }
            }
            ErrorKind::BadSignatures { what, expected, got } => {
                write!(f, "signatures of {what}: expected {expected}, got {got}")
            }
            ErrorKind::WrongChecksum { expected, got } => {
                write!(f, "commit bytes: expected checksum {expected}, got {got}")
            }
            ErrorKind::Malformed(inner) => write!(f, "{inner}"),
        }
    }
}

// what it comes from is in its text already
impl std::error::Error for Error {}

impl From<rootling_object::Error> for Error {
    fn from(inner: rootling_object::Error) -> Error {
        ErrorKind::Malformed(inner).into()
    }
}
