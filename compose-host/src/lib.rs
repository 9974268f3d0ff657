//! From RPM repositories to OSTree commits.
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`compose`] | the whole job, step by step |
//! | [`manifest`] | treefiles with their includes |
//! | [`repo`] | `.repo` files and repository metadata |
//! | [`solve`] | which packages |
//! | [`lock`] | the lock file: exactly these packages |
//! | [`inputhash`] | whether anything is new |
//! | [`fetch`] | downloads, checked and kept by checksum |
//! | [`rpmfile`], [`order`], [`unpack`], [`root`] | packages into a root directory |
//! | [`scriptlet`], [`sandbox`] | their scripts |
//! | [`rpmdb`] | the database of what is installed |
//! | [`postprocess`] | from a root directory to a tree |
//! | [`initramfs`] | prepare-root and the modules that storage needs |
//! | [`userns`] | root for those who are not |
//! | [`delta`] | static deltas: make, list, check, apply |
//! | [`db`], [`serve`] | what commits hold; a server for trying things |

pub mod arch;
pub mod cli;
pub mod compose;
mod date;
pub mod db;
pub mod delta;
pub mod fetch;
pub mod initramfs;
pub mod inputhash;
pub mod lock;
pub mod manifest;
pub mod order;
pub mod postprocess;
pub mod repo;
pub mod root;
pub mod rpmdb;
pub mod rpmfile;
pub mod sandbox;
pub mod scriptlet;
pub mod serve;
pub mod solve;
pub mod unpack;
pub mod userns;
