//! Everything CI runs.

use std::num::NonZero;
use std::process::Command;

use anyhow::{Result, bail};

use crate::machines::recipe;
use crate::run::{cargo, programs, run, step, together, watched};
use crate::{check, demo, older, place, qemu, rules, ship, size, tools};

/// Tools, lints, test bed, all tests, real boots; ends with the runners' own closing lines.
pub fn test() -> Result<()> {
    step("tools", || {
        tools::ensure(&[
            tools::BUILD,
            tools::COMPOSE,
            tools::ORACLES,
            tools::REPLAY,
            recipe::TOOLS,
            ship::TOOLS,
            &size::beside_tools()?,
            &qemu::ci_tools(),
        ])
    })?;
    check::lint()?;
    step("programs", programs)?;
    together(check::features, || step("RPM test bed", testbed))?;
    let bootctl = step("bootctl", tools::bootctl)?;
    let (passed, lines) = step("tests", || {
        let mut command = cargo("test --workspace --no-fail-fast");
        command.env("ROOTLING_TEST_BED", place::testbed()).env("ROOTLING_BOOTCTL", &bootctl);
        // most of them wait for the disk most of the time
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        command.env("RUST_TEST_THREADS", (4 * cores).to_string());
        watched(&mut command, closing)
    })?;
    let played = step("the agent of an earlier commit", older::landed)?;
    step("agents with the rules of one architecture", || rules::rules(None))?;
    step("sizes", size::gate)?;
    step("the main job, with the memory of the device program", || {
        demo::memory_gate(ship::build(recipe::Set::Tls)?)
    })?;
    // last: the sizes have built the programs of the guests already
    let (booted, boots) = step("real boots", qemu::ci)?;
    eprintln!("\n== what the test runners said");
    lines.iter().chain(&boots).chain([&played]).for_each(|line| eprintln!("{line}"));
    if !passed {
        bail!("some tests failed; see above");
    }
    if !booted {
        bail!("some boots failed; see above and target/qemu/index.html");
    }
    eprintln!("\nall checks passed");
    Ok(())
}

/// Builds the maker of the test bed and runs it.
pub fn prepare_testbed() -> Result<()> {
    tools::ensure(&[tools::BUILD])?;
    run(&mut cargo("build -q -p rootling-tests --bins"))?;
    testbed()
}

/// Kills an upgrade by delta at `count` points; the tests of every change have a tenth of what issue 4 asks.
pub fn kills(count: usize) -> Result<()> {
    tools::ensure(&[tools::BUILD, tools::ORACLES])?;
    run(&mut cargo("build -q -p rootling -p rootling-compose --bins"))?;
    let mut test = cargo("test -q -p rootling-tests --test it delta_kill::old_or_new -- --nocapture");
    run(test.env("ROOTLING_KILLS", count.to_string()))
}

/// Makes both states of the test bed.
pub fn testbed() -> Result<()> {
    let mut command = Command::new(place::program("debug", "testbed"));
    run(command.args(["--state", "all", "--dir"]).arg(place::testbed()).current_dir(place::root()))
}

/// Which test program, how it ended, and which test failed.
fn closing(line: &str) -> bool {
    let line = line.trim_start();
    ["Running ", "Doc-tests ", "test result: "].iter().any(|start| line.starts_with(start))
        || line.starts_with("test ") && line.ends_with("FAILED")
}

#[cfg(test)]
mod tests {
    #[test]
    fn closing_lines_are_told_apart() {
        for (line, kept) in [
            ("     Running unittests src/lib.rs (target/debug/deps/x)", true),
            ("test result: ok. 3 passed; 0 failed", true),
            ("test a::b ... FAILED", true),
            ("test a::b ... ok", false),
            ("   Compiling x", false),
        ] {
            assert_eq!(super::closing(line), kept, "{line}");
        }
    }
}
