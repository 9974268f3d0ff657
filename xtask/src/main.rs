//! The one command for people: `cargo xtask demo` shows the main job, `cargo xtask test` is everything CI runs.
//!
//! | module | what it does |
//! |---|---|
//! | [`check`], [`test`] | the checks, quick and whole |
//! | [`tidy`] | rules about the tree that the compiler does not know |
//! | [`run`], [`place`], [`tools`] | child processes, where things lie, what must be installed |

mod check;
mod place;
mod run;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask demo                 the main job on real packages, a few minutes
cargo xtask test                 everything CI runs
cargo xtask check                its quick part: format, lints, unit tests, tidy, documentation
cargo xtask tidy                 rules about the tree alone
";

fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // without the backtrace that anyhow's Debug would add
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["check"] => check::check(),
        ["test"] => test::test(),
        ["tidy"] => tidy::tidy(),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        other => bail!("cargo xtask {}: not known\n{USAGE}", other.join(" ")),
    }
}
