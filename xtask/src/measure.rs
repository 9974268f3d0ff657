//! A child process together with its wall time, processor time and peak memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{run, sys};

/// What a run cost, and what it printed.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    /// From start to end.
    pub wall: Duration,
    /// Exit code, processor time, peak memory.
    pub used: sys::Used,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// `8.4 MiB`.
pub fn mebibytes(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, (bytes % (1 << 20)) * 10 / (1 << 20))
}

/// Runs a command to its end, whatever its exit code.
pub fn measure(command: &mut Command) -> Result<Cost> {
    measure_with(command, &|_| ())
}

/// As [`measure`]; `see` gets each line as it comes.
pub fn measure_with(command: &mut Command, see: &(dyn Fn(&str) + Sync)) -> Result<Cost> {
    let line = run::line(command);
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {line}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = std::thread::scope(|scope| {
        let out = scope.spawn(move || out.map(|out| text(out, see)).unwrap_or_default());
        let err = scope.spawn(move || err.map(|err| text(err, see)).unwrap_or_default());
        (out.join().unwrap_or_default(), err.join().unwrap_or_default())
    });
    let used = sys::wait(child).with_context(|| format!("wait for {line}"))?;
    Ok(Cost { wall: start.elapsed(), used, stdout, stderr })
}

/// As [`measure`]; an exit code other than 0 is an error that quotes what the program said.
pub fn successful(command: &mut Command) -> Result<Cost> {
    let cost = measure(command)?;
    check(command, &cost)?;
    Ok(cost)
}

/// Makes an exit code other than 0 an error.
pub fn check(command: &Command, cost: &Cost) -> Result<()> {
    if cost.used.code != 0 {
        let (line, code) = (run::line(command), cost.used.code);
        bail!("{line}: exit code {code}\n{}{}", cost.stdout, cost.stderr.trim_end());
    }
    Ok(())
}

fn text(stream: impl Read, see: &(dyn Fn(&str) + Sync)) -> String {
    let mut text = String::new();
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        see(&line);
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The bytes that files below a folder hold, hard links counted once.
pub fn disk_usage(folder: &std::path::Path) -> Result<u64> {
    let listing =
        run::output(Command::new("du").args(["-s", "--block-size=1", "--apparent-size"]).arg(folder))?;
    let number = listing.split_whitespace().next().unwrap_or_default();
    number.parse().with_context(|| format!("du {}: {listing:?}", folder.display()))
}

/// A file's size.
pub fn file_size(path: &std::path::Path) -> Result<u64> {
    Ok(File::open(path).with_context(|| format!("open {}", path.display()))?.metadata()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_code_memory_and_output_are_seen() {
        let cost = measure(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap();
        assert_eq!((cost.used.code, cost.stdout.as_str(), cost.stderr.as_str()), (3, "out\n", "err\n"));
        assert!(cost.used.peak_rss > 100_000, "{}", cost.used.peak_rss);
        let error = successful(Command::new("sh").args(["-c", "echo why >&2; exit 4"])).unwrap_err();
        assert!(error.to_string().contains("exit code 4\nwhy"), "{error}");
    }

    #[test]
    fn a_signal_is_a_code_above_128() {
        let cost = measure(Command::new("sh").args(["-c", "kill -9 $$"])).unwrap();
        assert_eq!(cost.used.code, 137);
    }
}
