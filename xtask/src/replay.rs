//! The power cut at every write of an update, judged by GRUB's reader and mounted; see `tests/it/replay`.

use std::process::Command;

use anyhow::Result;

use crate::run::{cargo, run, step};
use crate::{guest, place, tools};

/// Of each of these, what systemd-boot would find at any of its writes.
const FAT: &[&str] = &["chain", "failed-check", "rollback"];
/// States of each.
const FAT_STATES: &str = "400";

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

/// The FAT partition of systemd-boot: virtual machines log their writes, and the states are judged here.
pub fn fat() -> Result<()> {
    step("tools", || tools::ensure(&[tools::BUILD, tools::REPLAY, tools::FAT]))?;
    let system = place::root().join("target/guest/x86_64");
    if !system.join("commits").exists() {
        guest::guest("x86_64")?;
    }
    step("programs", || {
        run(&mut cargo("build -q -p rootling -p rootling-compose -p rootling-qemu -p rootling-tests --bins"))
    })?;
    let folder = place::target().join("replay-fat");
    let path = "x86_64/systemd-boot";
    step("updates whose writes are logged", || {
        let mut command = Command::new(place::program("debug", "rootling-qemu"));
        command.arg("validate").args(FAT).args(["--path", path, "--log-writes", "--guest"]);
        run(command.arg(format!("x86_64={}", system.display())).arg("--output").arg(&folder))
    })?;
    let folder = folder.join(path.replace('/', "-"));
    let judge = |scenario: &str, more: &[&str]| {
        let mut command = Command::new(place::program("debug", "fat"));
        command.arg(folder.join("base-rootling.img")).arg(folder.join(scenario).join("writes"));
        run(command.arg(FAT_STATES).args(more))
    };
    for scenario in FAT {
        let more: &[&str] = if *scenario == "failed-check" { &[] } else { &["--several"] };
        step(scenario, || judge(scenario, more))?;
    }
    step("a disk that loses flushed writes: bad states are expected", || {
        judge(FAT[0], &["--several", "--without-flush"])
    })
}
