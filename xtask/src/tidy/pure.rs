//! The crates that turn bytes into values: no disk, no socket, no clock, no process.
//!
//! Clippy's disallowed types and methods say so too, but only for names they know; this also refuses the modules.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::source::{Source, code, rust_files, without_tests};

/// Folders of the pure crates.
const PURE: &[&str] = &["boot", "delta", "object", "trust"];

const BANNED: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::os",
    "std::thread",
    "SystemTime",
    "Instant",
    "File::",
    "println!",
    "print!(",
    "libc::",
    "nix::",
];

/// What every pure crate forbids at the top of its lib.rs.
const DENIED: &[&str] = &[
    "#![forbid(unsafe_code)]",
    "clippy::unwrap_used",
    "clippy::expect_used",
    "clippy::panic",
    "clippy::indexing_slicing",
    "clippy::arithmetic_side_effects",
    "clippy::as_conversions",
];

/// Looks through sources, clippy configuration and lint levels of the pure crates.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let first = read(&root.join(PURE[0]).join("clippy.toml"))?;
    for folder in PURE {
        found.extend(rust_files(root, &[&format!("{folder}/src")])?.iter().flat_map(impure));
        if read(&root.join(folder).join("clippy.toml"))? != first {
            found.push(format!("{folder}/clippy.toml differs from {}/clippy.toml", PURE[0]));
        }
        found.extend(unguarded(folder, &read(&root.join(folder).join("src/lib.rs"))?));
    }
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn impure((path, text): &Source) -> Vec<String> {
    let lines = without_tests(text).map(code).enumerate();
    let hits = lines
        .filter_map(|(index, line)| Some((index + 1, BANNED.iter().find(|name| line.contains(**name))?)));
    hits.map(|(line, name)| format!("{path}:{line}: {name} in a pure crate")).collect()
}

fn unguarded(folder: &str, lib: &str) -> Vec<String> {
    let missing = DENIED.iter().filter(|lint| !lib.contains(**lint));
    missing.map(|lint| format!("{folder}/src/lib.rs does not deny {lint}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_and_clock_are_found_outside_of_tests_and_comments() {
        let text =
            "// std::fs\nuse std::fs;\nlet t = SystemTime::now();\n#[cfg(test)]\nmod tests {\n std::fs\n}\n";
        let found = impure(&("a.rs".into(), text.into()));
        assert_eq!(found, ["a.rs:2: std::fs in a pure crate", "a.rs:3: SystemTime in a pure crate"]);
        assert_eq!(unguarded("x", "#![forbid(unsafe_code)]").len(), DENIED.len() - 1);
    }
}
