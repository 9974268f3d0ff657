//! One check: a program with a deadline.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::child::{Child, End};

const STEP: Duration = Duration::from_millis(20);

/// Runs a program and calls `meanwhile` again and again; answers why it did not pass.
pub fn run(program: &Path, patience: Duration, meanwhile: &mut dyn FnMut()) -> Option<String> {
    let executable = std::fs::metadata(program).map_or(true, |m| m.permissions().mode() & 0o111 != 0);
    let started = match executable {
        true => Child::start_apart(program, &[]),
        false => Child::start_apart("/bin/sh".as_ref(), &[program]),
    };
    match started {
        Err(error) => Some(format!("did not start: {error}")),
        Ok(child) => watch(&child, patience, meanwhile),
    }
}

fn watch(child: &Child, patience: Duration, meanwhile: &mut dyn FnMut()) -> Option<String> {
    let start = Instant::now();
    loop {
        meanwhile();
        match child.try_wait() {
            Ok(Some(End::Code(0))) => return None,
            Ok(Some(End::Code(code))) => return Some(format!("exited with {code}")),
            Ok(Some(End::Killed)) => return Some("was killed".into()),
            Ok(None) if start.elapsed() < patience => sleep(STEP),
            _ => {
                child.kill_group();
                let _ = child.wait();
                return Some(format!("took longer than {} s", patience.as_secs()));
            }
        }
    }
}
