//! The agent of an earlier commit on what today's agent left, and the other way round.
//!
//! A fallback puts the older agent back in charge of the trial, the deny list, and the repo that the newer one wrote.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::run::{cargo_at, output, programs, run, step};
use crate::smoke::{REF, commit, forget};
use crate::{place, tools};

const TOOLS: &[tools::Tool] =
    &[("ostree", "ostree"), ("grub-editenv", "grub-common"), ("chattr", "e2fsprogs"), ("git", "git")];

const NOTHING_NEW: i32 = 77;

/// What every change is played against: a commit that has landed.
pub const LANDED: &str = "68902263c8fcb537d18dba61ce39591c38b1ef5f";

/// For every change: plays both parts with the agent of [`LANDED`], and says so; or says that this clone has no such commit.
pub fn landed() -> Result<String> {
    let short = LANDED.get(..12).unwrap_or(LANDED);
    if let Err(why) = fetch(LANDED) {
        return Ok(format!("NOT PLAYED: the agent of {short} against today's: {why:#}"));
    }
    older(LANDED).map(|()| format!("the agent of {short} and today's: played, ok"))
}

/// Builds the agent of a commit of this history and plays both parts.
pub fn older(revision: &str) -> Result<()> {
    step("tools", || tools::ensure(&[tools::BUILD, TOOLS]))?;
    step("today's agent", programs)?;
    let new = place::program("debug", "rootling");
    let old = step(&format!("the agent of {revision}"), || build(revision))?;
    for (name, before, after) in [("older after newer", &new, &old), ("newer after older", &old, &new)] {
        let device = Device::install(before)?;
        step(&format!("{name}: a trial and a list that the other one left"), || {
            handed_over(&device, before, after)
        })?;
    }
    println!("the agent of {revision} and today's take over from one another");
    Ok(())
}

/// A trial armed by one agent fails under the other; that failure then binds the first, and a retry is confirmed.
fn handed_over(device: &Device, before: &Path, after: &Path) -> Result<()> {
    let second = commit(&device.dir, 2)?;
    device.run(before, &["upgrade", "--tries=2"], 0)?;
    let told = device.run(after, &["boot", "status"], 0)?;
    ensure!(told.contains("2 of 2 tries left") && told.contains(&second), "boot status: {told}");
    device.counted(&second, 0)?;
    let told = device.run(after, &["boot", "confirm"], 0)?;
    ensure!(told.contains("fell back"), "boot confirm: {told}");
    let told = device.run(before, &["upgrade"], NOTHING_NEW)?;
    ensure!(told.contains("failed on this device"), "upgrade: {told}");

    let third = commit(&device.dir, 3)?;
    device.run(before, &["upgrade"], 0)?;
    device.run(before, &["boot", "fall-back"], 0)?;
    for agent in [after, before] {
        device.run(agent, &["upgrade"], NOTHING_NEW)?;
        let told = device.run(agent, &["boot", "status"], 0)?;
        ensure!(told.contains(&second) && told.contains(&third), "boot status: expected both, got {told}");
    }
    device.run(after, &["upgrade", "--retry-failed"], 0)?;
    device.counted(&third, 1)?;
    device.boots(&third)?;
    let told = device.run(before, &["boot", "confirm"], 0)?;
    ensure!(told.contains(&format!("confirmed {third}.0")), "boot confirm: {told}");
    let told = device.run(after, &["boot", "status"], 0)?;
    ensure!(told.contains(&second) && !told.contains(&format!("{third} ")), "boot status: {told}");
    device.run(after, &["fsck"], 0)?;
    device.run(before, &["rollback"], 0).map(drop)
}

/// A sysroot in a folder with GRUB, and the repo it follows.
struct Device {
    dir: PathBuf,
}

