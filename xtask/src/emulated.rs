//! Test suites of the crates that a device has, in the profile that ships, on another machine's processor.
//!
//! A panic traps at once in that profile: a failed test ends its program, with the name of the test as the last line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::machines::recipe::{self, Lies};
use crate::machines::targets::Target;
use crate::run::step;
use crate::tools;

/// The crates whose formats and files depend on the processor.
pub const DEVICE: &[&str] = &["rootling-object", "rootling-boot", "rootling-store", "rootling-delta"];

/// What cannot run so, by the start of its name, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("crash::", "strace cannot see the calls of an emulated program"),
    ("crash_loader::", "strace cannot see the calls of an emulated program"),
    ("loader_efi::arming_killed", "strace cannot see the calls of an emulated program"),
    ("loader_pi::killed_while", "strace cannot see the calls of an emulated program"),
    (
        "sysroot::loader::uboot::flash::enabled::tests::copies_that",
        "asks whether a file is flash, which the emulator does not hand on",
    ),
    ("share::tests::a_panic_ends_the_finder_too", "catches a panic, which traps in this profile"),
    ("threads::tests::a_panic_of", "catches a panic, which traps in this profile"),
    ("mounts::", "starts itself in a namespace, where the kernel would need the emulator"),
];

/// Builds and runs the tests of the packages; `only` are the starts of their names, none for all.
pub fn suites(target: &Target, packages: &[&str], only: &[&str]) -> Result<()> {
    let bootctl = step("bootctl", tools::bootctl)?;
    let programs = step(&format!("tests for {}", target.name), || build(target, packages))?;
    let (mut failed, mut ran) = (Vec::new(), 0);
    for (program, folder) in programs {
        if !only.is_empty() && !any(target, &program, only)? {
            continue;
        }
        ran += 1;
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let title = format!("{name} on {}", target.name);
        if let Err(error) = step(&title, || run(target, &program, &folder, only, &bootctl)) {
            eprintln!("   {error:#}");
            failed.push(title);
        }
    }
    ensure!(ran > 0, "expected tests called {}, got none", only.join(", "));
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// The programs, each with the folder of its package.
fn build(target: &Target, packages: &[&str]) -> Result<Vec<(PathBuf, PathBuf)>> {
    let args = "test --no-run --lib --tests -Zbuild-std=std,panic_abort,test -Zpanic-abort-tests \
                -Zbuild-std-features=optimize_for_size --message-format=json-render-diagnostics";
    let mut command = recipe::cargo(target, args, Lies::Anywhere, false)?;
    packages.iter().for_each(|package| _ = command.args(["-p", package]));
    let told = crate::run::output(&mut command)?;
    let mut programs = Vec::new();
    for line in told.lines() {
        let line: serde_json::Value = serde_json::from_str(line).context("what cargo tells")?;
        if let (Some(program), Some(manifest)) = (line["executable"].as_str(), line["manifest_path"].as_str())
            && line["profile"]["test"] == true
        {
            let folder = Path::new(manifest).parent().context("a manifest without a folder")?;
            programs.push((PathBuf::from(program), folder.to_owned()));
        }
    }
    ensure!(!programs.is_empty(), "expected test programs, got none");
    Ok(programs)
}

fn run(target: &Target, program: &Path, folder: &Path, only: &[&str], bootctl: &Path) -> Result<()> {
    let mut command = target.run(None, program);
    command.args(["-Zunstable-options", "--force-run-in-process", "--test-threads=1"]);
    command.args(only).current_dir(folder).env("RUSTC_BOOTSTRAP", "1");
    command.env("ROOTLING_BOOTCTL", bootctl);
    for (start, why) in ELSEWHERE {
        if lists(target, program, start)? {
            eprintln!("   not run here: {start}* ({why})");
            command.args(["--skip", start]);
        }
    }
    crate::run::run(&mut command)
}

fn any(target: &Target, program: &Path, starts: &[&str]) -> Result<bool> {
    for start in starts {
        if lists(target, program, start)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lists(target: &Target, program: &Path, start: &str) -> Result<bool> {
    let list = crate::run::output(target.run(None, program).args(["--list", start]))?;
    Ok(list.lines().any(|line| line.starts_with(start)))
}
