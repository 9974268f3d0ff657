//! Downloads: repository files over HTTP, HTTPS or from a folder, checked and kept by checksum.
//!
//! ```text
//! CACHE/metadata/sha256-HEX      repodata files
//! CACHE/packages/sha256-HEX.rpm  packages
//! ```
//!
//! A file appears under its name only after its checksum and size were right, so the name is the proof.

mod cache;
mod decompress;
mod digest;
mod packages;
mod source;

pub use cache::Cache;
pub use decompress::decompress;
pub use digest::{Digest, Expected};
pub use packages::{Wanted, fetch_packages};
pub use source::Source;
