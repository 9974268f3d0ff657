//! Boots images under QEMU with real boot loaders, and runs scenarios on them.
//!
//! | module | what it does |
//! |---|---|
//! | [`path`] | machine and loader |
//! | [`image`] | a bootable disk from a repo |
//! | [`machine`] | a running QEMU, driven by what its serial port prints |
//! | [`scenario`] | what is tried, and what must be seen |
//! | [`report`] | text, JUnit, a page with pictures |
//! | [`cli`] | the command line |
//! | [`host`] | programs of this machine |

mod cli;
mod host;
mod image;
mod machine;
mod path;
mod report;
mod scenario;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rootling-qemu: {error:#}");
            ExitCode::FAILURE
        }
    }
}
