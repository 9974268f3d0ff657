//! Child processes, each shown before it runs and named in the error when it fails.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::place;

/// Cargo, in the checkout.
pub fn cargo(args: &str) -> Command {
    cargo_at(&std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")), args)
}

/// Another cargo, in the checkout.
pub fn cargo_at(program: &OsStr, args: &str) -> Command {
    let mut command = Command::new(program);
    command.args(args.split_whitespace()).current_dir(place::root());
    // set by the cargo that runs xtask; a nested one must not believe that it builds xtask
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("CARGO_PKG_") || key == "CARGO_MANIFEST_DIR" {
            command.env_remove(key);
        }
    }
    command
}

/// Builds all programs of the workspace in the very form that the tests have: only beside something that takes dev-dependencies
/// do dependencies get the features which those ask for, and would otherwise be built twice.
pub fn programs() -> Result<()> {
    run(&mut cargo("build -q --workspace --bins --examples"))
}

/// One step of a longer job: a headline before, the time after.
pub fn step<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    eprintln!("\n== {title}");
    let value = work().with_context(|| title.to_owned())?;
    eprintln!("== {title}: done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(value)
}

/// Two jobs at once, where one alone leaves cores idle. Both come to their end; the error names what each failed by.
pub fn together(one: impl FnOnce() -> Result<()> + Send, other: impl FnOnce() -> Result<()>) -> Result<()> {
    let ended = std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        [one.join().expect("a job reports its faults"), other]
    });
    let faults: Vec<String> =
        ended.iter().filter_map(|end| Some(format!("{:#}", end.as_ref().err()?))).collect();
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(())
}

/// Runs a command with our own input and output; failing is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    eprintln!("   $ {line}");
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("start {line}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// Runs a command silently and returns what it prints; failing is an error that quotes what it complained about.
pub fn output(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {line}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{line}: {}\n{}", output.status, complaint.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{line}: output is not UTF-8"))
}

/// Runs a command, shows its output and returns the lines for which `keep` holds, in the order they came.
pub fn watched(command: &mut Command, keep: fn(&str) -> bool) -> Result<(bool, Vec<String>)> {
    let line = line(command);
    eprintln!("   $ {line}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {line}"))?;
    let kept = Mutex::new(Vec::new());
    let follow = |stream: Box<dyn Read + Send>| {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            eprintln!("{line}");
            if keep(&line) {
                kept.lock().expect("no reader panics").push(line);
            }
        }
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let follow = &follow;
        stdout.map(|stream| scope.spawn(move || follow(Box::new(stream))));
        stderr.map(|stream| scope.spawn(move || follow(Box::new(stream))));
    });
    let status = child.wait()?;
    Ok((status.success(), kept.into_inner().expect("no reader panics")))
}

/// The command as one would type it, without the folder of the program.
pub fn line(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    std::iter::once(name).chain(args).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_jobs_each_is_waited_for_and_heard() {
        assert!(together(|| Ok(()), || Ok(())).is_ok());
        let told = together(|| bail!("first"), || bail!("second")).unwrap_err().to_string();
        assert_eq!(told, "first\nsecond");
        let ran = std::sync::atomic::AtomicBool::new(false);
        let late = || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            ran.store(true, std::sync::atomic::Ordering::SeqCst);
            Ok(())
        };
        assert_eq!(together(late, || bail!("second")).unwrap_err().to_string(), "second");
        assert!(ran.into_inner());
    }
}
