//! The power cut at every write of an update, judged by GRUB's reader and mounted; see `tests/it/replay`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{cargo, programs, run, step};
use crate::{guest, place, tools};

/// Of each of these, what systemd-boot would find at any of its writes; the least number of states, and what is confirmed between
/// the first system and the last.
const FAT: &[(&str, &str, &[&str])] =
    &[("chain", "100", &["good-2"]), ("failed-check", "40", &[]), ("rollback", "42", &["good-2"])];
/// States between flushes of each, at most.
const FAT_STATES: &str = "400";
/// U-Boot's environment on a FAT, replaced by a kernel that exchanges names and by one that does not; the least number of states.
const ENV: &[(&str, &str)] = &[("fat-env", "75"), ("fat-env-renamed", "70")];

/// A subset, as `cargo xtask test` runs it, or `full`, or with something taken away that the judge has to find.
pub fn replay(mode: Option<&str>) -> Result<()> {
    step("tools", || tools::ensure(&[tools::BUILD, tools::ORACLES, tools::REPLAY]))?;
    step("the device program", || run(&mut cargo("build -p rootling")))?;
    let mut command = cargo("test -p rootling-tests --test it replay:: -- --nocapture --test-threads=1");
    command.env("ROOTLING_TEST_BED", place::testbed());
    if let Some(mode) = mode {
        command.env("ROOTLING_REPLAY", mode);
    }
    step("power cuts", || run(&mut command))
}

/// FAT partitions: virtual machines log their writes, and the states are judged here.
pub fn fat() -> Result<()> {
    step("tools", || tools::ensure(&[tools::BUILD, tools::REPLAY, tools::FAT]))?;
    let guest = guest::guest("x86_64")?;
    step("programs", programs)?;
    let boot = |path: &str, scenarios: &[&str]| {
        let mut command = Command::new(place::program("debug", "rootling-qemu"));
        command.arg("validate").args(scenarios).args(["--path", path, "--log-writes", "--guest"]);
        command.arg(format!("x86_64={}", guest.display())).arg("--output");
        let folder = place::target().join("replay-fat");
        run(command.arg(&folder)).map(|()| folder.join(path.replace('/', "-")))
    };
    let judge = |words: &[&str], base: PathBuf, writes: PathBuf, least: &str| {
        let mut command = Command::new(place::program("debug", "fat"));
        command.args(words).arg(base).arg(writes).args([FAT_STATES, least]);
        command
    };
    let names: Vec<_> = FAT.iter().map(|(scenario, ..)| *scenario).collect();
    let folder = step("updates on a machine with systemd-boot", || boot("x86_64/systemd-boot", &names))?;
    let commits = std::fs::read_to_string(guest.join("commits")).context("the guest's commits")?;
    let entries = |(scenario, least, confirmed): (&str, &str, &[&str])| {
        let writes = folder.join(scenario).join("writes");
        let mut command = judge(&[], folder.join("base-rootling.img"), writes, least);
        for name in confirmed {
            command.arg("--confirmed").arg(commit(&commits, name)?);
        }
        Ok::<_, anyhow::Error>(command)
    };
    for scenario in FAT {
        step(scenario.0, || run(&mut entries(*scenario)?))?;
    }
    step("a disk that loses flushed writes: bad states are expected", || {
        run(entries(FAT[0])?.arg("--without-flush"))
    })?;
    let names: Vec<_> = ENV.iter().map(|(scenario, _)| *scenario).collect();
    let folder = step("updates with U-Boot's environment on a FAT", || boot("x86_64/grub", &names))?;
    for (scenario, least) in ENV {
        let own = folder.join(scenario);
        step(scenario, || {
            run(&mut judge(&["env"], own.join("env-base.img"), own.join("env-writes"), least))
        })?;
    }
    Ok(())
}

/// The commit of a name in the guest's list.
fn commit<'a>(list: &'a str, name: &str) -> Result<&'a str> {
    let line = list.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.with_context(|| format!("no commit {name} in {list:?}"))
}
