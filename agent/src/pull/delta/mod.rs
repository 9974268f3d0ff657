//! Pull by static delta: fewer bytes for the same objects.
//!
//! ```text
//! offer    the list of the commit -> the cheapest delta that starts here -> its header      (choose)
//! plan     old tree + header -> every new object by name; sources and space checked
//!          else a delta in libostree's own format, if this build reads it                 (ostree)
//! groups   Range into tmp/rootling-delta/, verified, decoded, each object by its name     (parts, apply)
//! rest     what no group brought comes loose: the walk over the whole commit follows
//! ```
//!
//! Nothing that a server says is trusted here: the commit of a header goes through the same checks as a loose one, and
//! each object goes through the store's verified path.
//!
//! What is durable: bytes of groups stay in `tmp/` until the objects made of them are durable, so that neither a kill nor
//! a reboot costs a byte twice.
//!
//! Steps with one caller are marked `inline(never)` for the reason that `rootling_delta` gives: the program is smaller.

mod apply;
mod choose;
mod objects;
mod ostree;
mod parts;

use rootling_delta::{ErrorKind, Header, Prelude};
use rootling_object::{Checksum, Dict, ObjectName};
use rootling_store::{RepoMode, Transaction};

use super::Pull;
use super::source::{Server, Source};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::text::size;
use parts::Parts;

/// Memory in bytes that a header, and then a group, may take.
const BUDGET: u64 = 7 << 20;

pub use ostree::memory_limit;

/// The highest profile of deltas that is read.
pub const PROFILE: u32 = rootling_delta::header::PROFILE;

/// Whether deltas are used.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// If that takes fewer bytes.
    #[default]
    Auto,
    /// Loose objects only.
    Never,
    /// An error if there is none, or if it does not bring all it should.
    Require,
}

/// What the remote offers for one commit.
#[derive(Debug)]
pub enum Offer {
    /// Nobody has asked.
    Untried,
    /// No delta, and why.
    Loose(String),
    /// A delta whose header is here.
    Delta(Box<Opened>),
    /// A delta of `ostree` whose superblock is here.
    Foreign(Box<ostree::Opened>),
}

impl Offer {
    /// The commit object and its detached metadata, if they came with a delta.
    pub fn commit(&self) -> Option<(&[u8], Option<Dict>)> {
        match self {
            Offer::Delta(opened) => Some(opened.commit()),
            Offer::Foreign(opened) => Some(opened.commit()),
            _ => None,
        }
    }
}

/// A delta whose header was fetched and read, but not trusted.
#[derive(Debug)]
pub struct Opened {
    prelude: Prelude,
    header: Header,
    parts: Parts,
    path: String,
    total: u64,
}

impl Opened {
    /// The commit object and its detached metadata, both as the header has them.
    pub fn commit(&self) -> (&[u8], Option<Dict>) {
        let detached = self.header.detached.as_deref();
        (&self.header.commit, detached.and_then(|bytes| Dict::decode("detached metadata", bytes).ok()))
    }
}

/// What came by delta.
#[derive(Debug, Default)]
pub struct Brought {
    /// Objects made, of all kinds.
    pub objects: u64,
    /// Content objects that were hashed as they were made.
    pub hashed: Vec<Checksum>,
}

/// Looks for the delta to `to` that takes the fewest bytes from here, and fetches its header.
pub fn offer(pull: &Pull<'_>, to: &Checksum) -> Result<Offer> {
    let server = match (&pull.source, pull.deltas) {
        (_, Mode::Never) => return Ok(Offer::Loose("--no-delta".into())),
        (Source::Local(_), _) => return refuse(pull, "the remote is a repo on this machine".into()),
        (Source::Server(server), _) => server,
    };
    if !matches!(pull.repo.mode(), RepoMode::Bare | RepoMode::BareUser) {
        return refuse(pull, format!("a repo of mode {} takes loose objects only", pull.repo.mode()));
    }
    match open(pull, server, to) {
        Ok(opened) => Ok(Offer::Delta(Box::new(opened))),
        Err(error) if error.exit() == Exit::Network => Err(error),
        Err(error) => match ostree::open(pull, server, to) {
            Ok(Some(opened)) => Ok(Offer::Foreign(Box::new(opened))),
            Ok(None) => refuse(pull, error.to_string()),
            Err(other) if other.exit() == Exit::Network => Err(other),
            Err(other) => refuse(pull, other.to_string()),
        },
    }
}

fn refuse(pull: &Pull<'_>, why: String) -> Result<Offer> {
    match pull.deltas {
        Mode::Require => Err(Error::refused(format_args!("--require-delta: {why}"))),
        _ => Ok(Offer::Loose(why)),
    }
}

fn open(pull: &Pull<'_>, server: &Server, to: &Checksum) -> Result<Opened> {
    let mut last = Error::refused(format_args!("the server has no delta that starts here"));
    for entry in choose::entries(pull, server, to)? {
        match parts::head(pull, server, to, &entry) {
            Ok(opened) => return Ok(opened),
            Err(error) if error.exit() == Exit::Network => return Err(error),
            Err(error) => {
                rootling_store::warn!("{error}; trying another way");
                last = error;
            }
        }
    }
    Err(last)
}

/// Brings into the transaction what the delta makes, and says what is done and why. What a broken or missing group would
/// have brought is left to the walk over loose objects.
pub fn bring(pull: &Pull<'_>, transaction: &Transaction<'_>, offer: Offer) -> Result<Brought> {
    let (server, opened) = match (&pull.source, offer) {
        (Source::Server(server), Offer::Delta(opened)) => (server, opened),
        (Source::Server(server), Offer::Foreign(opened)) => {
            let (brought, broken) = ostree::apply(pull, server, transaction, &opened)?;
            return settle(pull, brought, &broken);
        }
        (_, Offer::Loose(why)) => {
            pull.screen.say(&format!("by loose objects: {why}"));
            return Ok(Brought::default());
        }
        _ => return Ok(Brought::default()),
    };
    let bytes = size(opened.total);
    pull.screen.say(&match opened.header.from.map(Checksum) {
        Some(from) => format!("by delta from {from}: {bytes}, the fewest from a commit that is here"),
        None => format!("by delta from nothing: {bytes}, for want of one from a commit that is here"),
    });
    let (brought, broken) = apply::apply(pull, server, transaction, &opened)?;
    settle(pull, brought, &broken)
}

/// Says what did not come by the delta, or that it had to.
fn settle(pull: &Pull<'_>, brought: Brought, broken: &[String]) -> Result<Brought> {
    match (broken.is_empty(), pull.deltas) {
        (true, _) => {}
        (false, Mode::Require) => {
            return Err(Error::corrupt(format_args!("--require-delta: {}", broken.join("; "))));
        }
        (false, _) => {
            broken.iter().for_each(|why| pull.screen.say(&format!("{why}; its objects come loose")));
        }
    }
    Ok(brought)
}

/// Removes what was downloaded of deltas; all of it is in durable objects.
pub fn forget(pull: &Pull<'_>) {
    parts::forget(pull.repo.path());
}

/// Whether all of a commit is in the repo.
fn is_whole(pull: &Pull<'_>, commit: &Checksum) -> bool {
    pull.repo.has(&ObjectName::new(rootling_object::ObjectKind::Commit, *commit))
        && !pull.repo.is_partial(commit)
}

impl From<rootling_delta::Error> for Error {
    fn from(error: rootling_delta::Error) -> Error {
        match error.kind() {
            ErrorKind::Malformed(_) | ErrorKind::Object { .. } => Error::corrupt(format_args!("{error}")),
            _ => Error::refused(format_args!("{error}")),
        }
    }
}
