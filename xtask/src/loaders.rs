//! What each boot loader costs the device program of a target, in bytes of the program that ships.

use anyhow::Result;

use crate::machines::recipe::{self, Program, Set};
use crate::machines::targets::target;
use crate::measure::file_size;
use crate::place::grouped;
use crate::run::step;

/// The features, and those that each is counted beside.
const FEATURES: &[(&str, &str)] = &[
    ("grub", ""),
    ("systemd-boot", ""),
    ("u-boot", ""),
    ("extlinux", ""),
    ("efi", ""),
    ("pi", ""),
    ("mtd", "u-boot"),
];

/// Builds the agent without deltas and TLS for a target: without a loader, and with each.
pub fn loaders(name: &str) -> Result<()> {
    let target = target(name)?;
    crate::cross::prepare_debian(target)?;
    let program = Program { package: "rootling", set: Set::Plain };
    let size = |features: &str| {
        let title = if features.is_empty() { "no loader" } else { features };
        step(title, || file_size(&recipe::build_with(target, program, features, "rootling-loaders")?))
    };
    let none = size("")?;
    println!("| feature | bytes on {name} |\n|---|---:|\n| none of them | {} |", grouped(none));
    for (feature, beside) in FEATURES {
        let base = if beside.is_empty() { none } else { size(beside)? };
        println!("| `{feature}` | {} |", grouped(size(feature)?.saturating_sub(base)));
    }
    Ok(())
}
