//! One check: a program with a deadline.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::child::{Child, End};

const STEP: Duration = Duration::from_millis(20);

/// What runs a script, as it is there.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];

/// Runs a program and calls `meanwhile` again and again; answers why it did not pass.
pub fn run(program: &Path, patience: Duration, meanwhile: &mut dyn FnMut()) -> Option<String> {
    let shell = SHELLS.iter().map(Path::new).find(|shell| shell.exists());
    let started = match shell.filter(|_| super::is_script(program)) {
        None => Child::start_apart(program, &[]),
        Some(shell) => Child::start_apart(shell, &[program]),
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
                // not waited for: what hangs in the kernel does not end, and a watchdog is to be kept
                return Some(format!("took longer than {} s", patience.as_secs()));
            }
        }
    }
}
