//! A running machine: its serial port is read line by line, markers move things on, and nothing waits for ever.
//!
//! QEMU ends where the guest restarts, and the next one begins: one that stays keeps what it translated before (7.2),
//! and asks it about each byte that firmware unpacks over it, a thousand bytes a second after a large system.

pub mod accel;
mod child;
pub mod command;
pub mod marker;
mod serial;
mod timeline;

use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::host;
use child::end;
use command::Options;
use marker::{Booted, Marker, marked};
use serial::{Running, followed};
pub use timeline::{Moment, What};

/// How long any one thing may take; a machine that emulates another on a busy host is slow.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// Lines that are quoted when something did not happen.
const TAIL: usize = 15;

/// A machine.
pub struct Machine {
    options: Options,
    log: PathBuf,
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    tail: Vec<String>,
    number: u32,
    /// A restart was asked for, or is what has to happen next, and QEMU has not ended for it.
    restarting: bool,
    began: Instant,
    /// What happened, in order.
    pub timeline: Vec<Moment>,
    /// Processor seconds of QEMU that ran before in this scenario.
    cpu_s: f64,
}

impl Machine {
    /// Starts QEMU; everything the guest prints goes to the log too.
    pub fn start(options: Options, log: PathBuf) -> Result<Machine> {
        let second = options.second.as_ref().map(|second| &second.writes);
        for writes in options.writes.iter().chain(second) {
            File::create(writes).with_context(|| format!("create {}", writes.display()))?;
        }
        let running = spawn(&options, &log)?;
        let mut machine = Machine::new(options, log, running);
        machine.timeline.push(Moment { at: 0.0, what: What::Start });
        Ok(machine)
    }

    fn new(options: Options, log: PathBuf, (child, input, lines): Running) -> Machine {
        Machine {
            options,
            log,
            child,
            input,
            lines,
            tail: Vec::new(),
            number: 0,
            restarting: false,
            began: Instant::now(),
            timeline: Vec::new(),
            cpu_s: 0.0,
        }
    }

    /// Kills QEMU in the middle of things, and starts it again on the same disk. What it had printed by then is looked at.
    pub fn cut_power(&mut self) -> Result<()> {
        let what = "a guest that runs until the power is cut";
        self.note(What::Cut);
        let status = self.end(Duration::ZERO);
        // its output ends with it
        while let Ok(line) = self.lines.recv() {
            self.overhear(line, what)?;
        }
        if !std::mem::take(&mut self.restarting) && status.is_none_or(|status| status.signal().is_none()) {
            bail!("{}", self.ended(what, status));
        }
        self.again()?;
        self.note(What::Start);
        Ok(())
    }

    /// Kills QEMU; answers its processor seconds in this scenario.
    pub fn finish(mut self) -> (f64, Vec<Moment>) {
        self.end(Duration::ZERO);
        (self.cpu_s, std::mem::take(&mut self.timeline))
    }

    /// Waits for a guest's init.
    pub fn booted(&mut self) -> Result<Booted> {
        self.wait("a guest that boots", |marker| match marker {
            Marker::Booted(booted) => Some(booted.clone()),
            _ => None,
        })
    }

    /// Waits for the shell.
    pub fn ready(&mut self) -> Result<()> {
        self.wait("a guest whose checks have passed", |marker| (*marker == Marker::Ready).then_some(()))
    }

    /// Waits for a kernel's panic.
    pub fn panics(&mut self) -> Result<()> {
        self.wait("a kernel that panics", |marker| (*marker == Marker::Panic).then_some(()))?;
        self.restarts();
        Ok(())
    }

    /// The guest restarts by itself from here on.
    pub fn restarts(&mut self) {
        self.note(What::Start);
        self.restarting = true;
    }

