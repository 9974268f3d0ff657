//! Deltas in libostree's own format, if the feature `ostree-delta` is on.
//!
//! ```text
//! index      the signed summary, else delta-indexes/ -> which deltas lead to the commit, and the checksum of each superblock
//! superblock both commits, the parts; the commit goes through the same checks as a loose one
//! head       64 bytes of each part: the memory that it takes, before the rest is asked for
//! part       downloaded, compared with its checksum, unpacked into a file, its objects made from there
//! rest       fallback objects, and what no part brought, come loose
//! ```

#[cfg(not(feature = "ostree-delta"))]
mod disabled;
#[cfg(feature = "ostree-delta")]
mod enabled;

#[cfg(not(feature = "ostree-delta"))]
pub use disabled::{Opened, apply, memory_limit, open};
#[cfg(feature = "ostree-delta")]
pub use enabled::{Opened, apply, memory_limit, open};
