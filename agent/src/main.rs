//! The program: parses, calls, prints, exits.

#![no_main]

mod sys;

use std::ffi::OsString;

use rootling::cli;
use rootling::command;
use rootling::error::Error;
use rootling::exit::Exit;
use rootling::progress::Screen;

/// Does what the arguments say; answers with the exit code.
fn run(args: Vec<OsString>) -> u8 {
    let _ = log::set_logger(&Warnings).map(|()| log::set_max_level(log::LevelFilter::Info));
    let meant = match cli::parse(args) {
        Ok(meant) => meant,
        Err(error) => return fail(&Screen::new(None), &error),
    };
    let screen = Screen::new(meant.global.progress);
    match command::run(&meant, &screen) {
        Ok(exit) => {
            screen.end(exit);
            exit.code()
        }
        Err(error) => fail(&screen, &error),
    }
}

fn fail(screen: &Screen, error: &Error) -> u8 {
    let exit: Exit = error.exit();
    screen.error(error);
    screen.end(exit);
    exit.code()
}

/// Notices of the libraries, on standard error.
struct Warnings;

impl log::Log for Warnings {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Info && metadata.target().starts_with("rootling")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            eprintln!("rootling: {}", record.args());
        }
    }

    fn flush(&self) {}
}