    /// Waits until a guest that has booted restarts by itself; answers how long that took.
    pub fn gives_up(&mut self) -> Result<Duration> {
        let (start, what) = (Instant::now(), "a guest that restarts by itself");
        loop {
            match self.lines.recv_timeout(PATIENCE.saturating_sub(start.elapsed())) {
                Ok(line) => {
                    let line = self.keep(line);
                    self.nothing_else(what, Marker::parse(&line))?;
                }
                Err(RecvTimeoutError::Timeout) => bail!("{}", self.late(what)),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.restarts();
        Ok(start.elapsed())
    }

    /// Runs a command in the guest; answers its exit code and what it printed.
    pub fn run(&mut self, command: &str) -> Result<(i32, Vec<String>)> {
        self.number += 1;
        let number = self.number;
        self.type_line(command, &marked(command, number))?;
        let mut printed = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.line(deadline, command)?;
            match Marker::parse(&line) {
                Some(Marker::Exit(which, code)) if which == number => return Ok((code, printed)),
                marker => self.nothing_else(command, marker)?,
            }
            printed.push(line);
        }
    }

    /// As [`Machine::run`], and only this exit code will do.
    pub fn expect(&mut self, command: &str, wanted: i32) -> Result<Vec<String>> {
        let (code, printed) = self.run(command)?;
        if code != wanted {
            bail!("guest: {command}: expected exit code {wanted}, got {code}\n{}", printed.join("\n"));
        }
        Ok(printed)
    }

    /// Restarts the guest from inside.
    pub fn reboot(&mut self) -> Result<()> {
        self.type_line("reboot", "reboot\n")?;
        self.restarts();
        Ok(())
    }

    /// Types a command and does not wait for its end, which has to be a good one where it is seen.
    pub fn begin(&mut self, command: &str) -> Result<()> {
        self.number += 1;
        self.type_line(command, &marked(command, self.number))
    }

    /// Lets the guest do for a while what was begun, and nothing else.
    pub fn pass(&mut self, time: Duration) -> Result<()> {
        let (until, what) = (Instant::now() + time, "a guest that runs what was begun");
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match self.lines.recv_timeout(left) {
                Ok(line) => self.overhear(line, what)?,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => self.restart(what)?,
            }
        }
        Ok(())
    }

    /// A line that no step waits for: the good end of what was begun, or without a meaning.
    fn overhear(&mut self, line: String, what: &str) -> Result<()> {
        let line = self.keep(line);
        match Marker::parse(&line) {
            Some(Marker::Exit(which, 0)) if which == self.number => Ok(()),
            marker => self.nothing_else(what, marker),
        }
    }

    /// Puts down what was measured in the guest.
    pub fn measured(&mut self, what: String) {
        self.note(What::Measured(what));
    }

    fn type_line(&mut self, title: &str, text: &str) -> Result<()> {
        self.note(What::Command(title.to_owned()));
        self.input.write_all(text.as_bytes()).and_then(|()| self.input.flush()).context("type into the guest")
    }

    fn wait<T>(&mut self, what: &str, wanted: impl Fn(&Marker) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.line(deadline, what)?;
            let marker = Marker::parse(&line);
            match marker.as_ref().and_then(&wanted) {
                Some(found) => return Ok(found),
                None => self.nothing_else(what, marker)?,
            }
        }
    }

    /// One boot, panic or confirm more than what is waited for is a fault, which what comes after it would hide.
    fn nothing_else(&self, what: &str, marker: Option<Marker>) -> Result<()> {
        match marker {
            None => Ok(()),
            Some(marker) => {
                bail!("expected {what}, got {marker:?}; the guest's last lines:\n{}", self.quote())
            }
        }
    }

    fn late(&self, what: &str) -> String {
        format!("expected {what} within {} s; the guest's last lines:\n{}", PATIENCE.as_secs(), self.quote())
    }

    fn line(&mut self, deadline: Instant, what: &str) -> Result<String> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => return Ok(self.keep(line)),
                Err(RecvTimeoutError::Timeout) => bail!("{}", self.late(what)),
                Err(RecvTimeoutError::Disconnected) => self.restart(what)?,
            }
        }
    }

    /// Puts down what a line means.
    fn keep(&mut self, line: String) -> String {
        match Marker::parse(&line) {
            Some(Marker::Booted(booted)) => self.note(What::Booted(booted)),
            Some(Marker::Ready) => self.note(What::Ready),
            Some(Marker::Panic) => self.note(What::Panic),
            _ => {}
        }
        if self.tail.len() == TAIL {
            self.tail.remove(0);
        }
        self.tail.push(line.clone());
        line
    }

    /// QEMU ends by itself, as the guest restarts: a fault where it was not to.
    fn restart(&mut self, what: &str) -> Result<()> {
        let status = self.end(Duration::from_secs(30));
        if !status.is_some_and(|status| status.success()) || !std::mem::take(&mut self.restarting) {
            bail!("{}", self.ended(what, status));
        }
        self.again()
    }

    /// That QEMU was not to end, and how it did.
    fn ended(&self, what: &str, status: Option<ExitStatus>) -> String {
        let how = match status {
            Some(status) if status.success() => "the guest restarts".to_owned(),
            Some(status) => format!("QEMU has ended ({status})"),
            None => "QEMU has ended (unknown)".to_owned(),
        };
        format!("expected {what}, but {how}; its last lines:\n{}", self.quote())
    }

    /// The next QEMU on the same disk.
    fn again(&mut self) -> Result<()> {
        (self.child, self.input, self.lines) = spawn(&self.options, &self.log)?;
        Ok(())
    }

    /// Ends QEMU unless it does so itself within this time; how it ended.
    fn end(&mut self, patience: Duration) -> Option<ExitStatus> {
        let (status, cpu_s) = end(&mut self.child, patience);
        self.cpu_s += cpu_s;
        status
    }

    fn quote(&self) -> String {
        self.tail.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    }

    fn note(&mut self, what: What) {
        self.timeline.push(Moment { at: self.began.elapsed().as_secs_f64(), what });
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        end(&mut self.child, Duration::ZERO);
    }
}

