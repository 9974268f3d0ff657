//! systemd-boot: entries on a FAT partition, counted in their file names.
//!
//! ```text
//! loader/loader.conf                        what the menu shows, and which entry is pinned    conf
//! loader/entries/ostree-3+02-01.conf        an entry: two tries left, one done                name
//! LoaderEntryOneShot, LoaderBootCountPath   firmware variables between it and the system      variable
//! ```
//!
//! FAT has no symlinks, so the list cannot be swapped as a whole; `plan` says how it changes instead.

mod conf;
mod name;
mod order;
mod plan;
pub mod variable;

pub use conf::LoaderConf;
pub use name::{CountedName, Counter};
pub use order::{Listed, boot_order, version_order};
pub use plan::{Entries, Kept, PROMISES, arm, confirm, fall_back};
