//! Scratch directories, real tools, and trees to commit.

pub mod device;
pub mod trees;
pub mod web;

use rootling_object::variant::{Dict, Value};
use rootling_object::{Commit, RefName, Refspec};
use rootling_store::archive::Libdeflate;
use rootling_store::tree::{Root, TreeOptions, commit_dir, write_commit};
use rootling_store::{Repo, RepoMode};
use std::path::Path;
use std::process::Command;

/// The time all test commits have: 2020-01-01, in seconds.
pub const TIMESTAMP: u64 = 1_577_836_800;

/// Runs a tool and returns what it printed; anything but success ends the test with all it said.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; the oracles are installed by `cargo xtask test`")
    });
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}

/// A program of the workspace, built beside this test by `cargo test --workspace` or `cargo build`.
pub fn bin(name: &str) -> std::path::PathBuf {
    let this = std::env::current_exe().unwrap();
    let path = this.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.exists(), "{} is not there: cargo build --workspace --bins", path.display());
    path
}

/// Runs `ostree` on a repo.
pub fn ostree(repo: &Path, args: &[&str]) -> String {
    run(Command::new("ostree").arg(format!("--repo={}", repo.display())).args(args))
}

/// An empty repo of ours that can compress.
pub fn our_repo(path: &Path, mode: RepoMode) -> Repo {
    Repo::create(path, mode).unwrap().with_deflate(Box::new(Libdeflate))
}

/// The metadata `ostree commit -b BRANCH --add-metadata-string=version=VERSION` gives a commit, in its order.
pub fn metadata(branch: &str, version: &str) -> Dict {
    let mut metadata = Dict::new();
    metadata.set("version", Value::str(version));
    metadata.set("ostree.ref-binding", Value::strv([branch]));
    metadata
}

/// A commit of ours at [`TIMESTAMP`].
pub fn commit_of(root: Root, metadata: Dict) -> Commit {
    Commit {
        metadata,
        parent: None,
        subject: "a test".into(),
        body: String::new(),
        timestamp: TIMESTAMP,
        root_tree: root.tree,
        root_meta: root.meta,
    }
}

/// Commits a directory with our crates.
pub fn our_commit(repo: &Repo, tree: &Path, branch: &str, metadata: Dict) -> String {
    let txn = repo.transaction().unwrap();
    let root = commit_dir(&txn, tree, &TreeOptions { threads: 2, ..TreeOptions::default() }).unwrap();
    let checksum = write_commit(&txn, &commit_of(root, metadata)).unwrap();
    txn.set_ref(&Refspec { remote: None, name: RefName::parse(branch).unwrap() }, Some(checksum));
    txn.commit().unwrap();
    checksum.to_string()
}

/// Commits a directory with `ostree`, into a repo that is made for it if it is not there.
pub fn their_commit(repo: &Path, mode: &str, tree: &Path, branch: &str, version: &str) -> String {
    if !repo.exists() {
        ostree(repo, &["init", &format!("--mode={mode}")]);
    }
    let printed = ostree(
        repo,
        &[
            "commit",
            "-b",
            branch,
            "-s",
            "a test",
            "--timestamp=2020-01-01 00:00:00 +0000",
            &format!("--add-metadata-string=version={version}"),
            &tree.display().to_string(),
        ],
    );
    printed.trim().to_owned()
}
