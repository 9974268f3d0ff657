//! Which crate may know which, and how much the agent may depend on.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::metadata::{self, Package};
use crate::run::{cargo, output};

/// A package and the packages of this workspace it may need; the picture is in ARCHITECTURE.md.
const ALLOWED: &[(&str, &[&str])] = &[
    ("rootling-object", &[]),
    ("rootling-trust", &["rootling-object"]),
    ("rootling-boot", &["rootling-object"]),
    ("rootling-delta", &["rootling-object"]),
    ("rootling-prepare-root", &["rootling-object", "rootling-boot"]),
    ("rootling-store", &["rootling-object", "rootling-trust", "rootling-boot"]),
    ("rootling", &["rootling-object", "rootling-trust", "rootling-boot", "rootling-delta", "rootling-store"]),
    (
        "rootling-compose",
        &["rootling-object", "rootling-trust", "rootling-boot", "rootling-delta", "rootling-store"],
    ),
    ("rootling-qemu", &["rootling-compose"]),
    (
        "rootling-tests",
        &[
            "rootling",
            "rootling-compose",
            "rootling-object",
            "rootling-trust",
            "rootling-boot",
            "rootling-store",
        ],
    ),
    (
        "rootling-fuzz",
        &[
            "rootling",
            "rootling-compose",
            "rootling-object",
            "rootling-trust",
            "rootling-boot",
            "rootling-delta",
            "rootling-store",
        ],
    ),
    ("xtask", &[]),
];

/// Crates that never run on a device, whoever asks for them.
const NEVER_ON_DEVICE: &[&str] = &[
    "rootling-compose",
    "anyhow",
    "clap",
    "flate2",
    "libdeflater",
    "openssl",
    "openssl-sys",
    "glib",
    "gio",
    "regex",
    "resolvo",
    "rpm",
    "serde",
    "serde_json",
    "tokio",
    "async-std",
    "futures",
    "url",
    "webpki-roots",
    "zstd",
];

/// Crates in the agent's tree without TLS, itself included.
pub const MAX_AGENT_CRATES: usize = 45;

/// Compares the workspace with the table.
pub fn check(root: &Path) -> Result<Vec<String>> {
    Ok(complaints(&metadata::packages(root)?))
}

fn complaints(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
            found.push(format!("package {}: not in the table of xtask/src/tidy/edges.rs", package.name));
            continue;
        };
        let forbidden = package.needs.iter().filter(|need| !allowed.contains(&need.as_str()));
        found.extend(forbidden.map(|need| format!("{} must not depend on {need}", package.name)));
    }
    found
}

/// Looks through what the agent's binary is made of, with and without TLS.
pub fn check_agent(_: &Path) -> Result<Vec<String>> {
    let mut found = foreign(&agent_crates(true)?);
    let count = agent_crates(false)?.len();
    if count > MAX_AGENT_CRATES {
        found.push(format!(
            "without TLS the agent is made of {count} crates, expected {MAX_AGENT_CRATES} at most"
        ));
    }
    Ok(found)
}

fn foreign(crates: &BTreeSet<String>) -> Vec<String> {
    let bad = NEVER_ON_DEVICE.iter().filter(|name| crates.contains(**name));
    bad.map(|name| {
        format!("the agent depends on {name}, by way of: cargo tree -p rootling -e normal -i {name}")
    })
    .collect()
}

/// Names of the crates linked into the agent, itself included.
pub fn agent_crates(tls: bool) -> Result<BTreeSet<String>> {
    let features = if tls { "" } else { "--no-default-features --features delta,loaders" };
    // without --no-dedupe a crate that came up before is cut off with what it needs
    let args = format!("tree -p rootling {features} -e normal --no-dedupe --prefix none --format {{p}}");
    let text = output(&mut cargo(&args))?;
    Ok(text.lines().filter(|line| !line.contains("(proc-macro)")).filter_map(first_word).collect())
}

fn first_word(line: &str) -> Option<String> {
    line.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_that_is_not_in_the_table_is_named() {
        let package = |name: &str, needs: &[&str]| Package {
            name: name.into(),
            features: vec![],
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        };
        let found = complaints(&[
            package("rootling-object", &["rootling-store"]),
            package("rootling-store", &["rootling-object"]),
            package("newcomer", &[]),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0], "rootling-object must not depend on rootling-store");
        assert!(found[1].contains("newcomer"), "{found:?}");
    }

    #[test]
    fn a_crate_of_the_build_host_in_the_agent_is_named() {
        let crates = ["log", "serde"].map(str::to_owned).into();
        assert!(foreign(&crates)[0].contains("depends on serde"));
    }
}
