//! A repo that was broken or forged on the server: every object that can be, in every way that can be.

use std::fs;

use rootling_object::{Checksum, Commit, Dict, DirTree, ObjectKind, ObjectName};

use crate::fixture::{Fixture, REF};

/// Every object of the remote.
fn objects(fixture: &Fixture) -> Vec<(ObjectName, std::path::PathBuf)> {
    let mut found = Vec::new();
    for folder in fs::read_dir(fixture.remote.join("objects")).unwrap() {
        let folder = folder.unwrap();
        for file in fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            let name =
                ObjectName::parse(folder.file_name().to_str().unwrap(), file.file_name().to_str().unwrap());
            found.push((name.unwrap(), file.path()));
        }
    }
    found.sort();
    found
}

#[test]
fn any_broken_object_stops_the_pull_and_a_good_server_then_finishes_it() {
    for index in 0.. {
        let fixture = Fixture::unsigned();
        let all = objects(&fixture);
        let Some((name, path)) = all.get(index) else {
            assert!(index > 8, "only {index} objects were tried");
            return;
        };
        let good = fs::read(path).unwrap();
        let mut flipped = good.clone();
        let middle = good.len() / 2;
        flipped[middle] ^= 1;
        for bad in [flipped, good[..middle].to_vec(), Vec::new(), [&good[..], b"x"].concat()] {
            fs::write(path, &bad).unwrap();
            let error = fixture.pull().expect_err(&name.to_string());
            assert_eq!(error.class(), "corrupt", "{name}, {} of {} bytes: {error}", bad.len(), good.len());
            assert!(
                error.to_string().contains(&name.checksum.to_string()[2..]),
                "it names the object: {error}"
            );
            assert!(fixture.is_untouched(), "{name}");
        }
        fs::remove_file(path).unwrap();
        let error = fixture.pull().expect_err("a missing object");
        assert_eq!(error.class(), "corrupt", "{name}: {error}");
        fs::write(path, &good).unwrap();
        fixture.pull().unwrap_or_else(|error| panic!("{name} is good again: {error}"));
        fixture.check();
    }
}

#[test]
fn an_object_under_the_name_of_another_is_refused() {
    let fixture = Fixture::unsigned();
    let all = objects(&fixture);
    let of = |kind| all.iter().filter(move |(name, _)| name.kind == kind).collect::<Vec<_>>();
    let files = of(ObjectKind::File);
    fs::copy(&files[0].1, &files[1].1).unwrap();
    let error = fixture.pull().expect_err("one file under the name of another");
    assert_eq!(error.class(), "corrupt", "{error}");
    assert!(error.to_string().contains(&files[0].0.checksum.to_string()), "it says what it is: {error}");
}

/// A wrong size in the header passes `ostree fsck`, as it is not hashed, and must not pass a pull.
#[test]
fn a_wrong_size_in_a_header_is_refused() {
    for change in [1u64, u64::MAX / 2] {
        let fixture = Fixture::unsigned();
        let files = objects(&fixture).into_iter().filter(|(name, _)| name.kind == ObjectKind::File);
        // a symlink has no content, so nothing is as long as its header says
        let is_symlink = |bytes: &[u8]| bytes[26..28] == 0o120_777u16.to_be_bytes();
        let (name, path) = files.into_iter().find(|(_, path)| !is_symlink(&fs::read(path).unwrap())).unwrap();
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        let size = u64::from_be_bytes(bad[8..16].try_into().unwrap());
        bad[8..16].copy_from_slice(&size.wrapping_add(change).to_be_bytes());
        fs::write(&path, bad).unwrap();
        let error = fixture.pull().expect_err(&name.to_string());
        assert!(matches!(error.class(), "corrupt" | "space"), "{name} + {change}: {error}");
        fs::write(&path, good).unwrap();
        fixture.pull().expect("good again");
        fixture.check();
    }
}

/// Trees whose bytes hash to their name and are still not to be let in.
#[test]
fn hostile_dirtrees_are_refused_before_anything_of_them_is_kept() {
    let file = Checksum::of(b"some file");
    let name = |text: &str| text.to_owned();
    let tree = |files: &[&str], dirs: &[&str]| DirTree {
        files: files.iter().map(|text| (name(text), file)).collect(),
        dirs: dirs.iter().map(|text| (name(text), file, file)).collect(),
    };
    for (what, hostile) in [
        ("path", tree(&["../../etc/passwd"], &[])),
        ("dot", tree(&[".."], &[])),
        ("empty", tree(&[""], &[])),
        ("slash", tree(&[], &["a/b"])),
        ("unsorted", tree(&["b", "a"], &[])),
        ("twice", tree(&["a", "a"], &[])),
        ("file and folder", tree(&["a"], &["a"])),
    ] {
        let fixture = Fixture::unsigned();
        forge(&fixture, &hostile.encode());
        let error = fixture.pull().expect_err(what);
        assert_eq!(error.class(), "corrupt", "{what}: {error}");
        assert!(error.to_string().contains("dirtree"), "{what}: {error}");
        let kept = fixture.repo.list_objects().unwrap();
        assert!(kept.iter().all(|name| name.kind != ObjectKind::DirTree), "{what}");
    }
}

#[test]
fn bytes_that_are_not_in_normal_form_are_refused() {
    let fixture = Fixture::unsigned();
    // an offset that is wider than it has to be; another reader may see another tree
    for bytes in [vec![0, 0], vec![1], vec![0xff; 40]] {
        forge(&fixture, &bytes);
        let error = fixture.pull().expect_err("not a dirtree");
        assert_eq!(error.class(), "corrupt", "{bytes:?}: {error}");
    }
}

/// Puts a commit on the ref whose root is these bytes.
fn forge(fixture: &Fixture, root: &[u8]) {
    let store = |kind, bytes: &[u8]| {
        let checksum = Checksum::of(bytes);
        let path = fixture.object(kind, &checksum);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        checksum
    };
    let root_tree = store(ObjectKind::DirTree, root);
    let meta = objects(fixture).into_iter().find(|(name, _)| name.kind == ObjectKind::DirMeta).unwrap().0;
    let text = String::new;
    let commit = Commit {
        metadata: Dict::new(),
        parent: None,
        subject: text(),
        body: text(),
        timestamp: 5000,
        root_tree,
        root_meta: meta.checksum,
    };
    let commit = store(ObjectKind::Commit, &commit.encode());
    fs::write(fixture.remote.join("refs/heads").join(REF), format!("{commit}\n")).unwrap();
}
