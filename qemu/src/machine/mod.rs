//! A running machine: its serial port is read line by line, markers move things on, and nothing waits for ever.

pub mod accel;
pub mod command;
pub mod marker;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::host;
use command::Options;
use marker::{Booted, Marker, marked};

/// How long any one thing may take; a machine that emulates another on a busy host is slow.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// Lines that are quoted when something did not happen.
const TAIL: usize = 15;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// Seconds since the scenario began.
    pub at: f64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// QEMU was started, or the guest restarts.
    Start,
    /// The guest's init runs.
    Booted(Booted),
    /// A shell waits.
    Ready,
    /// The kernel gave up.
    Panic,
    /// A command was typed.
    Command(String),
    /// QEMU was killed.
    Cut,
    /// Something was measured.
    Measured(String),
}

/// A machine.
pub struct Machine {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    tail: Vec<String>,
    number: u32,
    began: Instant,
    /// What happened, in order.
    pub timeline: Vec<Moment>,
    /// Processor seconds of QEMU that ran before in this scenario.
    cpu_s: f64,
}

impl Machine {
    /// Starts QEMU; everything the guest prints goes to the log too.
    pub fn start(options: &Options, log: &Path) -> Result<Machine> {
        let (child, input, lines) = spawn(options, log)?;
        let start = Moment { at: 0.0, what: What::Start };
        Ok(Machine {
            child,
            input,
            lines,
            tail: Vec::new(),
            number: 0,
            began: Instant::now(),
            timeline: vec![start],
            cpu_s: 0.0,
        })
    }

    /// Kills QEMU in the middle of things, and starts it again on the same disk.
    pub fn cut_power(&mut self, options: &Options, log: &Path) -> Result<()> {
        self.note(What::Cut);
        self.cpu_s += end(&mut self.child);
        (self.child, self.input, self.lines) = spawn(options, log)?;
        self.note(What::Start);
        Ok(())
    }

    /// Kills QEMU; answers its processor seconds in this scenario.
    pub fn finish(mut self) -> (f64, Vec<Moment>) {
        let cpu_s = self.cpu_s + end(&mut self.child);
        (cpu_s, std::mem::take(&mut self.timeline))
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
                Some(Marker::Panic) => bail!("the kernel panics during {command}\n{}", self.quote()),
                _ => printed.push(line),
            }
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
        self.note(What::Start);
        Ok(())
    }

    /// Types a command and does not wait for its end.
    pub fn begin(&mut self, command: &str) -> Result<()> {
        self.type_line(command, &format!("{command}\n"))
    }

    /// Lets the guest do what it does for a while.
    pub fn pass(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match self.lines.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("QEMU has ended; its last lines:\n{}", self.quote())
                }
            }
        }
        Ok(())
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
            let Some(marker) = Marker::parse(&line) else { continue };
            if let Some(found) = wanted(&marker) {
                return Ok(found);
            }
        }
    }

    fn line(&mut self, deadline: Instant, what: &str) -> Result<String> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                match Marker::parse(&line) {
                    Some(Marker::Booted(booted)) => self.note(What::Booted(booted)),
                    Some(Marker::Ready) => self.note(What::Ready),
                    Some(Marker::Panic) if !line.contains("---[ end") => self.note(What::Panic),
                    _ => {}
                }
                if self.tail.len() == TAIL {
                    self.tail.remove(0);
                }
                self.tail.push(line.clone());
                Ok(line)
            }
            Err(RecvTimeoutError::Timeout) => {
                bail!(
                    "expected {what} within {} s; the guest's last lines:\n{}",
                    PATIENCE.as_secs(),
                    self.quote()
                )
            }
            Err(RecvTimeoutError::Disconnected) => {
                bail!("expected {what}, but QEMU has ended; its last lines:\n{}", self.quote())
            }
        }
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
        end(&mut self.child);
    }
}

fn spawn(options: &Options, log: &Path) -> Result<(Child, ChildStdin, Receiver<String>)> {
    let mut command = command::command(options)?;
    let line = host::line(&command);
    let file = File::options().create(true).append(true).open(log);
    let mut file = file.with_context(|| format!("open {}", log.display()))?;
    writeln!(file, "$ {line}")?;
    let errors = file.try_clone()?;
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn();
    let mut child = child.with_context(|| format!("start {line}"))?;
    let (input, output) =
        (child.stdin.take().context("no input")?, child.stdout.take().context("no output")?);
    let (send, lines) = channel();
    std::thread::spawn(move || follow(output, file, &send));
    Ok((child, input, lines))
}

/// Kills and reaps; answers the processor seconds it took. Does nothing the second time.
fn end(child: &mut Child) -> f64 {
    let _ = child.kill();
    let pid = Pid::from_raw(child.id().cast_signed());
    let seconds = match waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
        Ok(_) => cpu_seconds(child.id()).unwrap_or(0.0),
        Err(_) => 0.0,
    };
    let _ = child.wait();
    seconds
}

/// User and system time of a process that has ended and was not waited for: fields 14 and 15 of its `stat`, in ticks.
fn cpu_seconds(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    // Linux shows 100 ticks a second on every machine
    Some(ticks.sum::<f64>() / 100.0)
}

/// Copies the serial port to the log, and hands on its lines.
fn follow(mut port: impl Read, mut log: File, lines: &Sender<String>) {
    let (mut buffer, mut line) = ([0; 4096], Vec::new());
    while let Ok(length @ 1..) = port.read(&mut buffer) {
        let Some(bytes) = buffer.get(..length) else { return };
        let _ = log.write_all(bytes);
        for byte in bytes {
            match byte {
                b'\n' => {
                    let text = String::from_utf8_lossy(&line).into_owned();
                    line.clear();
                    if lines.send(text).is_err() {
                        // nobody listens, and the log goes on
                    }
                }
                b'\r' => {}
                other => line.push(*other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_the_log_has_every_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (send, lines) = channel();
        follow(&b"a\r\n\r\nb\xff\n open"[..], File::create(&path).unwrap(), &send);
        drop(send);
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["a", "", "b\u{fffd}"]);
        assert_eq!(std::fs::read(path).unwrap(), b"a\r\n\r\nb\xff\n open");
    }

    #[test]
    fn a_child_is_killed_and_its_time_known() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo; exec sleep 1000"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        assert!(end(&mut child) > 0.0);
        assert!(child.try_wait().unwrap().is_some_and(|status| !status.success()));
    }
}
