//! How large the device program is, and whether that is too much.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::machines::budget::Budget;
use crate::machines::recipe::{self, Program, Set};
use crate::machines::targets::target;
use crate::measure::file_size;
use crate::run::{cargo, output, run, step, together};
use crate::{place, ship, tools};

/// Builds all variants, prints the table of README.md and checks the budget.
pub fn size() -> Result<()> {
    step("tools", || tools::ensure(&[tools::BUILD, recipe::TOOLS, ship::TOOLS]))?;
    let mut rows = Vec::new();
    for tls in [false, true] {
        let path = step(&format!("stock toolchain, static glibc, {}", named(tls)), || stock(tls))?;
        rows.push((format!("stock toolchain, static glibc, {}", named(tls)), file_size(&path)?, None));
    }
    let budget = Budget::read()?;
    for (set, bytes) in shipping()? {
        let limit = budget.limit("rootling", ship::TARGET, set.key());
        rows.push((format!("shipping profile, static musl, {}", set.words()), bytes, limit));
    }
    println!("| x86_64 build | stripped bytes | budget |\n|---|---:|---:|");
    for (name, bytes, budget) in &rows {
        let budget = budget.map_or("-".to_owned(), place::grouped);
        println!("| {name} | {} | {budget} |", place::grouped(*bytes));
    }
    if let Some((libraries, bytes)) = debian_ostree() {
        println!(
            "| Debian's `ostree` with the {libraries} libraries it loads beside glibc's | {} | - |",
            place::grouped(bytes)
        );
    }
    Ok(())
}

/// Builds the shipping profile in each set of features and checks the budget.
pub fn shipping() -> Result<Vec<(Set, u64)>> {
    let budget = Budget::read()?;
    let mut sizes = Vec::new();
    for set in Set::ALL {
        let path = step(&format!("shipping profile, {}", set.words()), || ship::build(set))?;
        let bytes = file_size(&path)?;
        let name = format!("rootling for {} {}", ship::TARGET, set.words());
        eprintln!("   {}", budget.judge(&name, "rootling", ship::TARGET, set.key(), bytes)?);
        sizes.push((set, bytes));
    }
    deltas(&budget)?;
    Ok(sizes)
}

/// Builds the shipping profile with more and less of static deltas, and checks what the decoder adds: with the rules for all
/// architectures of profile 1, and with those for one. No boot loader is in these programs.
fn deltas(budget: &Budget) -> Result<()> {
    let built = |features: &'static str| {
        let title = format!("shipping profile, features [{features}]");
        step(&title, || ship::build_with(features)).and_then(|path| file_size(&path))
    };
    let (without, fetching) = (built("")?, built("static-delta")?);
    let (all, one) = (built("delta")?, built("x86")?);
    let fetch = place::grouped(added("fetching static deltas", fetching, without)?);
    eprintln!("   fetching static deltas: {fetch} bytes beside the decoder");
    for (key, name, bytes) in [("all", "all architectures", all), ("one", "x86-64", one)] {
        let name = format!("delta decoder with {name}");
        let standing = budget.judge(&name, "delta", ship::TARGET, key, added(&name, bytes, fetching)?)?;
        eprintln!("   {standing}");
    }
    Ok(())
}

/// What a feature adds; one that adds nothing was not built in.
fn added(name: &str, with: u64, without: u64) -> Result<u64> {
    let bytes = with.checked_sub(without).filter(|bytes| *bytes > 0);
    bytes.with_context(|| format!("{name}: expected more than {without} bytes with it, got {with}"))
}

