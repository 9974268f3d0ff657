//! Static deltas in libostree's own format, for servers and devices that have no other.
//!
//! ```text
//! delta-indexes/XX/<41>.index      the deltas to one commit, with the checksum of each superblock     (index)
//! deltas/XX/<41>-<43>/superblock   both commits, the parts, objects to fetch by themselves       (superblock)
//! deltas/XX/<41>-<43>/0, 1, ...    parts: coding and payload                                             (xz)
//! payload                          modes, xattrs, bytes, operations                           (payload, apply)
//! ```
//! Specified in `docs/formats/ostree-delta.md`.

pub mod apply;
pub mod index;
pub mod path;
pub mod payload;
pub mod superblock;
pub mod xz;

pub use apply::{Target, apply};
pub use payload::Payload;
pub use superblock::{Fallback, PartHeader, Superblock};
pub use xz::{Coding, HEAD};
