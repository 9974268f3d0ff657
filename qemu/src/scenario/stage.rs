//! A machine on a fresh copy of the path's image, with a repo of its own; and what scenarios do on it.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::guest::Repo;
use crate::machine::Machine;
use crate::machine::marker::{Booted, json};
use crate::path;

/// Tries of each update: the fewest that show that the loader counts.
pub const TRIES: u32 = 2;
/// What boots, by everything in the guest that says so.
pub const BOOTS: &str = "/boot /sysroot/boot /efi /sysroot/ostree/boot.* /sysroot/ostree/deploy /sysroot/ostree/repo/refs /sysroot/ostree/repo/config";

/// All of it.
pub struct Stage {
    /// The machine.
    pub machine: Machine,
    /// What it updates from.
    pub repo: Repo,
    /// The commit of the image.
    pub base: String,
    /// The repo's address, as the guest sees it.
    pub url: String,
    /// The program of the build host.
    pub compose: PathBuf,
    /// The device program, built for this machine.
    pub agent: PathBuf,
    /// What the guest verifies by.
    pub policy: String,
    /// The path.
    pub path: path::Path,
    /// /boot is a partition.
    pub has_boot: bool,
    /// The machine's memory in MiB.
    pub memory: u32,
}

impl Stage {
    /// Waits for a guest that runs this commit, and for its shell.
    pub fn arrives(&mut self, commit: &str, on_trial: bool) -> Result<()> {
        let booted = self.machine.booted()?;
        same(&booted, commit, on_trial)?;
        self.machine.ready()?;
        self.has_boot_mounted()
    }

    /// Where /boot is a partition it is what the guest has there, and nothing was written below it.
    fn has_boot_mounted(&mut self) -> Result<()> {
        if self.has_boot {
            self.machine.expect("grep ' /boot ext4 ' /proc/mounts && test -z \"$(ls /sysroot/boot)\"", 0)?;
        }
        Ok(())
    }

    /// Restarts the guest, which comes back with the system of the image.
    pub fn stays(&mut self) -> Result<()> {
        self.machine.reboot()?;
        self.arrives(&self.base.clone(), false)
    }

    /// The guest learns where this machine serves the repo.
    pub fn name_server(&mut self) -> Result<()> {
        let command = format!("rootling remote add origin {} --force {}", self.url, self.policy);
        self.machine.expect(&command, 0).map(drop)
    }

    /// Has the ref name a commit of the guest; answers its checksum.
    pub fn publish(&mut self, name: &str) -> Result<String> {
        self.repo.publish(&self.compose, name)
    }

    /// An update that the loader can try, or one without a trial where it cannot.
    pub fn upgrade(&self) -> String {
        let tries = if self.path.loader.counts() { TRIES } else { 0 };
        format!("rootling upgrade --tries={tries}")
    }

    /// An update that proves itself.
    pub fn updates_to(&mut self, new: &str) -> Result<()> {
        let command = self.upgrade();
        self.machine.expect(&command, 0)?;
        self.proves_itself(new)
    }

    /// Restarts into what was deployed, which is confirmed.
    pub fn proves_itself(&mut self, new: &str) -> Result<()> {
        self.machine.reboot()?;
        self.arrives(new, self.path.loader.counts())?;
        self.is_confirmed()
    }

    /// Nothing is on trial any more.
    pub fn is_confirmed(&mut self) -> Result<()> {
        let status = self.status()?;
        ensure!(status["outcome"] == "nothing" && status["armed"].is_null(), "not confirmed: {status}");
        Ok(())
    }

    /// It failed, and is not tried again by itself.
    pub fn is_denied(&mut self, bad: &str) -> Result<()> {
        let status = self.status()?;
        let failed = status["failed"].as_array().context("boot status: expected a list of what failed")?;
        ensure!(failed.iter().any(|entry| entry["checksum"] == bad), "the deny list has no {bad}: {status}");
        let command = self.upgrade();
        self.machine.expect(&command, 77).map(drop)
    }

    /// What `rootling boot status` says.
    pub fn status(&mut self) -> Result<Value> {
        json(&self.machine.expect("rootling boot status --json", 0)?)
    }

    /// Lists names, sizes, times, inodes and link targets below folders of the guest into a file there.
    fn list(&mut self, folders: &str, file: &str) -> Result<()> {
        let command = format!("find {folders} | sort | xargs stat -c '%N %f %s %Y %i' >{file}");
        self.machine.expect(&command, 0).map(drop)
    }

    /// Runs a command that ends with this exit code and changes nothing below these folders; answers what it printed.
    pub fn changes_nothing(&mut self, command: &str, code: i32, folders: &str) -> Result<Vec<String>> {
        self.list(folders, "/run/before")?;
        let printed = self.machine.expect(command, code)?;
        self.list(folders, "/run/after")?;
        let differs = self.machine.expect("diff /run/before /run/after", 0);
        differs.with_context(|| format!("guest: {command} has changed something"))?;
        Ok(printed)
    }

    /// Runs a command that has to be refused with this exit code, for a reason in which this is said, and that
    /// changes nothing below these folders.
    pub fn refuses(&mut self, command: &str, code: i32, reason: &str, folders: &str) -> Result<()> {
        let printed = self.changes_nothing(command, code, folders)?;
        ensure!(
            printed.iter().any(|line| line.contains(reason)),
            "guest: {command}: expected a refusal that says {reason:?}, got {printed:?}"
        );
        Ok(())
    }
}

/// Whether this is what runs.
pub fn same(booted: &Booted, commit: &str, on_trial: bool) -> Result<()> {
    ensure!(
        booted.commit == commit && booted.on_trial == on_trial,
        "expected {commit} {}, got {} {}",
        state(on_trial),
        booted.commit,
        state(booted.on_trial)
    );
    Ok(())
}

fn state(on_trial: bool) -> &'static str {
    if on_trial { "on trial" } else { "confirmed" }
}
