//! The same job by both programs: one command line each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::output;

/// The ref of the tree.
pub const REF: &str = "bench/os";
/// Pins what both commit.
const TIMESTAMP: u64 = 1_700_000_000;

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Our programs.
    Rootling,
    /// libostree's.
    Ostree,
}

/// Where things are.
#[derive(Clone, Debug)]
pub struct Paths {
    /// All below lies here.
    pub dir: PathBuf,
    /// The tree to commit.
    pub tree: PathBuf,
    /// Our programs.
    pub agent: PathBuf,
    /// Ours for the build host.
    pub compose: PathBuf,
}

impl Paths {
    /// The side's archive repo.
    pub fn archive(&self, side: Side) -> PathBuf {
        self.dir.join(format!("archive-{side:?}"))
    }

    /// What was measured and is no longer needed.
    pub fn done(&self) -> PathBuf {
        self.dir.join("done")
    }

    /// The side's device.
    pub fn sysroot(&self, side: Side) -> PathBuf {
        self.dir.join(format!("sysroot-{side:?}"))
    }
}

/// An empty archive repo in place of the last one.
pub fn empty_archive(paths: &Paths, side: Side) -> Result<()> {
    let repo = paths.archive(side);
    set_aside(paths, &repo)?;
    output(Command::new("ostree").arg("init").arg("--mode=archive").arg(repo_arg(&repo))).map(drop)
}

/// An empty sysroot that follows `url`, in place of the last one.
pub fn empty_sysroot(paths: &Paths, side: Side, url: &str) -> Result<()> {
    let sysroot = paths.sysroot(side);
    set_aside(paths, &sysroot)?;
    fs::create_dir_all(&sysroot)?;
    let admin =
        |args: &[&str]| output(Command::new("ostree").arg("admin").args(args).arg(sysroot_arg(&sysroot)));
    admin(&["init-fs", "--modern", path(&sysroot)?]).or_else(|_| admin(&["init-fs", path(&sysroot)?]))?;
    admin(&["os-init", "os"])?;
    let repo = sysroot.join("ostree/repo");
    let mut remote = Command::new("ostree");
    remote.args(["remote", "add", "--no-gpg-verify", "--no-sign-verify", "origin", url]).arg(repo_arg(&repo));
    output(&mut remote).map(drop)
}

/// Commits the tree to the side's archive repo.
pub fn commit(paths: &Paths, side: Side) -> Command {
    let repo = paths.archive(side);
    match side {
        Side::Rootling => {
            let mut command = Command::new(&paths.compose);
            command.arg("commit").arg(&paths.tree).arg("--repo").arg(repo).args([
                "--ref",
                REF,
                "--no-parent",
            ]);
            command.arg(format!("--timestamp={TIMESTAMP}"));
            command
        }
        Side::Ostree => {
            let mut command = Command::new("ostree");
            command.arg("commit").arg(repo_arg(&repo)).args(["--branch", REF, "--parent=none", "--subject="]);
            command
                .arg(format!("--timestamp=@{TIMESTAMP}"))
                .arg(format!("--tree=dir={}", paths.tree.display()));
            command
        }
    }
}

/// Fetches everything.
pub fn pull(paths: &Paths, side: Side) -> Command {
    let sysroot = paths.sysroot(side);
    match side {
        Side::Rootling => device(paths, &["pull", "origin", REF]),
        Side::Ostree => {
            let mut command = Command::new("ostree");
            command.arg("pull").arg(repo_arg(&sysroot.join("ostree/repo"))).args(["origin", REF]);
            command
        }
    }
}

/// Deploys what was fetched.
pub fn deploy(paths: &Paths, side: Side) -> Command {
    let refspec = format!("origin:{REF}");
    match side {
        Side::Rootling => device(paths, &["deploy", &refspec, "--os=os", "--karg=root=LABEL=x"]),
        Side::Ostree => {
            let mut command = Command::new("ostree");
            command.args(["admin", "deploy", "--os=os", "--karg=root=LABEL=x", &refspec]);
            command.arg(sysroot_arg(&paths.sysroot(side)));
            command
        }
    }
}

/// Reads and hashes every object.
pub fn verify(paths: &Paths, side: Side) -> Command {
    match side {
        Side::Rootling => device(paths, &["fsck"]),
        Side::Ostree => {
            let mut command = Command::new("ostree");
            command.args(["fsck", "-q"]).arg(repo_arg(&paths.sysroot(side).join("ostree/repo")));
            command
        }
    }
}

fn device(paths: &Paths, args: &[&str]) -> Command {
    let mut command = Command::new(&paths.agent);
    command.arg("--sysroot").arg(paths.sysroot(Side::Rootling)).arg("--quiet").args(args);
    command
}

fn repo_arg(repo: &Path) -> String {
    format!("--repo={}", repo.display())
}

fn sysroot_arg(sysroot: &Path) -> String {
    format!("--sysroot={}", sysroot.display())
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("the path is not UTF-8")
}

/// Moves a folder out of the way, to be removed when nothing is measured any more: for minutes after a removal ext4
/// looks at each freed inode again whenever it gives out a new one.
fn set_aside(paths: &Paths, folder: &Path) -> Result<()> {
    let done = paths.done();
    fs::create_dir_all(&done)?;
    if folder.exists() {
        let place = done.join(fs::read_dir(&done)?.count().to_string());
        fs::rename(folder, &place).with_context(|| format!("move {}", folder.display()))?;
    }
    Ok(())
}

/// Removes a folder with whatever deployments are in it.
pub fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        // deployments are immutable on file systems that know how
        let _ = output(Command::new("chattr").args(["-R", "-f", "-i"]).arg(folder));
        fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    Ok(())
}
