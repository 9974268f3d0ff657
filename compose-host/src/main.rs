//! `rootling-compose`: the build host's program.

use std::process::ExitCode;

use clap::Parser;
use rootling_compose::cli::{self, Cli, Ended};

fn main() -> ExitCode {
    let typed = Cli::parse();
    match cli::run(typed) {
        Ok(Ended { text, code }) => {
            print!("{text}");
            ExitCode::from(code)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
