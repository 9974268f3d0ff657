//! Static deltas of a repo: made, listed, checked, applied.
//!
//! | file | noun |
//! |---|---|
//! | [`make`] | the job: pairs of commits to deltas and lists |
//! | [`pairs`] | which commits to which |
//! | [`trees`] | the repo as the encoder and the decoder see it |
//! | [`workers`] | all cores, and a line of progress |
//! | [`cache`] | tokens of file pairs that were coded before |
//! | [`opened`] | a delta in a file |
//! | [`lists`] | which deltas there are |
//! | [`apply`] | verifying a delta, and applying it to a repo |
//! | [`ostree`] | deltas in libostree's own format |
//! | [`report`], [`picture`] | where the bytes went |
//!
//! The result depends on the two commits and the options alone, not on the number of threads.

pub mod apply;
pub mod cache;
pub mod lists;
pub mod make;
pub mod opened;
pub mod ostree;
pub mod pairs;
pub mod picture;
pub mod report;
pub mod trees;
pub mod workers;

/// Memory in bytes that a device grants the decoding of a delta: what needs more is not made.
pub const BUDGET: u64 = 7 << 20;