/// The programs that CI builds and judges beside the agent for this machine: all that have limits of the design.
const BESIDE: &[(&str, Program)] = &[
    ("x86_64", PREPARE_ROOT),
    // the guest of real boots has these two too
    ("aarch64", PREPARE_ROOT),
    ("aarch64", Program { package: "rootling", set: Set::Deltas }),
    ("aarch64", Program { package: "rootling", set: Set::Plain }),
    ("aarch64", Program { package: "rootling", set: Set::Tls }),
    ("armv7", PREPARE_ROOT),
    ("armv7", Program { package: "rootling", set: Set::Plain }),
    ("armv7", Program { package: "rootling", set: Set::Deltas }),
    ("armv7", Program { package: "rootling", set: Set::Tls }),
];
const PREPARE_ROOT: Program = Program { package: "rootling-prepare-root", set: Set::Plain };

/// What building them needs beside [`recipe::TOOLS`].
pub fn beside_tools() -> Result<Vec<tools::Tool>> {
    let targets = BESIDE.iter().map(|(name, _)| target(name)).collect::<Result<Vec<_>>>()?;
    Ok(targets.iter().flat_map(|target| [target.linker, target.cc]).collect())
}

/// All that CI judges, on two cores: what is built for this machine while what is built for others is.
pub fn gate() -> Result<()> {
    let own = || {
        step("size of the device program", shipping)?;
        step("size of prepare-root", || beside(|name| name == ship::TARGET))
    };
    together(own, || step("sizes for other machines", || beside(|name| name != ship::TARGET)))
}

/// Builds those for the `machines` and checks the budget; the error names all that are too large.
pub fn beside(machines: fn(&str) -> bool) -> Result<()> {
    step("tools", || tools::ensure(&[tools::BUILD, recipe::TOOLS, &beside_tools()?]))?;
    let budget = Budget::read()?;
    let mut over = Vec::new();
    for (name, program) in BESIDE.iter().filter(|(name, _)| machines(name)) {
        let title = program.title(target(name)?);
        let path = step(&title, || recipe::build(target(name)?, *program))?;
        match budget.judge(&title, program.package, name, program.set.key(), file_size(&path)?) {
            Ok(standing) => eprintln!("   {standing}"),
            Err(fault) => over.push(fault.to_string()),
        }
    }
    ensure!(over.is_empty(), "{}", over.join("; "));
    Ok(())
}

/// The release profile by the toolchain everyone has, static.
pub fn stock(tls: bool) -> Result<PathBuf> {
    let folder = place::target().join("stock").join(if tls { "tls" } else { "no-tls" });
    let features = if tls { "" } else { "--no-default-features --features delta,loaders" };
    let mut command = cargo(&format!("build -q --release -p rootling {features} --target {}", place::host()));
    // --target keeps these flags from build scripts
    command.env("RUSTFLAGS", "-Ctarget-feature=+crt-static -Crelocation-model=static");
    run(command.arg("--target-dir").arg(&folder))?;
    Ok(folder.join(place::host()).join("release/rootling"))
}

fn named(tls: bool) -> &'static str {
    if tls { "with TLS" } else { "without TLS" }
}

/// What `ostree` of this machine loads: number of libraries without glibc's own, and bytes with the program.
fn debian_ostree() -> Option<(usize, u64)> {
    const GLIBC: &[&str] =
        &["libc.so", "libm.so", "libpthread", "libdl.so", "librt.so", "libresolv", "ld-linux", "linux-vdso"];
    let listing = output(std::process::Command::new("ldd").arg("/usr/bin/ostree")).ok()?;
    let paths = listing.lines().filter(|line| !GLIBC.iter().any(|name| line.contains(name)));
    let paths: Vec<&str> = paths.filter_map(|line| line.split("=> ").nth(1)?.split(' ').next()).collect();
    let bytes: Result<Vec<u64>> =
        paths.iter().copied().chain(["/usr/bin/ostree"]).map(|path| file_size(path.as_ref())).collect();
    Some((paths.len(), bytes.ok()?.iter().sum()))
}

#[test]
fn what_adds_nothing_is_no_size() {
    assert_eq!(added("x", 10, 7).unwrap(), 3);
    assert!(added("x", 7, 7).is_err() && added("x", 6, 7).is_err());
}
