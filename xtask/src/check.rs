//! The checks that need nothing but Rust: the inner loop.

use anyhow::Result;

use crate::run::{cargo, run, step};
use crate::{place, tidy, tools};

/// Format, lints, unit tests, tidy, documentation.
pub fn check() -> Result<()> {
    tools::ensure(&[tools::BUILD])?;
    lint()?;
    features()?;
    step("unit tests", || run(&mut cargo("test -q --workspace --lib --bins")))?;
    eprintln!("\nall checks passed");
    Ok(())
}

/// What needs no test to run: format, tidy, lints of what is built by default, documentation.
pub fn lint() -> Result<()> {
    step("format", || run(&mut cargo("fmt --all --check")))?;
    step("tidy", tidy::tidy)?;
    clippy("--all-targets --workspace")?;
    step("documentation", || {
        run(cargo("doc -q --workspace --no-deps --document-private-items")
            .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"))
    })
}

/// Lints of the other sets of features. Each is one chain of crates, on one core.
pub fn features() -> Result<()> {
    feature_sets()?.iter().try_for_each(|set| clippy(set))
}

fn clippy(set: &str) -> Result<()> {
    step(&format!("clippy, {set}"), || run(cargo(&format!("clippy -q {set}")).args(["--", "-D", "warnings"])))
}

/// All features, and for each package that has features: none, and each alone, without the tests, which
/// bring the other features along.
/// The programs of fuzz are left out: they need a C++ compiler, and consist of one call each.
fn feature_sets() -> Result<Vec<String>> {
    const FUZZ: &str = "rootling-fuzz";
    let all = format!("--all-targets --workspace --exclude {FUZZ} --all-features");
    let mut sets = vec![all];
    for package in tidy::metadata::packages(place::root())? {
        let own: Vec<&String> = package.features.iter().filter(|name| *name != "default").collect();
        if own.is_empty() || package.name == FUZZ {
            continue;
        }
        let bare = format!("--lib --bins -p {} --no-default-features", package.name);
        // one feature alone is all features
        if own.len() > 1 {
            sets.extend(own.into_iter().map(|feature| format!("{bare} --features {feature}")));
        }
        sets.push(bare);
    }
    Ok(sets)
}
