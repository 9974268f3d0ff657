//! A tree composed from real packages is, checked out and committed again by `ostree`, the same commit.

use crate::common::{bin, ostree, run};
use rootling_object::{Checksum, Commit, ObjectKind};
use rootling_store::checkout::{CheckoutOptions, checkout};
use rootling_store::{Repo, RepoMode};
use rootling_tests::testbed::{Arch, State, ensure};
use std::path::PathBuf;
use std::process::Command;

/// Where the test bed is cached.
fn bed() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/testbed");
    std::env::var_os("ROOTLING_TEST_BED").map_or_else(|| beside.into(), PathBuf::from)
}

#[test]
fn ostree_makes_the_same_commit_of_the_composed_tree() {
    let bed = ensure(Arch::Amd64, State::Base, &bed()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs, bare) = (dir.path().join("ours"), dir.path().join("theirs"), dir.path().join("bare"));
    for (repo, mode) in [(&ours, RepoMode::Archive), (&bare, RepoMode::Bare)] {
        Repo::create(repo, mode).unwrap();
    }
    let compose = bin("rootling-compose");
    let mut command = Command::new(compose);
    command
        .arg("tree")
        .arg(&bed.treefile)
        .arg("--repo")
        .arg(&ours)
        .arg("--cachedir")
        .arg(dir.path().join("cache"));
    run(command.arg("--quiet"));
    let source = Repo::open(&ours).unwrap();
    let (refspec, composed) = source.list_refs().unwrap().remove(0);
    let branch = refspec.name.to_string();
    let commit = source.load_commit(&composed).unwrap();
    assert!(ostree(&ours, &["fsck"]).contains("completed successfully"));

    let tree = dir.path().join("tree");
    checkout(&source, (&commit.root_tree, &commit.root_meta), &tree, CheckoutOptions::default()).unwrap();
    ostree(&theirs, &["init", "--mode=archive"]);
    let timestamp = format!("--timestamp=@{}", commit.timestamp);
    let mut command = Command::new("ostree");
    command.arg(format!("--repo={}", theirs.display())).args([
        "commit",
        "-b",
        &branch,
        "-s",
        &commit.subject,
    ]);
    command.args(["--body", &commit.body, &timestamp]);
    for (key, value) in commit.metadata.0.iter().filter(|(key, _)| key != "ostree.ref-binding") {
        // The texts that GVariant prints are those it reads.
        let text = ostree(&ours, &["show", &format!("--print-metadata-key={key}"), &branch]);
        command.arg(format!("--add-metadata={key}={}", typed(&value.type_string(), text.trim())));
    }
    let again = Checksum::parse_hex(run(command.arg(&tree)).trim()).unwrap();
    let again = Repo::open(&theirs).unwrap().load_commit(&again).unwrap();
    assert_eq!((again.root_tree, again.root_meta), (commit.root_tree, commit.root_meta));

    // The same metadata, in the order in which ostree wrote it.
    assert_eq!(again.metadata.0.len(), commit.metadata.0.len());
    let mut reordered = commit.metadata.clone();
    reordered.0.sort_by_key(|(key, _)| again.metadata.0.iter().position(|(other, _)| other == key));
    let expected = Commit { metadata: reordered, parent: None, ..commit };
    assert_eq!(Checksum::of(&expected.encode()), Checksum::of(&again.encode()));

    ostree(&bare, &["pull-local", &ours.display().to_string(), &branch]);
    assert!(ostree(&bare, &["fsck"]).contains("completed successfully"));
    assert!(Repo::open(&bare).unwrap().load_metadata(ObjectKind::Commit, &composed).is_ok());
}

/// An empty or short text does not show its type; with it before the value it always does.
fn typed(kind: &str, text: &str) -> String {
    if kind.starts_with('a') && !text.starts_with('@') { format!("@{kind} {text}") } else { text.to_owned() }
}
