//! One check: a program with a deadline.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

const STEP: Duration = Duration::from_millis(20);

/// Runs a program and calls `meanwhile` again and again; answers why it did not pass.
pub fn run(program: &Path, patience: Duration, meanwhile: &mut dyn FnMut()) -> Option<String> {
    let executable = std::fs::metadata(program).map_or(true, |m| m.permissions().mode() & 0o111 != 0);
    let mut command = match executable {
        true => Command::new(program),
        false => Command::new("/bin/sh"),
    };
    if !executable {
        command.arg(program);
    }
    command.stdin(Stdio::null()).stdout(std::io::stderr()).process_group(0);
    match command.spawn() {
        Err(error) => Some(format!("did not start: {error}")),
        Ok(child) => watch(child, patience, meanwhile),
    }
}

fn watch(mut child: Child, patience: Duration, meanwhile: &mut dyn FnMut()) -> Option<String> {
    let start = Instant::now();
    loop {
        meanwhile();
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return None,
            Ok(Some(status)) => return Some(ended(status)),
            Ok(None) if start.elapsed() < patience => sleep(STEP),
            _ => {
                let group = Pid::from_raw(child.id().cast_signed());
                let _ = killpg(group, Signal::SIGKILL);
                let _ = child.wait();
                return Some(format!("took longer than {} s", patience.as_secs()));
            }
        }
    }
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exited with {code}"),
        None => "was killed".into(),
    }
}
