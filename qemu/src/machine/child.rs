//! How a child process ends, and what it took.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// Kills what has not ended by itself within this time, and reaps it; answers how it ended and the processor seconds it
/// took, none the second time.
pub fn end(child: &mut Child, patience: Duration) -> (Option<ExitStatus>, f64) {
    let pid = Pid::from_raw(child.id().cast_signed());
    // not reaped: its time is read from what is left of it
    let state = |more| waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | more);
    let start = Instant::now();
    while start.elapsed() < patience && state(WaitPidFlag::WNOHANG) == Ok(WaitStatus::StillAlive) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let seconds = match state(WaitPidFlag::empty()) {
        Ok(_) => cpu_seconds(child.id()).unwrap_or(0.0),
        Err(_) => 0.0,
    };
    (child.wait().ok(), seconds)
}

/// User and system time of a process that has ended and was not waited for: fields 14 and 15 of its `stat`, in ticks.
fn cpu_seconds(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    // Linux shows 100 ticks a second on every machine
    Some(ticks.sum::<f64>() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::PATIENCE;
    use std::io::Read;
    use std::process::{Command, Stdio};

    #[test]
    fn a_child_is_killed_and_its_time_known() {
        let mut child = Command::new("sh")
            .args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo; exec sleep 1000"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let (status, cpu_s) = end(&mut child, Duration::ZERO);
        assert!(cpu_s > 0.0 && status.is_some_and(|status| !status.success()));
    }

    #[test]
    fn a_child_that_ends_by_itself_is_not_killed() {
        let mut child = Command::new("sh").args(["-c", "sleep 0.2; exit 3"]).spawn().unwrap();
        let (status, _) = end(&mut child, PATIENCE);
        assert_eq!(status.and_then(|status| status.code()), Some(3));
    }
}