fn spawn(options: &Options, log: &Path) -> Result<Running> {
    let mut command = command::command(options)?;
    command.arg("-no-reboot");
    let file = File::options().create(true).append(true).open(log);
    let mut file = file.with_context(|| format!("open {}", log.display()))?;
    writeln!(file, "$ {}", host::line(&command))?;
    followed(command, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::{Accel, Console};
    use std::process::Command;

    /// A machine whose guest is a script of `sh`.
    fn machine(dir: &Path, script: &str) -> Machine {
        let options = Options {
            path: "x86_64/grub".parse().unwrap(),
            disk: dir.join("disk.img"),
            memory: 64,
            accel: Accel::Tcg,
            uboot: None,
            console: Console::Plain,
            writes: None,
            second: None,
            watchdog: false,
        };
        let log = dir.join("log");
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let running = followed(command, File::create(&log).unwrap()).unwrap();
        Machine::new(options, log, running)
    }

    const PANIC: &str = "echo '[ 1.2] Kernel panic - not syncing: x'";
    const BOOTED: &str = "echo ROOTLING-GUEST booted ab ab.0 on-trial";

    #[test]
    fn what_no_step_waits_for_is_a_fault_while_time_passes() {
        let dir = tempfile::tempdir().unwrap();
        for (guest, want) in [
            (PANIC, "got Panic"),
            (BOOTED, "got Booted"),
            ("echo ROOTLING-GUEST confirm ended with 0", "got Ready"),
            ("echo ROOTLING-EXIT 1 77", "got Exit(1, 77)"),
            ("echo ROOTLING-EXIT 2 0", "got Exit(2, 0)"),
            ("exit 0", "the guest restarts"),
            ("exit 3", "QEMU has ended (exit status: 3)"),
        ] {
            let mut machine = machine(dir.path(), &format!("read -r line; {guest}; exec sleep 1000"));
            machine.begin("rootling upgrade").unwrap();
            let fault = machine.pass(PATIENCE).unwrap_err().to_string();
            assert!(fault.contains(want), "{guest}: {fault}");
        }
    }

    #[test]
    fn what_no_step_waited_for_is_a_fault_of_the_cut() {
        let dir = tempfile::tempdir().unwrap();
        for (guest, want) in [
            (format!("{PANIC}; echo; exec sleep 1000"), "got Panic"),
            (format!("{BOOTED}; echo; exec sleep 1000"), "got Booted"),
            ("echo ROOTLING-EXIT 0 5; echo; exec sleep 1000".to_owned(), "got Exit(0, 5)"),
            ("echo".to_owned(), "the guest restarts"),
        ] {
            let mut machine = machine(dir.path(), &guest);
            // the log is written before a line is handed on
            while !std::fs::read_to_string(&machine.log).unwrap().ends_with('\n') {
                std::thread::yield_now();
            }
            if want == "the guest restarts" {
                end(&mut machine.child, PATIENCE);
            }
            let fault = machine.cut_power().unwrap_err().to_string();
            assert!(fault.contains(want), "{guest}: {fault}");
        }
    }

    #[test]
    fn a_command_that_has_ended_well_is_no_fault() {
        let dir = tempfile::tempdir().unwrap();
        let mut machine =
            machine(dir.path(), "read -r line; echo ROOTLING-EXIT 1 0; echo done; exec sleep 1000");
        machine.begin("rootling upgrade").unwrap();
        while machine.tail.last().is_none_or(|line| line != "done") {
            machine.pass(Duration::from_millis(1)).unwrap();
        }
        assert_eq!(machine.tail, ["ROOTLING-EXIT 1 0", "done"]);
    }
}
