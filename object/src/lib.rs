//! OSTree formats: bytes to values and back, checksums, limits.
//!
//! Nothing here touches a disk, a socket or a clock. Every decoder refuses what is not in GVariant normal form,
//! so that two readers never see two trees in the same bytes, and every error names the field.
//!
//! | module | what it knows |
//! |---|---|
//! | [`checksum`] | SHA-256 names of objects |
//! | [`variant`] | the GVariant subset that OSTree serialises with |
//! | [`commit`], [`dirtree`], [`dirmeta`], [`content`] | the four kinds of object |
//! | [`summary`] | the list of refs a remote publishes |
//! | [`refs`], [`keyfile`] | names of refs; `config` and origin files |
//! | [`name`] | where an object lies in a repo |
//! | [`names`] | sets of names, and tables by them |
//! | [`pkglist`] | `rpmostree.rpmdb.pkglist` and the difference of two of them |
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

pub mod checksum;
pub mod commit;
pub mod content;
mod cursor;
pub mod dirmeta;
pub mod dirtree;
mod error;
pub mod inflate;
pub mod keyfile;
pub mod name;
pub mod names;
pub mod pkglist;
pub mod refs;
pub mod summary;
pub mod variant;
pub mod xattrs;

pub use checksum::{Checksum, Hasher};
pub use commit::Commit;
pub use content::FileHeader;
pub use dirmeta::DirMeta;
pub use dirtree::DirTree;
pub use error::{Error, ErrorKind, Result};
pub use keyfile::Keyfile;
pub use name::{ObjectKind, ObjectName};
pub use names::{Names, Table};
pub use refs::{RefName, Refspec};
pub use summary::Summary;
pub use variant::{Dict, Value};
pub use xattrs::Xattrs;

/// Largest metadata object that is read or written, in bytes (libostree's `OSTREE_MAX_METADATA_SIZE`).
///
/// Raising it does not change the format; older libostree readers stop at 10 MiB.
pub const MAX_METADATA_SIZE: u64 = 128 << 20;
