//! Folders and programs of the demo, and the table of what each step cost.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{fs, io::BufRead, io::BufReader};

use anyhow::{Context, Result, bail};

use super::wire::{Reading, Wire};
use crate::measure::{self, Cost, mebibytes};
use crate::{place, run};

/// One command that was run.
#[derive(Debug)]
struct Row {
    title: String,
    device: bool,
    cost: Cost,
    wire: Option<Reading>,
}

/// Everything the demo works with.
#[derive(Debug)]
pub struct Scene {
    /// All below lies here.
    pub dir: PathBuf,
    /// The repo on the build host.
    pub repo: PathBuf,
    /// The device's disk.
    pub sysroot: PathBuf,
    agent: PathBuf,
    /// Counts what the device receives, once there is a server.
    pub wire: Option<Wire>,
    server: Option<Child>,
    rows: Vec<Row>,
}

impl Scene {
    /// An empty scene; what an earlier run left is removed.
    pub fn new(dir: PathBuf, agent: PathBuf) -> Result<Scene> {
        if dir.exists() {
            // deployments are immutable on file systems that know how
            let _ = run::output(Command::new("chattr").args(["-R", "-f", "-i"]).arg(&dir));
            fs::remove_dir_all(&dir).with_context(|| format!("remove {}", dir.display()))?;
        }
        let (repo, sysroot) = (dir.join("repo"), dir.join("sysroot"));
        fs::create_dir_all(&sysroot).with_context(|| format!("create {}", sysroot.display()))?;
        Ok(Scene { dir, repo, sysroot, agent, wire: None, server: None, rows: Vec::new() })
    }

    /// `rootling-compose ARGS`; its output is shown.
    pub fn compose(&mut self, title: &str, args: &[&str]) -> Result<String> {
        let mut command = Command::new(place::program("debug", "rootling-compose"));
        command.args(args);
        self.show(title, false, &mut command)
    }

    /// `rootling --sysroot DIR ARGS`; its output is shown.
    pub fn device(&mut self, title: &str, args: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.agent);
        command.arg("--sysroot").arg(&self.sysroot).arg("--progress=none").args(args);
        self.show(title, true, &mut command)
    }

    fn show(&mut self, title: &str, device: bool, command: &mut Command) -> Result<String> {
        eprintln!("\n== {title}\n   $ {}", self.shortened(&run::line(command)));
        let before = self.wire.as_ref().map(|wire| wire.since(Reading::default()));
        let cost = measure::measure_with(command, &|line| eprintln!("   {line}"))?;
        measure::check(command, &cost)?;
        let wire = self.wire.as_ref().zip(before).map(|(wire, before)| wire.since(before));
        let stdout = cost.stdout.clone();
        self.rows.push(Row { title: title.to_owned(), device, cost, wire });
        Ok(stdout)
    }

    fn shortened(&self, line: &str) -> String {
        line.replace(&format!("{}/", place::root().display()), "")
    }

    /// Starts the static server of the build host and the relay before it.
    pub fn serve(&mut self) -> Result<SocketAddr> {
        let mut command = Command::new(place::program("debug", "rootling-compose"));
        command.args(["serve", "--bind", "127.0.0.1:0"]).arg(&self.repo);
        eprintln!("\n== serve it over plain HTTP\n   $ {}", self.shortened(&run::line(&command)));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("no output of the server")?;
        BufReader::new(stdout).read_line(&mut line)?;
        self.server = Some(child);
        let address = line.split("http://").nth(1).unwrap_or_default().trim_end().trim_end_matches('/');
        let Ok(address) = address.parse() else {
            bail!("rootling-compose serve: expected a line with http://ADDRESS:PORT, got {line:?}")
        };
        let wire = Wire::to(address)?;
        let relay = wire.address;
        eprintln!("   {} and a relay at http://{relay} that counts bytes", line.trim());
        self.wire = Some(wire);
        Ok(relay)
    }

    /// The folder of a deployment, `COMMIT.SERIAL`, of the stateroot.
    pub fn deployments(&self, stateroot: &str) -> Result<Vec<PathBuf>> {
        let folder = self.sysroot.join("ostree/deploy").join(stateroot).join("deploy");
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                found.push(path);
            }
        }
        Ok(found)
    }

    /// Boot entries as the boot loader sees them, the first to boot first: file name and text.
    pub fn boot_entries(&self) -> Result<Vec<(String, String)>> {
        let folder = self.sysroot.join("boot/loader/entries");
        let mut entries = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            entries.push((name, fs::read_to_string(&path)?));
        }
        entries
            .sort_by_key(|(_, text)| std::cmp::Reverse(field(text, "version").parse::<u64>().unwrap_or(0)));
        Ok(entries)
    }

    /// The device program.
    pub fn agent(&self) -> &Path {
        &self.agent
    }

    /// Steps of the device program with their peak memory in bytes.
    pub fn device_memory(&self) -> impl Iterator<Item = (&str, u64)> {
        let device = self.rows.iter().filter(|row| row.device);
        device.map(|row| (row.title.as_str(), row.cost.used.peak_rss))
    }

    /// What each step cost, as lines.
    pub fn table(&self) -> Vec<String> {
        let head = format!(
            "{:<44} {:>9} {:>11} {:>14} {:>6}",
            "step", "seconds", "peak memory", "bytes received", "conns"
        );
        let rows = self.rows.iter().map(|Row { title, cost, wire, device }| {
            let wire = wire.filter(|_| *device);
            let (bytes, connections) = match wire {
                Some(reading) if reading.down > 0 => {
                    (place::grouped(reading.down), reading.connections.to_string())
                }
                _ => ("-".into(), "-".into()),
            };
            let (seconds, memory) = (cost.wall.as_secs_f64(), mebibytes(cost.used.peak_rss));
            format!("{title:<44} {seconds:>9.2} {memory:>11} {bytes:>14} {connections:>6}")
        });
        std::iter::once(head).chain(rows).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// The value of a line `KEY VALUE` in a boot entry.
pub fn field<'a>(text: &'a str, key: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    line.unwrap_or_default().trim()
}

/// A path as it is shown: below the checkout where it is.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(place::root()).unwrap_or(path).display().to_string()
}
