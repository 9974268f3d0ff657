//! The power cut at every write of an update, judged by GRUB's reader and mounted; see `tests/it/replay`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::run::{cargo, run, step};
use crate::{guest, place, tools};

/// Of each of these, what systemd-boot would find at any of its writes.
const FAT: &[&str] = &["chain", "failed-check", "rollback"];
/// States of each.
const FAT_STATES: &str = "400";
/// U-Boot's environment on a FAT, replaced by a kernel that exchanges names and by one that does not.
const ENV: &[&str] = &["fat-env", "fat-env-renamed"];

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
    step("programs", guest::programs)?;
    let boot = |path: &str, scenarios: &[&str]| {
        let mut command = Command::new(place::program("debug", "rootling-qemu"));
        command.arg("validate").args(scenarios).args(["--path", path, "--log-writes", "--guest"]);
        command.arg(format!("x86_64={}", guest.display())).arg("--output");
        let folder = place::target().join("replay-fat");
        run(command.arg(&folder)).map(|()| folder.join(path.replace('/', "-")))
    };
    let judge = |words: &[&str], base: PathBuf, writes: PathBuf, more: &[&str]| {
        let mut command = Command::new(place::program("debug", "fat"));
        run(command.args(words).arg(base).arg(writes).arg(FAT_STATES).args(more))
    };
    let folder = step("updates on a machine with systemd-boot", || boot("x86_64/systemd-boot", FAT))?;
    let entries = |scenario: &str, more: &[&str]| {
        judge(&[], folder.join("base-rootling.img"), folder.join(scenario).join("writes"), more)
    };
    for scenario in FAT {
        let more: &[&str] = if *scenario == "failed-check" { &[] } else { &["--several"] };
        step(scenario, || entries(scenario, more))?;
    }
    step("a disk that loses flushed writes: bad states are expected", || {
        entries(FAT[0], &["--several", "--without-flush"])
    })?;
    let folder = step("updates with U-Boot's environment on a FAT", || boot("x86_64/grub", ENV))?;
    for scenario in ENV {
        let own = folder.join(scenario);
        step(scenario, || judge(&["env"], own.join("env-base.img"), own.join("env-writes"), &[]))?;
    }
    Ok(())
}
