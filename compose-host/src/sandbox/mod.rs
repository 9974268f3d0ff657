//! Running a program of the tree inside the tree, with bubblewrap.
//!
//! The tree is `/`, writable; `/proc`, `/dev`, `/run` and `/tmp` are fresh; the rpm database is hidden. No network, own
//! process, IPC, host name and control-group namespaces, a fixed environment (`LANG`, `PATH`, `SOURCE_DATE_EPOCH`,
//! `SYSTEMD_OFFLINE`), umask 022, and only the capabilities that changing owners and modes needs.
//!
//! bwrap makes no user namespace here: the caller is root, or root in a user namespace with subordinate ids.

use crate::root::Root;
use anyhow::{Context as _, Result, bail, ensure};
use std::ffi::OsString;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
const CAPABILITIES: [&str; 10] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_SYS_CHROOT",
    "CAP_SETFCAP",
];
const NAMESPACES: [&str; 5] =
    ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"];
/// Where the script is seen inside.
const SCRIPT: &str = "/run/rootling-script";
/// Most of a failing script's output that is kept.
const TAIL_LINES: usize = 20;
/// Ids that packages may use: 0 to 65535.
const IDS: u64 = 65536;

/// A tree to run programs in.
#[derive(Debug)]
pub struct Sandbox<'a> {
    root: &'a Root,
    timestamp: u64,
    variables: Vec<(&'static str, &'static str)>,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit status.
    pub status: ExitStatus,
    /// Last lines of what it wrote to both outputs.
    pub tail: String,
}

impl<'a> Sandbox<'a> {
    /// Makes the directories that are mounted over; `timestamp` becomes SOURCE_DATE_EPOCH.
    pub fn new(root: &'a Root, timestamp: u64) -> Result<Sandbox<'a>> {
        for directory in ["dev", "proc", "run", "tmp"] {
            root.make_dirs(directory)?;
        }
        Ok(Sandbox { root, timestamp, variables: Vec::new() })
    }

    /// Adds a variable to the environment.
    pub fn with(mut self, name: &'static str, value: &'static str) -> Sandbox<'a> {
        self.variables.push((name, value));
        self
    }

    /// Runs a program with its arguments; `Err` only when it could not be started.
    pub fn run(&self, program: &[&str]) -> Result<Ended> {
        self.spawn(program, None)
    }

    /// Runs an interpreter on a script: `program... SCRIPT arguments...`.
    pub fn run_script(&self, program: &[&str], script: &str, arguments: &[&str]) -> Result<Ended> {
        let mut file = tempfile::NamedTempFile::new().context("script file")?;
        file.write_all(script.as_bytes()).context("script file")?;
        rustix::fs::fchmod(file.as_file(), rustix::fs::Mode::from_raw_mode(0o755))?;
        let mut words = program.to_vec();
        words.push(SCRIPT);
        words.extend(arguments);
        self.spawn(&words, Some(file.path()))
    }

    fn spawn(&self, words: &[&str], script: Option<&Path>) -> Result<Ended> {
        let mut output = tempfile::tempfile().context("output file")?;
        let mut command = Command::new("bwrap");
        command.arg("--bind").arg(self.root.host_path()).arg("/");
        command.args(["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run", "--tmpfs", "/tmp"]);
        if let Some(script) = script {
            command.args([OsString::from("--ro-bind"), script.into(), SCRIPT.into()]);
        }
        if self.root.dir("usr/share/rpm").is_ok() {
            command.args(["--tmpfs", "/usr/share/rpm"]);
        }
        command.args(NAMESPACES).args([
            "--die-with-parent",
            "--new-session",
            "--hostname",
            "rootling",
            "--chdir",
            "/",
        ]);
        command.args(["--cap-drop", "ALL"]);
        for capability in CAPABILITIES {
            command.args(["--cap-add", capability]);
        }
        command.arg("--").args(words);
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("SYSTEMD_OFFLINE", "1");
        command.env("SOURCE_DATE_EPOCH", self.timestamp.to_string());
        command.envs(self.variables.iter().copied());
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?);
        let umask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let child = command.spawn();
        rustix::process::umask(umask);
        let status = child.map_err(missing)?.wait().context("bwrap")?;
        output.rewind()?;
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes)?;
        Ok(Ended { status, tail: tail(&String::from_utf8_lossy(&bytes)) })
    }
}

impl Ended {
    /// An error that names `what` unless the program ended with status 0.
    pub fn check(self, what: &str) -> Result<()> {
        if self.status.success() {
            return Ok(());
        }
        let output = if self.tail.is_empty() { " and no output" } else { "; its last lines:\n" };
        bail!("{what}: expected exit status 0, got {}{output}{}", self.status, self.tail)
    }
}

/// Says what is missing when scripts or foreign owners cannot work here: root or a user namespace with subordinate ids,
/// bwrap, and the namespaces it makes.
pub fn check() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "not root: expected uid 0, in a user namespace with subordinate ids if not on the host (newuidmap, /etc/subuid, /etc/subgid)"
    );
    for (file, what) in [("/proc/self/uid_map", "user"), ("/proc/self/gid_map", "group")] {
        let map = std::fs::read_to_string(file).with_context(|| file.to_owned())?;
        let mapped = mapped_from_zero(&map);
        ensure!(
            mapped >= IDS,
            "{what} ids: expected 0 to {} in this user namespace, got {mapped} of them: \
             a range for this user in /etc/sub{}id and the program new{}idmap are missing",
            IDS - 1,
            &what[..1],
            &what[..1],
        );
    }
    let mut command = Command::new("bwrap");
    command
        .args(["--bind", "/", "/", "--dev", "/dev", "--proc", "/proc"])
        .args(NAMESPACES)
        .args(["--", "true"]);
    let output = command.stdin(Stdio::null()).output().map_err(missing)?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "bwrap cannot make its namespaces here: {}", error.trim());
    Ok(())
}

fn missing(error: std::io::Error) -> anyhow::Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            anyhow::anyhow!("bwrap is missing: install bubblewrap to run scriptlets")
        }
        _ => anyhow::Error::new(error).context("start bwrap"),
    }
}

/// How many ids from 0 on a `uid_map` maps without a gap: lines of inside, outside, count.
fn mapped_from_zero(map: &str) -> u64 {
    let line = |line: &str| {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<u64>().ok());
        let (inside, _, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some((inside, count))
    };
    let mut ranges: Vec<(u64, u64)> = map.lines().filter_map(line).collect();
    ranges.sort_unstable();
    ranges.iter().fold(0, |end, (start, count)| if *start <= end { end.max(start + count) } else { end })
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_mapped_ids() {
        for (map, expected) in [
            ("         0          0 4294967295\n", 4294967295),
            ("0 1000 1\n", 1),
            ("0 1000 1\n1 100000 65536\n", 65537),
            ("0 1000 1\n5 100000 65536\n", 1),
            ("", 0),
        ] {
            assert_eq!(mapped_from_zero(map), expected, "{map:?}");
        }
    }

    #[test]
    fn keeps_the_last_lines() {
        let text: String = (0..30).map(|n| format!("line {n}\n")).collect();
        let tail = tail(&text);
        assert!(tail.starts_with("line 10\n") && tail.ends_with("line 29"), "{tail}");
    }
}
