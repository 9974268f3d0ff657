//! libFuzzer on the targets of fuzz/, with the stock compiler: the coverage passes need no nightly, sanitizers would.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::run::{cargo, run, step};
use crate::{place, tools};

const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks";

/// Fuzzes one target or all of them, `seconds` each; what it finds lies in fuzz/artifacts.
pub fn fuzz(target: Option<&str>, seconds: u32) -> Result<()> {
    tools::ensure(&[tools::BUILD, &[("c++", "g++")]])?;
    let names = targets()?;
    let chosen: Vec<&String> =
        names.iter().filter(|name| target.is_none_or(|wanted| *name == wanted)).collect();
    ensure!(!chosen.is_empty(), "no fuzz target {target:?}, expected one of: {}", names.join(" "));
    // --target keeps the flags from build scripts
    let args =
        format!("build --profile fuzz -p rootling-fuzz --features libfuzzer --target {}", place::host());
    let folder = place::target().join("fuzz");
    step("fuzz targets", || {
        let mut command = cargo(&args);
        for name in &chosen {
            command.args(["--bin", name]);
        }
        run(command.env("RUSTFLAGS", FLAGS).arg("--target-dir").arg(&folder))
    })?;
    let mut broken = Vec::new();
    for name in chosen {
        let corpus = place::root().join("fuzz/corpus").join(name);
        let artifacts = place::root().join("fuzz/artifacts").join(name);
        fs::create_dir_all(&corpus)?;
        fs::create_dir_all(&artifacts)?;
        let mut command = std::process::Command::new(folder.join(place::host()).join("fuzz").join(name));
        command.arg(&corpus).arg(format!("-artifact_prefix={}/", artifacts.display()));
        command.args([
            &format!("-max_total_time={seconds}"),
            "-max_len=16384",
            "-rss_limit_mb=1024",
            "-timeout=10",
            "-verbosity=0",
            "-print_final_stats=1",
        ]);
        if step(&format!("fuzz {name}"), || run(&mut command)).is_err() {
            broken.push(name.as_str());
        }
    }
    if !broken.is_empty() {
        bail!("found something in: {}; inputs in fuzz/artifacts", broken.join(" "));
    }
    Ok(())
}

fn targets() -> Result<Vec<String>> {
    let entries = fs::read_dir(place::root().join("fuzz/fuzz_targets")).context("read fuzz/fuzz_targets")?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}
