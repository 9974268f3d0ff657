//! The device program in the profile that ships, for this machine: the row x86_64 of the folder cross.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::machines::recipe::{self, Program, Set};
use crate::machines::targets::target;
use crate::tools;

/// The machine's name in `cross/size-budget.toml`.
pub const TARGET: &str = "x86_64";

/// What building needs beside Rust and [`recipe::TOOLS`].
pub const TOOLS: &[tools::Tool] = &[("gcc", "gcc")];

/// Builds the agent and returns the stripped program.
pub fn build(set: Set) -> Result<PathBuf> {
    ensure!(cfg!(target_arch = "x86_64"), "the shipping profile is built on x86_64 only, for now");
    recipe::build(target(TARGET)?, Program { package: "rootling", set })
}

/// Builds the agent with these features in place of the default ones.
pub fn build_with(features: &str) -> Result<PathBuf> {
    let program = Program { package: "rootling", set: Set::Deltas };
    recipe::build_with(target(TARGET)?, program, features, &format!("rootling-[{features}]"))
}
