//! Static deltas of whole trees: decode and apply on the device, make on the host.
//!
//! Nothing here touches a disk, a socket or a clock: old objects and groups come through [`ReadAt`], new objects go
//! to a [`Sink`]. The format is specified in `docs/formats/static-delta.md`.
//!
//! | module | what it knows |
//! |---|---|
//! | [`header`] | what is checked before any group is fetched |
//! | [`list`] | which deltas lead to a commit |
//! | [`tree`] | changed directories, and the plan of new objects |
//! | [`apply`] | from a group to verified objects |
//! | [`group`] | the unit that is fetched, verified and decoded by itself |
//! | [`backend`] | LZMA and deflate below the token streams |
//! | `file`, `chain`, `copymap`, `rebuild` | one file: its old files, copies, corrections, inserts |
//! | `image`, `rules`, `field`, `predict`, `shift` | where references are and what becomes of them |
//! | `ostree` | deltas in libostree's own format, with the feature of that name |
//! | `make` | the encoder, with the feature of that name |
//!
//! Many functions with one caller are marked `inline(never)`: as one function their frame is so large that each access to it
//! takes three bytes more.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(all(feature = "x86", feature = "aarch64", feature = "arm", feature = "i386")),
    allow(dead_code, reason = "names of what only other architectures have")
)]
#![cfg_attr(
    not(any(test, feature = "make")),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

/// Whether this build decodes anything: it does with the rules for at least one architecture. Without, all is refused, and what
/// the decoder takes is not in the program.
pub(crate) const ENABLED: bool = cfg!(any(feature = "x86", feature = "aarch64", feature = "arm"));

pub mod apply;
pub mod backend;
mod chain;
mod codec;
mod copymap;
mod error;
mod field;
mod file;
pub mod group;
pub mod header;
mod image;
mod io;
pub mod list;
#[cfg(feature = "make")]
pub mod make;
mod num;
#[cfg(feature = "ostree")]
pub mod ostree;
mod predict;
mod rebuild;
mod rules;
mod shift;
pub mod tree;

pub use apply::{NewContent, OldContent, apply_group, apply_symlinks, missing_machine};
pub use backend::Backend;
pub use error::{Error, ErrorKind, Result};
pub use group::{Group, GroupHeader};
pub use header::{Header, Prelude};
pub use io::{ReadAt, Sink};
pub use tree::{OldTree, Plan, PlannedObject, plan};
