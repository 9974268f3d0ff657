//! What the user sees while something runs: a bar on a terminal, JSON lines for programs, or nothing.
//!
//! Results go to standard output and the bar to standard error. With JSON everything goes to
//! standard output, one object a line, each with an `event`: `phase`, `fetch`, `message`, `packages`, `error`, `end`.

mod bar;
mod json;

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rootling_object::pkglist::PackageDiff;

use crate::error::Error;
use crate::exit::Exit;
use crate::packages;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A line that is redrawn.
    Bar,
    /// One JSON object a line.
    Json,
    /// Nothing but results.
    Quiet,
}

/// How far a fetch has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Objects that are here and verified.
    pub done: u64,
    /// Objects known to be needed so far.
    pub known: u64,
    /// Bytes of bodies received.
    pub bytes: u64,
}

/// A redraw or a JSON line at most this often.
const INTERVAL: Duration = Duration::from_millis(200);

/// Where everything a command has to say goes.
#[derive(Debug)]
pub struct Screen {
    style: Style,
    drawn: Mutex<Drawn>,
}

#[derive(Debug, Default)]
struct Drawn {
    last: Option<Instant>,
    bar: bool,
}

impl Screen {
    /// A screen of the asked style; with none asked, a bar if standard error is a terminal.
    pub fn new(asked: Option<Style>) -> Screen {
        let terminal = || if std::io::stderr().is_terminal() { Style::Bar } else { Style::Quiet };
        Screen { style: asked.unwrap_or_else(terminal), drawn: Mutex::default() }
    }

    /// A result: text that belongs on standard output.
    pub fn say(&self, text: &str) {
        self.clear();
        match self.style {
            Style::Json => out(&json::message(text)),
            _ => out(text),
        }
    }

    /// The start of a step.
    pub fn phase(&self, name: &str) {
        match self.style {
            Style::Json => out(&json::phase(name)),
            Style::Bar => {
                self.clear();
                let _ = writeln!(std::io::stderr(), "{name}");
            }
            Style::Quiet => {}
        }
    }

    /// How far the fetch has come; most calls draw nothing.
    pub fn count(&self, count: Count) {
        if self.style == Style::Quiet {
            return;
        }
        let now = Instant::now();
        let Ok(mut drawn) = self.drawn.try_lock() else { return };
        if drawn.last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            return;
        }
        drawn.last = Some(now);
        self.draw(&mut drawn, count);
    }

    /// The last word on a fetch; always drawn.
    pub fn counted(&self, count: Count) {
        let mut drawn = self.drawn.lock().unwrap_or_else(|broken| broken.into_inner());
        drawn.last = None;
        if self.style != Style::Quiet {
            self.draw(&mut drawn, count);
        }
        if std::mem::take(&mut drawn.bar) {
            let _ = writeln!(std::io::stderr());
        }
    }

    /// The package difference between two commits.
    pub fn packages(&self, diff: &PackageDiff) {
        self.clear();
        match self.style {
            Style::Json => out(&packages::json("packages", diff)),
            _ => {
                let text = packages::text(diff);
                if !text.is_empty() {
                    out(text.trim_end());
                }
            }
        }
    }

    /// An error that ends the command.
    pub fn error(&self, error: &Error) {
        self.clear();
        if self.style == Style::Json {
            out(&json::error(error));
        }
        let _ = writeln!(std::io::stderr(), "rootling: {error}");
    }

    /// The end of the command.
    pub fn end(&self, exit: Exit) {
        if self.style == Style::Json {
            out(&json::end(exit));
        }
    }

    fn draw(&self, drawn: &mut Drawn, count: Count) {
        match self.style {
            Style::Json => out(&json::fetch(count)),
            Style::Bar => {
                drawn.bar = true;
                let _ = write!(std::io::stderr(), "\r{}\x1b[K", bar::line(count));
            }
            Style::Quiet => {}
        }
    }

    fn clear(&self) {
        let mut drawn = self.drawn.lock().unwrap_or_else(|broken| broken.into_inner());
        if std::mem::take(&mut drawn.bar) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn out(line: &str) {
    // a closed pipe is the reader's choice, not an error of the update
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
