//! A file made from four old ones by delta, and what happens when one of them is missing.

use std::fs;
use std::process::Command;

use rootling::pull::delta::Mode;
use rootling_object::{Checksum, ObjectKind, ObjectName, Refspec};
use rootling_store::Repo;

use crate::delta::{loose, publish, pull};
use crate::fixture::{Fixture, REF, ostree, text};

/// Commits four libraries that do not compress, or the one that they were joined to.
fn commit(fixture: &Fixture, joined: bool, timestamp: u64) -> Checksum {
    let tree = fixture.dir.path().join("tree");
    let _ = fs::remove_dir_all(&tree);
    fs::create_dir_all(tree.join("usr/lib")).unwrap();
    let mut seed = 77u32;
    let mut part = || -> Vec<u8> {
        let bytes = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        });
        bytes.take(20_000).collect()
    };
    let parts = [part(), part(), part(), part()];
    if joined {
        fs::write(tree.join("usr/lib/lib0.so"), parts.concat()).unwrap();
    } else {
        for (number, part) in parts.iter().enumerate() {
            fs::write(tree.join(format!("usr/lib/lib{number}.so")), part).unwrap();
        }
    }
    let (time, tree) = (format!("--timestamp=@{timestamp}"), format!("--tree=dir={}", text(&tree)));
    let remote = text(&fixture.remote);
    let printed =
        ostree(&["commit", "--repo", remote, "-b", REF, &time, &tree, "--owner-uid=0", "--owner-gid=0"]);
    Checksum::parse_hex(printed.trim()).unwrap()
}

/// A device with the four, a delta of profile 3 to the one, and the names of the four.
fn split() -> (Fixture, Checksum, u64, Vec<Checksum>) {
    let fixture = Fixture::unsigned();
    let old = commit(&fixture, false, 2000);
    pull(&fixture, Mode::Never).unwrap();
    let tree = fixture.repo.load_commit(&old).unwrap().root_tree;
    let inside = ["usr", "lib"]
        .iter()
        .fold(tree, |tree, name| *fixture.repo.load_dirtree(&tree).unwrap().dir(name).unwrap().0);
    let files = fixture.repo.load_dirtree(&inside).unwrap().files;
    let new = commit(&fixture, true, 3000);
    let (made, entry, _) = publish(&fixture, Some(old), new);
    assert_eq!((entry.profile, made.files[0].sources, made.groups.len()), (3, 4, 1));
    assert!(entry.total < 2000, "{} bytes for a file of 80000", entry.total);
    fixture.server.forget();
    (fixture, new, entry.total, files.into_iter().map(|(_, checksum)| checksum).collect())
}

#[test]
fn a_file_joined_from_four_comes_by_delta() {
    let (fixture, new, total, _) = split();
    let pulled = pull(&fixture, Mode::Require).unwrap();
    assert_eq!((*pulled.commit.checksum(), loose(&fixture)), (new, 0), "{:?}", fixture.server.seen());
    assert!(pulled.bytes < total + 300, "{} bytes", pulled.bytes);
    fixture.check();
}

#[test]
fn without_one_of_its_four_sources_a_file_comes_loose_and_the_program_says_so() {
    for missing in 0..4 {
        let (fixture, new, _, sources) = split();
        let name = ObjectName::new(ObjectKind::File, sources[missing]);
        fs::remove_file(fixture.repo.object_path(&name)).unwrap();
        let said = format!("expected old object {}, got none", sources[missing]);
        let error = pull(&fixture, Mode::Require).unwrap_err().to_string();
        assert!(error.contains(&said), "{missing}: {error}");
        let groups =
            fixture.server.seen().iter().filter(|path| path.contains("deltas-rootling/data")).count();
        assert_eq!(groups, 1, "the header and no group");
        let mut program = Command::new(env!("CARGO_BIN_EXE_rootling"));
        let output =
            program.args(["--repo", text(fixture.repo.path()), "pull", "origin", REF]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{printed}");
        assert!(
            printed.contains(&said) && printed.contains("its objects come loose"),
            "{missing}: {printed}"
        );
        assert!(loose(&fixture) > 0);
        let repo = Repo::open(fixture.repo.path()).unwrap();
        let followed = Refspec::parse("origin:os/main").unwrap();
        assert_eq!(repo.read_ref(&followed).unwrap(), Some(new));
    }
}
