//! The writes of a disk that were logged, and the states that a loss of power between them could leave.

pub mod image;
pub mod log;
pub mod states;
