//! A device in a folder, updated by the built agent from a web server.

use super::{bin, commit_of, metadata, our_repo, web::Nginx};
use rootling_object::variant::Dict;
use rootling_object::{Checksum, RefName, Refspec};
use rootling_store::tree::{TreeOptions, commit_dir, write_commit};
use rootling_store::{Repo, RepoMode};
use rootling_trust::{SecretKey, sign_commit};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The ref that devices follow.
pub const REF: &str = "os/main";

/// A signed archive repo behind nginx.
pub struct Publisher {
    pub dir: TempDir,
    pub repo: Repo,
    pub server: Nginx,
    key: SecretKey,
}

impl Publisher {
    pub fn new() -> Publisher {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("served");
        let repo = our_repo(&path, RepoMode::Archive);
        let server = Nginx::start(&path, dir.path());
        Publisher { repo, server, key: SecretKey::from_seed(&[7; 32]), dir }
    }

    /// The public key devices trust.
    pub fn key(&self) -> String {
        self.key.public().to_string()
    }

    /// Commits, signs and binds the ref; `seconds` after the time of all tests.
    pub fn publish(&self, tree: &Path, version: &str, seconds: u64) -> Checksum {
        let txn = self.repo.transaction().unwrap();
        let root = commit_dir(&txn, tree, &TreeOptions { threads: 2, ..TreeOptions::default() }).unwrap();
        let mut commit = commit_of(root, metadata(REF, version));
        commit.timestamp += seconds;
        let checksum = write_commit(&txn, &commit).unwrap();
        let mut detached = Dict::new();
        sign_commit(&commit.encode(), &self.key, &mut detached).unwrap();
        txn.write_detached(&checksum, &detached);
        txn.set_ref(&Refspec { remote: None, name: RefName::parse(REF).unwrap() }, Some(checksum));
        txn.commit().unwrap();
        checksum
    }
}

/// Writes a tree that can be deployed: a kernel, some configuration, `files` files of which a third differs from
/// version to version.
pub fn write_os(folder: &Path, version: u32, files: u32) {
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    write("usr/lib/os-release", b"NAME=Test\nPRETTY_NAME=\"Test OS\"\nID=test\n");
    write("usr/lib/modules/6.1/vmlinuz", format!("kernel {version}").repeat(900).as_bytes());
    write("usr/lib/modules/6.1/initramfs.img", b"initramfs");
    write("usr/etc/plain", b"default\n");
    write("usr/etc/deep/er/file", b"deep default\n");
    for number in 0..files {
        let version = if number % 3 == 0 { version } else { 0 };
        let line = format!("{number} of version {version}\n");
        write(&format!("usr/lib/d{}/f{number}", number % 17), line.repeat(number as usize % 40).as_bytes());
    }
    for dir in ["boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "var"] {
        fs::create_dir_all(folder.join(dir)).unwrap();
    }
}

/// The agent on a sysroot.
pub fn rootling(sysroot: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(bin("rootling"));
    command.arg("--sysroot").arg(sysroot).arg("--quiet").args(args);
    command
}

/// Runs the agent and returns its exit code with all it printed.
pub fn outcome(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

/// Runs the agent, which must succeed.
pub fn must(command: &mut Command) -> String {
    let (code, said) = outcome(command);
    assert_eq!(code, Some(0), "{command:?}: {said}");
    said
}

/// Lays out a sysroot that follows the publisher and deploys what is published.
pub fn install(publisher: &Publisher, sysroot: &Path) {
    must(&mut rootling(sysroot, &["init", "os"]));
    let trust = format!("--sign-verify=ed25519=inline:{}", publisher.key());
    must(&mut rootling(sysroot, &["remote", "add", &trust, "origin", &publisher.server.url]));
    must(&mut rootling(sysroot, &["pull", "origin", REF]));
    must(&mut rootling(sysroot, &["deploy", &format!("origin:{REF}"), "--karg=root=LABEL=x"]));
}

/// Copies a sysroot with its hard links.
pub fn copy(from: &Path, to: &Path) {
    super::run(Command::new("cp").arg("-a").arg(from).arg(to));
}

/// Removes a sysroot, immutable deployments and all.
pub fn remove(sysroot: &Path) {
    let _ = Command::new("chattr").args(["-R", "-f", "-i"]).arg(sysroot.join("ostree/deploy")).output();
    fs::remove_dir_all(sysroot).unwrap();
}

/// A sysroot that is removed in the end.
pub struct Sysroot(pub PathBuf);

impl Drop for Sysroot {
    fn drop(&mut self) {
        let _ = Command::new("chattr").args(["-R", "-f", "-i"]).arg(self.0.join("ostree/deploy")).output();
        let _ = fs::remove_dir_all(&self.0);
    }
}
