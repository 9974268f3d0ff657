//! Makes the RPM test bed: `testbed --arch amd64 --state all --dir target/testbed`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use rootling_tests::testbed::{Arch, Options, State, ensure_with};

const USAGE: &str = "usage: testbed [--arch amd64|arm64|armhf] [--state base|sec|all] [--dir DIR]
               [--compression gz|xz|zst|bz2] [--refresh]";

fn main() -> Result<()> {
    let (mut arch, mut states) = (Arch::Amd64, vec![State::Base, State::Sec]);
    let (mut dir, mut options) = (PathBuf::from("target/testbed"), Options::default());
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let mut value = || args.next().with_context(|| format!("{flag}: a value is missing\n{USAGE}"));
        match flag.as_str() {
            "--arch" => arch = value()?.parse()?,
            "--state" => states = parse_states(&value()?)?,
            "--dir" => dir = value()?.into(),
            "--compression" => options.compression = value()?.parse()?,
            "--refresh" => options.refresh = true,
            "--help" => {
                println!("{USAGE}");
                return Ok(());
            }
            _ => bail!("{flag}: not known\n{USAGE}"),
        }
    }
    for state in states {
        let bed = ensure_with(arch, state, &dir, options)?;
        println!(
            "{}: {} packages in {}, treefile {}",
            state.name(),
            bed.packages,
            bed.repo.display(),
            bed.treefile.display()
        );
    }
    Ok(())
}

fn parse_states(text: &str) -> Result<Vec<State>> {
    Ok(match text {
        "base" => vec![State::Base],
        "sec" => vec![State::Sec],
        "all" => vec![State::Base, State::Sec],
        _ => bail!("--state {text:?}: expected base, sec or all"),
    })
}
