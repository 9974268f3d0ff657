//! What each crate costs the device program, in bytes of code.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Result;

use crate::measure::file_size;
use crate::run::{cargo, output, run, step};
use crate::tidy::edges;
use crate::{place, size};

/// Prints the number of crates, the cost of TLS by building without, and the bytes of each crate's functions.
pub fn deps() -> Result<()> {
    let (with, without) = (edges::agent_crates(true)?, edges::agent_crates(false)?);
    println!(
        "crates in the agent: {} without TLS ({} allowed), {} with",
        without.len(),
        edges::MAX_AGENT_CRATES,
        with.len()
    );
    let only: Vec<&str> = with.difference(&without).map(String::as_str).collect();
    println!("only with TLS: {}", only.join(", "));
    let [small, large] = [false, true]
        .map(|tls| step(if tls { "with TLS" } else { "without TLS" }, || file_size(&size::stock(tls)?)));
    let (small, large) = (small?, large?);
    println!(
        "TLS costs {} bytes ({} with, {} without)",
        place::grouped(large - small),
        place::grouped(large),
        place::grouped(small)
    );
    let sizes = step("symbols", functions)?;
    println!("\n{:>9}  crate (its functions, generic ones where they were made)", "bytes");
    let mut rows: Vec<_> = sizes.into_iter().collect();
    rows.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    for (name, bytes) in rows.iter().take(40) {
        println!("{:>9}  {name}", place::grouped(*bytes));
    }
    Ok(())
}

/// Bytes of functions by crate, from a build that keeps its symbols.
fn functions() -> Result<BTreeMap<String, u64>> {
    let folder = place::target().join("symbols");
    let mut command = cargo("build -q --release -p rootling");
    command.env("CARGO_PROFILE_RELEASE_STRIP", "false").env("RUSTFLAGS", "-Csymbol-mangling-version=v0");
    run(command.arg("--target-dir").arg(&folder))?;
    let listing = output(
        Command::new("nm").args(["-S", "--size-sort", "--demangle"]).arg(folder.join("release/rootling")),
    )?;
    let mut sizes = BTreeMap::new();
    for line in listing.lines() {
        let mut fields = line.splitn(4, ' ');
        let (_, size, kind, name) = (fields.next(), fields.next(), fields.next(), fields.next());
        let (Some(size), Some("t" | "T"), Some(name)) = (size, kind, name) else { continue };
        *sizes.entry(crate_of(name).to_owned()).or_default() += u64::from_str_radix(size, 16).unwrap_or(0);
    }
    Ok(sizes)
}

/// The crate of a demangled name: `<ureq::x::Y as core::fmt::Display>::fmt` is of ureq.
fn crate_of(name: &str) -> &str {
    let start =
        name.trim_start_matches(['<', '&', '(', '[']).trim_start_matches("mut ").trim_start_matches("dyn ");
    match start.split_once("::") {
        Some((first, _)) if first.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => first,
        _ => "(C, libc and others)",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn functions_are_counted_for_their_crate() {
        for (name, expected) in [
            ("ureq::run::run", "ureq"),
            ("<rootling_store::Repo as core::fmt::Debug>::fmt", "rootling_store"),
            ("<&mut core::str::Chars as x::Y>::z", "core"),
            ("memcpy", "(C, libc and others)"),
        ] {
            assert_eq!(super::crate_of(name), expected);
        }
    }
}