impl Device {
    fn install(agent: &Path) -> Result<Device> {
        let device = Device { dir: place::target().join("older/scene") };
        forget(&device.dir)?;
        let repo = device.dir.join("repo");
        fs::create_dir_all(&repo).with_context(|| format!("create {}", repo.display()))?;
        output(Command::new("ostree").args(["init", "--mode=archive", "--repo"]).arg(&repo))?;
        let first = commit(&device.dir, 1)?;
        let url = format!("file://{}", repo.display());
        let remote: &[&str] = &["remote", "add", "origin", &url, "--no-sign-verify"];
        let pull: &[&str] = &["pull", "origin", REF];
        for args in
            [&["init", "demo"], remote, pull, &["deploy", "origin:os/main"], &["boot", "install", "grub"]]
        {
            device.run(agent, args, 0)?;
        }
        device.boots(&first)?;
        Ok(device)
    }

    /// Runs an agent; its exit code has to be the expected one.
    fn run(&self, agent: &Path, args: &[&str], code: i32) -> Result<String> {
        let mut command = Command::new(agent);
        command.arg("--sysroot").arg(self.dir.join("root")).args(args).stdin(Stdio::null());
        let output = command.output().with_context(|| format!("start {}", agent.display()))?;
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let got = output.status.code();
        ensure!(
            got == Some(code),
            "{} {args:?}: expected exit code {code}, got {got:?}\n{told}",
            agent.display()
        );
        Ok(told)
    }

    /// Lets the folder look as if this deployment had been booted.
    fn boots(&self, commit: &str) -> Result<()> {
        let root = self.dir.join("root");
        let proc = root.join("proc/1");
        fs::create_dir_all(&proc)?;
        let _ = fs::remove_file(proc.join("root"));
        symlink(root.join(format!("ostree/deploy/demo/deploy/{commit}.0")), proc.join("root"))?;
        Ok(())
    }

    /// What GRUB leaves after it has booted the one on trial, or has no tries left.
    fn counted(&self, commit: &str, left: u32) -> Result<()> {
        let value = format!("rootling_try={commit}.0:{left}");
        let grubenv = self.dir.join("root/boot/grub/grubenv");
        output(Command::new("grub-editenv").arg(grubenv).args(["set", &value])).map(drop)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = forget(&self.dir);
    }
}

/// Whether this clone has a commit.
fn has(revision: &str) -> bool {
    let mut ask = Command::new("git");
    ask.arg("-C").arg(place::root()).args(["cat-file", "-e", &format!("{revision}^{{commit}}")]);
    output(&mut ask).is_ok()
}

#[test]
fn only_commits_of_this_clone_are_there() {
    assert!(has("HEAD"));
    assert!(!has("0000000000000000000000000000000000000001"));
}

/// Has a clone of the last commits alone get one that it lacks.
fn fetch(revision: &str) -> Result<()> {
    if has(revision) {
        return Ok(());
    }
    let mut fetch = Command::new("git");
    fetch.arg("-C").arg(place::root()).args(["fetch", "-q", "--depth=1", "origin", revision]);
    run(&mut fetch).with_context(|| format!("{revision}: not in this clone, and its origin does not give it"))
}

/// The agent of a commit, from a copy of its tree.
fn build(revision: &str) -> Result<PathBuf> {
    let folder = place::target().join("older");
    let tree = folder.join("tree");
    let _ = fs::remove_dir_all(&tree);
    fs::create_dir_all(&tree).with_context(|| format!("create {}", tree.display()))?;
    let archive = folder.join("tree.tar");
    fetch(revision)?;
    output(
        Command::new("git").arg("-C").arg(place::root()).args(["archive", "-o"]).arg(&archive).arg(revision),
    )?;
    output(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&tree))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = cargo_at(&cargo, "build -q --locked -p rootling --no-default-features");
    // before there was such a feature every agent knew GRUB
    let manifest = tree.join("agent/Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| format!("read {}", manifest.display()))?;
    if text.lines().any(|line| line.starts_with("loaders =")) {
        command.args(["--features", "loaders"]);
    }
    run(command.current_dir(&tree).arg("--target-dir").arg(folder.join("build")))?;
    Ok(folder.join("build/debug/rootling"))
}
