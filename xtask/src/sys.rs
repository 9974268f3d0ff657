//! Waiting for a child together with what it used: the one call that the standard library lacks.

use std::io;
use std::process::Child;
use std::time::Duration;

/// What a process used, from `wait4`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Exit code; 128 + n where signal n ended it.
    pub code: i32,
    /// Largest resident set, in bytes.
    pub peak_rss: u64,
    /// User and system time.
    pub cpu: Duration,
}

/// Waits until the child has ended.
#[allow(unsafe_code)]
pub fn wait(child: Child) -> io::Result<Used> {
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    let mut status = 0;
    // SAFETY: `rusage` is a struct of integers, for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live locals of the types that wait4 fills in; `pid` is our own child, which
    // nobody else waits for, since it was moved in here.
    let result = unsafe { libc::wait4(pid, &mut status, 0, &mut usage) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
    let time = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec.unsigned_abs()) + Duration::from_micros(t.tv_usec.unsigned_abs())
    };
    Ok(Used {
        code,
        // Linux counts in KiB
        peak_rss: usage.ru_maxrss.unsigned_abs() * 1024,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
    })
}
