//! The repo and the deployments on disk: objects, transactions, refs, checkout, prune, fsck, deploy.
//!
//! | module | what it does |
//! |---|---|
//! | [`repo`] | objects, refs, transactions and the summary |
//! | [`tree`] | from a directory or from memory to dirtrees |
//! | [`checkout`] | from a commit to a directory |
//! | [`walk`], [`diff`] | what is in a commit, and between two |
//! | [`deltas`] | where static deltas lie |
//! | [`fsck`], [`prune`] | broken and unneeded objects |
//! | [`sysroot`] | deployments, boot entries, `/etc` |
//! | [`lock`] | libostree's own locks |
//! | [`threads`], [`atomic`] | threads, and counters for several of them |
//!
//! Durability is promised in the module doc of whatever writes: [`repo`] transactions and [`sysroot`].

pub mod archive;
pub mod atomic;
pub mod checkout;
pub mod deltas;
pub mod diff;
mod error;
pub mod fs;
pub mod fsck;
mod input;
pub mod lock;
mod notice;
pub mod prune;
pub mod repo;
mod share;
mod sys;
pub mod sysroot;
pub mod threads;
pub mod tree;
pub mod walk;

pub use error::{Error, ErrorKind, Result};
pub use input::Input;
pub use notice::warn;
pub use repo::{Content, Incoming, Repo, RepoMode, Transaction};
