//! The command line, in two steps: what was typed ([`typed`]), then what was meant ([`meant`]).
//!
//! [`spec`] is the one table of commands and flags; parsing and the help text both read it.

pub mod help;
pub mod meant;
pub mod spec;
pub mod typed;

use std::ffi::OsString;

use crate::error::Result;
pub use meant::{Command, Global, Meant};

/// From the arguments after the program's name to what the user meant.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Meant> {
    meant::understand(typed::read(args)?)
}
