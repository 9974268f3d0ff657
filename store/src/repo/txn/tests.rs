use super::*;
use rootling_object::{DirTree, RefName};

fn repo(dir: &Path) -> Repo {
    Repo::create(&dir.join("repo"), RepoMode::BareUser).unwrap()
}

#[test]
fn objects_are_there_after_commit_and_refs_last() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repo(dir.path());
    let txn = repo.transaction().unwrap();
    let tree = txn.write_metadata(ObjectKind::DirTree, &DirTree::default().encode(), None).unwrap();
    let name = ObjectName::new(ObjectKind::DirTree, tree);
    assert!(txn.has(&name) && !repo.has(&name));
    let refspec = Refspec { remote: Some("origin".into()), name: RefName::parse("os/main").unwrap() };
    txn.set_ref(&refspec, Some(tree));
    let stats = txn.commit().unwrap();
    assert_eq!((stats.objects, repo.has(&name)), (1, true));
    assert_eq!(repo.read_ref(&refspec).unwrap(), Some(tree));
    assert_eq!(repo.list_refs().unwrap(), [(refspec.clone(), tree)]);
    repo.write_ref(&refspec, None).unwrap();
    assert_eq!(repo.list_refs().unwrap(), []);
}

#[test]
fn a_dropped_transaction_leaves_its_objects_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repo(dir.path());
    let first = repo.transaction().unwrap();
    let tree = first.write_metadata(ObjectKind::DirTree, &[0], None).unwrap();
    drop(first);
    let second = repo.transaction().unwrap();
    assert!(second.has(&ObjectName::new(ObjectKind::DirTree, tree)));
}

#[test]
fn two_transactions_do_not_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repo(dir.path());
    let (first, second) = (repo.transaction().unwrap(), repo.transaction().unwrap());
    assert_ne!(first.staging, second.staging);
}

#[test]
fn threads_may_add_and_checkpoint_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repo(dir.path());
    let txn = repo.transaction().unwrap();
    let header = FileHeader { uid: 0, gid: 0, mode: 0o100644, target: None, xattrs: Default::default() };
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let (txn, header) = (&txn, &header);
            scope.spawn(move || {
                for number in 0..50u8 {
                    txn.write_content(header, 2, &mut &[thread, number][..], None).unwrap();
                    if number % 5 == 0 {
                        txn.checkpoint().unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(txn.commit().unwrap().objects, 200);
    assert_eq!(repo.list_objects().unwrap().len(), 200);
}

#[test]
fn bytes_of_another_name_are_refused_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repo(dir.path());
    let txn = repo.transaction().unwrap();
    let wrong = Checksum::of(b"other");
    let error = txn.write_metadata(ObjectKind::DirTree, &[0], Some(&wrong)).unwrap_err();
    assert!(error.is_corrupt(), "{error}");
    let header = FileHeader { uid: 0, gid: 0, mode: 0o100644, target: None, xattrs: Default::default() };
    let error = txn.write_content(&header, 3, &mut &b"abc"[..], Some(&wrong)).unwrap_err();
    assert!(error.to_string().contains(&wrong.to_string()), "{error}");
    let error = txn.write_content(&header, 4, &mut &b"abc"[..], None).unwrap_err();
    assert!(error.to_string().contains("expected 4 bytes, got 3 bytes"), "{error}");
    for (name, path) in crate::fs::list(&txn.staging).unwrap() {
        assert_eq!((name.len(), crate::fs::list(&path).unwrap()), (2, Vec::new()));
    }
}

#[cfg(feature = "make")]
#[test]
fn objects_of_an_archive_are_for_all_to_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let repo = Repo::create(&dir.path().join("repo"), RepoMode::Archive).unwrap();
    let repo = repo.with_deflate(Box::new(crate::archive::Libdeflate));
    let txn = repo.transaction().unwrap();
    txn.write_metadata(ObjectKind::DirTree, &[0], None).unwrap();
    let header = FileHeader { uid: 0, gid: 0, mode: 0o100600, target: None, xattrs: Default::default() };
    txn.write_content(&header, 1, &mut &b"x"[..], None).unwrap();
    txn.commit().unwrap();
    for name in repo.list_objects().unwrap() {
        let mode = fs::metadata(repo.object_path(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o644, "{name}");
    }
}

#[test]
fn drafts_of_a_killed_transaction_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repo(dir.path());
    let first = repo.transaction().unwrap();
    let staging = first.staging.clone();
    let inside = first.make_dir(&Checksum::of(b"x")).unwrap();
    for dir in [&staging, &inside] {
        fs::write(dir.join("draft-0"), "half").unwrap();
    }
    drop(first);
    drop(repo.transaction().unwrap());
    assert!(!staging.join("draft-0").exists() && !inside.join("draft-0").exists());
}
