//! An older commit of a ref, by its version.
//!
//! Parents are followed from the commit that the ref names. Each is verified like a tip: signature and ref binding; its
//! age is what was asked for. Only commit objects are fetched on the way.

use rootling_object::{Checksum, RefName};

use super::Pull;
use super::admit::{self, Admitted};
use crate::error::{Error, Result};
use crate::text::printable;

/// How far back a server can make us walk: one commit a day for ten years.
const LONGEST: usize = 4000;

/// The newest commit of `name` whose version is `version`; nothing is written.
pub fn version(pull: &Pull<'_>, name: &RefName, version: &str) -> Result<Admitted> {
    let tip = pull.source.lookup(name)?;
    let (mut next, mut oldest) = (Some(tip), None);
    for passed in 0..LONGEST {
        let Some(checksum) = next else { return Err(not_there(name, version, passed, oldest)) };
        let admitted = commit(pull, name, checksum, passed)?;
        let commit = admitted.commit.get();
        if commit.version() == Some(version) {
            return Ok(admitted);
        }
        next = commit.parent;
        oldest = commit.version().map(str::to_owned);
    }
    Err(not_there(name, version, LONGEST, oldest))
}

fn commit(pull: &Pull<'_>, name: &RefName, checksum: Checksum, passed: usize) -> Result<Admitted> {
    admit::any_age(pull, name, checksum).map_err(|error| match passed {
        0 => error,
        _ => error.at(&format!("history of {name}, {passed} commits back")),
    })
}

fn not_there(name: &RefName, version: &str, passed: usize, oldest: Option<String>) -> Error {
    let oldest = oldest.map(|oldest| format!(", the oldest {}", printable(&oldest))).unwrap_or_default();
    Error::refused(format_args!(
        "history of {name}: expected version {version:?}, got {passed} others{oldest}"
    ))
}
