//! Every kind of damage is found, by us and by `ostree`, and repaired.

use crate::common::{metadata, ostree, our_commit, our_repo, trees};
use rootling_object::{Checksum, FileHeader, ObjectKind, ObjectName};
use rootling_store::fsck::{fsck, repair};
use rootling_store::prune::{PruneOptions, prune};
use rootling_store::{Repo, RepoMode};
use std::fs;
use std::path::Path;

struct Case {
    repo: Repo,
    source: Repo,
    _dir: tempfile::TempDir,
}

fn repos(mode: RepoMode) -> Case {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    trees::odd(&tree);
    let repo = our_repo(&dir.path().join("repo"), mode);
    let source = our_repo(&dir.path().join("source"), RepoMode::Archive);
    for repo in [&repo, &source] {
        our_commit(repo, &tree, "os/test", metadata("os/test", "1"));
    }
    Case { repo, source, _dir: dir }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// One object of each kind that is not the commit, always the same.
fn victims(repo: &Repo) -> Vec<ObjectName> {
    let mut names = repo.list_objects().unwrap();
    names.sort();
    let large = names
        .iter()
        .filter(|name| name.kind == ObjectKind::File)
        .max_by_key(|name| fs::symlink_metadata(repo.object_path(name)).unwrap().len());
    let tree = names.iter().find(|name| name.kind == ObjectKind::DirTree);
    let meta = names.iter().find(|name| name.kind == ObjectKind::DirMeta);
    [large, tree, meta].map(|name| *name.unwrap()).into()
}

#[test]
fn damage_is_found_and_repaired_from_another_repo() {
    for mode in [RepoMode::Archive, RepoMode::Bare, RepoMode::BareUser] {
        let Case { repo, source, _dir } = repos(mode);
        for name in victims(&repo) {
            for damage in ["flipped", "truncated", "empty", "gone"] {
                let path = repo.object_path(&name);
                match damage {
                    "flipped" => flip(&path),
                    "truncated" => {
                        let bytes = fs::read(&path).unwrap();
                        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
                    }
                    "empty" => fs::write(&path, "").unwrap(),
                    _ => fs::remove_file(&path).unwrap(),
                }
                let report = fsck(&repo, None, 2).unwrap();
                let found: Vec<_> = report.problems.iter().map(|problem| problem.object).collect();
                assert!(found.contains(&name), "{mode} {name} {damage}: {found:?}");
                let replaced = repair(&repo, report, 2, &mut |txn, name| match name.kind {
                    ObjectKind::File => {
                        let mut filez = fs::File::open(source.object_path(name)).unwrap();
                        txn.import_archive(&name.checksum, &name, &mut filez)
                    }
                    kind => {
                        let bytes = source.load_metadata(kind, &name.checksum)?;
                        txn.write_metadata(kind, &bytes, Some(&name.checksum)).map(|_| ())
                    }
                })
                .unwrap();
                assert!(replaced >= 1);
                assert!(fsck(&repo, None, 2).unwrap().is_clean(), "{mode} {name} {damage}");
                assert_eq!(repo.partial_commits().unwrap(), []);
                ostree(repo.path(), &["fsck"]);
            }
        }
    }
}

#[test]
fn a_repair_that_fails_leaves_the_commit_marked_partial() {
    let Case { repo, _dir, .. } = repos(RepoMode::BareUser);
    let name = victims(&repo)[0];
    flip(&repo.object_path(&name));
    let report = fsck(&repo, None, 1).unwrap();
    let commit = report.problems[0].commit;
    let failed = repair(&repo, report, 1, &mut |_, name| {
        Err(rootling_store::Error::not_found(name.to_string(), "nowhere"))
    });
    assert!(failed.unwrap_err().to_string().contains("nowhere"));
    assert!(repo.is_partial(&commit));
}

#[test]
fn a_wrong_size_in_a_filez_is_refused_though_ostree_fsck_accepts_it() {
    let Case { repo, _dir, .. } = repos(RepoMode::Archive);
    let name = victims(&repo)[0];
    let path = repo.object_path(&name);
    let bytes = fs::read(&path).unwrap();
    let length = FileHeader::decode_prefix(&bytes[..8]).unwrap() as usize;
    let (header, size) = FileHeader::decode_archive(&bytes[8..8 + length]).unwrap();
    fs::write(&path, [header.encode_archive(size + 1).as_slice(), &bytes[8 + length..]].concat()).unwrap();
    ostree(repo.path(), &["fsck"]);
    let report = fsck(&repo, None, 1).unwrap();
    assert_eq!(report.problems.len(), 1);
    let error = report.problems[0].error.to_string();
    assert!(error.contains("size") && error.contains("1 more bytes"), "{error}");
}

#[test]
fn prune_removes_what_no_ref_leads_to_and_ostree_agrees() {
    let Case { repo, _dir, .. } = repos(RepoMode::Archive);
    let before = repo.list_objects().unwrap().len();
    let tree = _dir.path().join("tree");
    fs::write(tree.join("only in the second"), "second").unwrap();
    let second = our_commit(&repo, &tree, "os/other", metadata("os/other", "2"));
    let added = repo.list_objects().unwrap().len() - before;
    assert_eq!(added, 3, "a commit, a dirtree and a file");
    let kept = prune(&repo, &PruneOptions { refs_only: true, ..Default::default() }).unwrap();
    assert_eq!(kept.removed, 0);
    let other = rootling_object::Refspec::parse("os/other").unwrap();
    repo.write_ref(&other, None).unwrap();
    let count = ostree(repo.path(), &["prune", "--refs-only", "--no-prune"]);
    assert!(count.contains(&format!("Would delete: {added} objects")), "{count}");
    let pruned = prune(&repo, &PruneOptions { refs_only: true, ..Default::default() }).unwrap();
    assert_eq!(pruned.removed, added as u64);
    assert!(repo.load_commit(&Checksum::parse_hex(&second).unwrap()).unwrap_err().is_not_found());
    ostree(repo.path(), &["fsck"]);
}
