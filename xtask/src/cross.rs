//! The device programs for other machines: built, held against the budget, and each at work once.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::machines::budget::Budget;
use crate::machines::recipe::{self, Lies, PROGRAMS};
use crate::machines::stock::{self, By, There};
use crate::machines::targets::{TARGETS, Target, target};
use crate::measure::file_size;
use crate::run::{output, step};
use crate::smoke::{self, Bed};
use crate::{aslr, emulated, place, tools};

/// Where deltas have to decode to the same bytes: both sizes of a word, both orders of its bytes.
const DELTAS: &[&str] = &["x86_64", "aarch64", "armv7", "s390x"];

/// A target, and whose compiler builds for it.
type Job = (&'static Target, By);

/// Builds for one target, or for all, by Debian's compiler or, asked for or alone there, a stock target; red above the budget, which is
/// for Debian's alone, and without one of all targets.
pub fn cross(name: &str, asked: bool) -> Result<()> {
    let (targets, missing) = choose(name, asked)?;
    prepare(&targets)?;
    let budget = Budget::read()?;
    let bed = Bed::make()?;
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for (target, by) in targets {
        for program in PROGRAMS {
            let title = program.title(target);
            let bytes = step(&title, || {
                let path = match by {
                    By::Debian => recipe::build(target, *program)?,
                    By::Stock => stock::build(target, *program)?,
                };
                if by == By::Debian && target.native() && program.lies(target) == Lies::Anywhere {
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
            if by == By::Stock {
                rows.push((title, bytes, "reported, not judged".to_owned()));
                continue;
            }
            let key = program.set.key();
            let limit =
                budget.limit(program.package, target.name, key).map_or("-".to_owned(), place::grouped);
            match budget.judge(&title, program.package, target.name, key, bytes) {
                Ok(standing) => eprintln!("   {standing}"),
                Err(fault) => faults.push(fault.to_string()),
            }
            rows.push((title, bytes, limit));
        }
    }
    println!("| program | stripped bytes | budget |\n|---|---:|---:|");
    for (title, bytes, limit) in rows {
        println!("| {title} | {} | {limit} |", place::grouped(bytes));
    }
    for target in missing {
        let text = format!("not built: {}: {}", target.name, stock::how(target));
        println!("{text}");
        if !may_lack(target, asked) {
            faults.push(text);
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}

/// Whether `all` is green without this target: apt brings all but the musl of one.
fn may_lack(target: &Target, asked: bool) -> bool {
    target.needs_zig() && !asked
}

/// Whose compiler builds each target that is asked for; and of `all`, those that nothing here can build.
fn choose(name: &str, asked: bool) -> Result<(Vec<Job>, Vec<&'static Target>)> {
    let targets = match name {
        "all" => TARGETS.iter().filter(|target| target.ships).collect(),
        name => vec![target(name)?],
    };
    ensure!(targets.iter().all(|target| target.ships), "{name}: there for tests only; see --tests");
    let debian = has_debians();
    let (mut chosen, mut missing) = (Vec::new(), Vec::new());
    for target in targets {
        match There::look(target, debian).choose(asked) {
            Some(by) => chosen.push((target, by)),
            None => missing.push(target),
        }
    }
    if let Some(first) = missing.first()
        && (chosen.is_empty() || name != "all")
    {
        bail!("{}: {}", first.name, stock::how(first));
    }
    Ok((chosen, missing))
}

/// The test suites of the device's crates on one target.
pub fn tests(name: &str) -> Result<()> {
    let target = target(name)?;
    prepare_debian(target)?;
    emulated::suites(target, emulated::DEVICE, &[])
}

/// The same deltas decode to the same bytes on every kind of processor.
pub fn deltas(only: Option<&str>) -> Result<()> {
    let names = only.as_ref().map_or(DELTAS, std::slice::from_ref);
    let targets = names.iter().map(|name| target(name)).collect::<Result<Vec<_>>>()?;
    prepare(&targets.iter().map(|target| (*target, By::Debian)).collect::<Vec<_>>())?;
    let tests = |target| emulated::suites(target, &["rootling-delta"], &["golden::"]);
    targets.into_iter().try_for_each(tests)
}

/// Has what Debian's compiler needs for a target.
pub fn prepare_debian(target: &'static Target) -> Result<()> {
    prepare(&[(target, By::Debian)])
}

fn prepare(jobs: &[Job]) -> Result<()> {
    let mut own: Vec<_> = jobs.iter().flat_map(|(target, _)| [target.cc, target.emulator]).collect();
    own.extend(stock::TOOLS);
    for (target, _) in jobs.iter().filter(|(_, by)| *by == By::Debian) {
        own.push(target.linker);
        own.extend(recipe::TOOLS);
    }
    let ready = step("tools", || tools::ensure(&[smoke::TOOLS, &own]));
    match jobs.iter().find(|(_, by)| *by == By::Debian) {
        Some((target, _)) if !has_debians() => ready.with_context(|| stock::how(target)),
        _ => ready,
    }
}

/// Whether Debian's compiler is there.
fn has_debians() -> bool {
    tools::missing(&[recipe::COMPILER]).is_empty()
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

#[test]
fn only_what_apt_does_not_bring_may_be_missing() {
    let lack =
        |asked| TARGETS.iter().filter(|target| may_lack(target, asked)).map(|t| t.name).collect::<Vec<_>>();
    assert_eq!(lack(false), ["riscv64"]);
    assert!(lack(true).is_empty());
}
