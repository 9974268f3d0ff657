//! The encoder, for the host: everything here may use the memory and time of a build machine.
//!
//! old and new file -> references replaced by what they point at ([`normal`]) -> copies ([`align`]) ->
//! corrections, by running the decoder's own walk ([`mod@file`]) -> token streams -> further old files where these hold much that
//! was inserted ([`many`]) -> groups ([`group`]).
//! [`mod@ostree`] makes deltas in libostree's own format.

mod align;
mod bsdiff;
mod coding;
pub mod file;
pub mod group;
mod layout;
mod likeness;
mod many;
mod normal;
pub mod ostree;
mod sources;
pub(crate) mod tokens;
pub mod tree;

/// Raised with any change of what [`code`] gives for the same pair: what was kept of an older one is of no use.
pub const ENCODER: u32 = 4;

pub use file::{Coded, code, code_for, code_from};
pub use group::{Packed, pack};
pub use tree::{FileCost, Made, Objects, Options, Serial, Workers, make};
