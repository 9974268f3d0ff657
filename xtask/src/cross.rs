//! The device programs for other machines: built, held against the budget, and each at work once.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::machines::budget::Budget;
use crate::machines::recipe::{self, Lies, PROGRAMS};
use crate::machines::targets::{Libc, TARGETS, Target, target};
use crate::machines::zig;
use crate::measure::file_size;
use crate::run::{output, step};
use crate::smoke::{self, Bed};
use crate::{aslr, emulated, place, tools};

/// Where deltas have to decode to the same bytes: both sizes of a word, both orders of its bytes.
const DELTAS: &[&str] = &["x86_64", "aarch64", "armv7", "s390x"];

/// Builds for one target, or for all; red above the budget.
pub fn cross(name: &str) -> Result<()> {
    let targets = match name {
        "all" => TARGETS.iter().filter(|target| target.ships).collect(),
        name => vec![target(name)?],
    };
    // asked for by its name, it is an error where zig is missing
    let lacks =
        |target: &Target| name == "all" && matches!(target.libc, Libc::Zig(_)) && zig::find().is_none();
    let (missing, targets): (Vec<&Target>, Vec<_>) = targets.into_iter().partition(|target| lacks(target));
    ensure!(targets.iter().all(|target| target.ships), "{name}: there for tests only; see --tests");
    prepare(&targets)?;
    let budget = Budget::read()?;
    let bed = Bed::make()?;
    let (mut rows, mut over) = (Vec::new(), Vec::new());
    for target in targets {
        for program in PROGRAMS {
            let title = match program.package {
                "rootling" => format!("rootling for {} {}", target.name, program.set.words()),
                other => format!("{other} for {}", target.name),
            };
            let bytes = step(&title, || {
                let path = recipe::build(target, *program)?;
                if target.native() && program.lies(target) == Lies::Anywhere {
                    aslr::differs(&path)?;
                }
                for cpu in [None].into_iter().chain(target.cpus.iter().copied().map(Some)) {
                    start(target, cpu, &path)?;
                    if program.package == "rootling" {
                        bed.update(target, cpu, &path, program.set)?;
                    }
                }
                file_size(&path)
            })?;
            let key = program.set.key();
            let limit = budget.limit(program.package, target.name, key);
            match budget.judge(&title, program.package, target.name, key, bytes) {
                Ok(standing) => eprintln!("   {standing}"),
                Err(fault) => over.push(fault.to_string()),
            }
            rows.push((title, bytes, limit));
        }
    }
    println!("| program | stripped bytes | budget |\n|---|---:|---:|");
    for (title, bytes, limit) in rows {
        let limit = limit.map_or("-".to_owned(), place::grouped);
        println!("| {title} | {} | {limit} |", place::grouped(bytes));
    }
    for target in missing {
        println!("not built: {}, which needs zig: {}", target.name, zig::HOW);
    }
    if !over.is_empty() {
        bail!("{}", over.join("; "));
    }
    Ok(())
}

/// The test suites of the device's crates on one target.
pub fn tests(name: &str) -> Result<()> {
    let target = target(name)?;
    prepare(&[target])?;
    emulated::suites(target, emulated::DEVICE, &[])
}

/// The same deltas decode to the same bytes on every kind of processor.
pub fn deltas(only: Option<&str>) -> Result<()> {
    let names = only.as_ref().map_or(DELTAS, std::slice::from_ref);
    let targets = names.iter().map(|name| target(name)).collect::<Result<Vec<_>>>()?;
    prepare(&targets)?;
    let tests = |target| emulated::suites(target, &["rootling-delta"], &["golden::"]);
    targets.into_iter().try_for_each(tests)
}

fn prepare(targets: &[&Target]) -> Result<()> {
    let own: Vec<_> = targets.iter().flat_map(|target| [target.linker, target.cc, target.emulator]).collect();
    step("tools", || tools::ensure(&[recipe::TOOLS, smoke::TOOLS, &own]))
}

/// The program answers under the emulator; both programs print something and touch nothing without arguments.
fn start(target: &Target, cpu: Option<&str>, path: &Path) -> Result<()> {
    let mut command = target.run(cpu, path);
    let result = command.arg("--version").output().context(target.emulator.0)?;
    if result.stdout.is_empty() && result.stderr.is_empty() {
        bail!("{} says nothing under {}: {}", path.display(), target.emulator.0, result.status);
    }
    output(Command::new("file").arg(path)).map(|what| eprint!("   {what}"))
}
