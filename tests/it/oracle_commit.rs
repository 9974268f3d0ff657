//! The same tree gives the same commit, and `ostree` accepts our repos.

use crate::common::{
    self, TIMESTAMP, metadata, ostree, our_commit, our_repo, run, their_commit, trees, web::Nginx,
};
use rootling_object::variant::Value;
use rootling_object::{Checksum, Commit, ObjectKind};
use rootling_store::RepoMode;
use std::path::Path;
use std::process::Command;

const MODES: [(RepoMode, &str); 3] =
    [(RepoMode::Archive, "archive"), (RepoMode::Bare, "bare"), (RepoMode::BareUser, "bare-user")];

/// Our commit and theirs of `tree`, in each mode that is written, are the same; theirs checks ours.
fn same_commit(dir: &Path, tree: &Path, modes: &[(RepoMode, &str)]) {
    for (mode, name) in modes {
        let theirs = dir.join(format!("theirs-{name}"));
        let ours = dir.join(format!("ours-{name}"));
        let expected = their_commit(&theirs, name, tree, "os/test", "1");
        let repo = our_repo(&ours, *mode);
        assert_eq!(our_commit(&repo, tree, "os/test", metadata("os/test", "1")), expected, "{name}");
        let checked = ostree(&ours, &["fsck"]);
        assert!(checked.contains("object fsck of 1 commits completed successfully"), "{checked}");
        let list = |repo: &Path| ostree(repo, &["ls", "-R", "-X", "-C", "os/test"]);
        assert_eq!(list(&ours), list(&theirs), "{name}");
    }
}

#[test]
fn odd_names_modes_owners_and_xattrs() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    trees::odd(&tree);
    same_commit(dir.path(), &tree, &MODES);
}

#[test]
fn sizes_on_both_sides_of_each_offset_width() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    trees::widths(&tree);
    same_commit(dir.path(), &tree, &MODES);
}

#[test]
fn seventy_thousand_names_in_one_directory() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    trees::crowd(&tree);
    same_commit(dir.path(), &tree, &MODES[..1]);
}

#[test]
fn metadata_on_both_sides_of_each_offset_width() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("x"), "x").unwrap();
    let theirs = dir.path().join("theirs");
    let repo = our_repo(&dir.path().join("ours"), RepoMode::Archive);
    for length in
        [0usize, 1, 100, 150, 160, 170, 180, 190, 200, 240, 255, 256, 65_000, 65_300, 65_400, 65_500, 70_000]
    {
        let version = "v".repeat(length);
        let expected = their_commit(&theirs, "archive", &tree, "os/test", &version);
        let mut wanted = metadata("os/test", &version);
        let mut parent = None;
        if let Some(previous) = Checksum::parse_hex(&expected).ok().and_then(|sum| {
            let theirs = rootling_store::Repo::open(&theirs).unwrap();
            theirs.load_commit(&sum).unwrap().parent
        }) {
            parent = Some(previous);
        }
        let txn = repo.transaction().unwrap();
        let root = rootling_store::tree::commit_dir(&txn, &tree, &Default::default()).unwrap();
        let commit = Commit { parent, ..common::commit_of(root, wanted.clone()) };
        assert_eq!(Checksum::of(&commit.encode()).to_string(), expected, "{length}");
        wanted.set("version", Value::str("another"));
        let other = Commit { parent, ..common::commit_of(root, wanted) };
        assert_ne!(Checksum::of(&other.encode()).to_string(), expected, "{length}");
    }
}

#[test]
fn pulled_and_checked_out_by_ostree() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    trees::odd(&tree);
    let ours = dir.path().join("ours");
    let repo = our_repo(&ours, RepoMode::Archive);
    let commit = our_commit(&repo, &tree, "os/test", metadata("os/test", "1"));
    repo.write_summary(&repo.make_summary(TIMESTAMP).unwrap().encode(), None).unwrap();
    let summary = ostree(&ours, &["summary", "-v"]);
    assert!(summary.contains("os/test") && summary.contains(&commit), "{summary}");

    let server = Nginx::start(&ours, dir.path());
    for mode in ["bare", "bare-user", "archive"] {
        let client = dir.path().join(format!("client-{mode}"));
        ostree(&client, &["init", &format!("--mode={mode}")]);
        ostree(&client, &["remote", "add", "--no-gpg-verify", "ours", &server.url]);
        ostree(&client, &["pull", "ours", "os/test"]);
        ostree(&client, &["fsck"]);
        let local = dir.path().join(format!("local-{mode}"));
        ostree(&local, &["init", &format!("--mode={mode}")]);
        ostree(&local, &["pull-local", &ours.display().to_string(), "os/test"]);
        ostree(&local, &["fsck"]);
    }
    let (theirs, again) = (dir.path().join("theirs-out"), dir.path().join("ours-out"));
    ostree(&dir.path().join("client-bare"), &["checkout", &commit, &theirs.display().to_string()]);
    let client = rootling_store::Repo::open(&dir.path().join("client-bare")).unwrap();
    let Commit { root_tree, root_meta, .. } =
        client.load_commit(&Checksum::parse_hex(&commit).unwrap()).unwrap();
    rootling_store::checkout::checkout(&client, (&root_tree, &root_meta), &again, Default::default())
        .unwrap();
    run(Command::new("diff").args(["-r", "--no-dereference"]).arg(&theirs).arg(&again));
    // diff sees no owners, modes and xattrs: a commit of each does.
    let repo = our_repo(&dir.path().join("compare"), RepoMode::BareUser);
    for out in [&theirs, &again] {
        assert_eq!(our_commit(&repo, out, "os/test", metadata("os/test", "1")), commit, "{}", out.display());
    }
    assert_eq!(repo.list_objects().unwrap().iter().filter(|name| name.kind == ObjectKind::Commit).count(), 1);
}
