//! The device programs for other machines: built, held against the budget, and each at work once.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::machines::budget::Budget;
use crate::machines::recipe::{self, Program};
use crate::machines::targets::{TARGETS, Target, target};
use crate::measure::file_size;
use crate::run::{output, step};
use crate::smoke::{self, Bed};
use crate::{place, tools};

/// Every program in every feature set that ships.
const PROGRAMS: &[Program] = &[
    Program { package: "rootling", tls: false },
    Program { package: "rootling", tls: true },
    Program { package: "rootling-prepare-root", tls: false },
];

/// Builds for one target, or for all; red above the budget.
pub fn cross(name: &str) -> Result<()> {
    step("tools", || tools::ensure(&[recipe::TOOLS, smoke::TOOLS]))?;
    let targets = if name == "all" { TARGETS.iter().collect() } else { vec![target(name)?] };
    let budget = Budget::read()?;
    let bed = Bed::make()?;
    let (mut rows, mut over) = (Vec::new(), Vec::new());
    for target in targets {
        for program in PROGRAMS {
            let title =
                format!("{} for {}{}", program.package, target.name, if program.tls { ", TLS" } else { "" });
            let bytes = step(&title, || {
                let path = recipe::build(target, *program)?;
                start(target, &path)?;
                if program.package == "rootling" {
                    bed.update(target, &path, program.tls)?;
                }
                file_size(&path)
            })?;
            let limit = budget.limit(program.package, target.name, program.tls);
            match budget.judge(program.package, target.name, program.tls, bytes) {
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
    if !over.is_empty() {
        bail!("{}", over.join("; "));
    }
    Ok(())
}

/// The program answers under the emulator; both programs print something and touch nothing without arguments.
fn start(target: &Target, path: &Path) -> Result<()> {
    let (emulator, package) = target.emulator;
    let result = Command::new(emulator).arg(path).arg("--version").output();
    let result = result.with_context(|| format!("{emulator}: install it with: apt-get install {package}"))?;
    if result.stdout.is_empty() && result.stderr.is_empty() {
        bail!("{} says nothing under {emulator}: {}", path.display(), result.status);
    }
    output(Command::new("file").arg(path)).map(|what| eprint!("   {what}"))
}
