//! `/etc` of a deployment: what was changed in it, and carrying that over to the next one.
//!
//! Three folders take part: the defaults that came with the old tree (its `usr/etc`), the `etc` that was edited,
//! and the new deployment's `etc`, a fresh copy of its own `usr/etc`. What differs between the first two is a
//! change; changes are applied to the third. As in libostree a changed file stays whole, whatever the new default
//! is, and a removed one stays removed; times and xattrs do not count as changes.
//!
//! Where the new tree has a file in the place of a folder, or the reverse, the new default stays and the edited
//! one is kept beside it as `NAME.rootling-conflict`; libostree would refuse every update from there on.
//!
//! Only the new deployment's folder is written, which nothing boots yet; nothing is synced, see `write`.

mod copy;
mod diff;
mod merge;

pub use diff::{Change, ChangeKind, diff};
pub use merge::{Merge, merge};

/// Added to the name of an edited file or folder that has no place in the new tree.
pub const CONFLICT_SUFFIX: &str = ".rootling-conflict";
