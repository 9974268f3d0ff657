//! The merge of `/etc`, case by case.

use crate::bootcheck;
use crate::fixture::{Fixture, Tree};
use rootling_store::sysroot::Deployed;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

const BASE: &[(&str, &str)] =
    &[("usr/etc/dir/a", "a\n"), ("usr/etc/dir/b", "b\n"), ("usr/etc/other", "other\n")];

/// Deploys `old`, edits its `/etc`, deploys `new`; gives the new `/etc` to `look`.
fn merged(old: &[(&str, &str)], edit: impl Fn(&Path), new: &[(&str, &str)], look: impl Fn(&Path, &Deployed)) {
    let fixture = Fixture::new();
    let one = fixture.commit(&Tree { version: "1", kernel: "k1", files: old });
    let two = fixture.commit(&Tree { version: "2", kernel: "k2", files: new });
    fixture.deploy(&one);
    edit(&fixture.etc(""));
    let done = fixture.deploy(&two);
    bootcheck::check(&fixture.path()).unwrap();
    look(&fixture.etc(""), &done);
}

fn read(etc: &Path, name: &str) -> String {
    fs::read_to_string(etc.join(name)).unwrap_or_else(|e| format!("{name}: {e}"))
}

#[test]
fn changes_stay_and_untouched_files_follow_the_tree() {
    let edit = |etc: &Path| {
        fs::write(etc.join("plain"), "mine\n").unwrap();
        fs::remove_file(etc.join("gone")).unwrap();
        fs::remove_dir_all(etc.join("dir")).unwrap();
        fs::create_dir_all(etc.join("added/below")).unwrap();
        fs::write(etc.join("added/below/x"), "x").unwrap();
        fs::set_permissions(etc.join("added/below/x"), Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(etc.join("deep"), Permissions::from_mode(0o700)).unwrap();
        fs::remove_file(etc.join("link")).unwrap();
        symlink("elsewhere", etc.join("link")).unwrap();
        fs::write(etc.join(".updated"), "").unwrap();
        xattr::set(etc.join("plain"), "user.note", b"kept").unwrap();
    };
    let new = [
        BASE,
        &[("usr/etc/plain", "new default\n"), ("usr/etc/other", "new other\n"), ("usr/etc/fresh", "f")],
    ]
    .concat();
    merged(BASE, edit, &new, |etc, done| {
        assert_eq!(read(etc, "plain"), "mine\n");
        assert_eq!(xattr::get(etc.join("plain"), "user.note").unwrap().unwrap(), b"kept");
        assert_eq!(read(etc, "other"), "new other\n");
        assert_eq!(read(etc, "fresh"), "f");
        assert_eq!(read(etc, "added/below/x"), "x");
        let mode = |name: &str| fs::metadata(etc.join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("added/below/x"), mode("deep"), mode("deep/er")), (0o600, 0o700, 0o755));
        assert_eq!(fs::read_link(etc.join("link")).unwrap(), Path::new("elsewhere"));
        assert!(["gone", "dir", ".updated"].iter().all(|name| !etc.join(name).exists()));
        let merge = done.merge.as_ref().unwrap();
        assert_eq!((merge.modified, merge.removed, merge.added), (3, 2, 4), "{merge:?}");
        assert_eq!(merge.conflicts, Vec::<std::path::PathBuf>::new());
    });
}

#[test]
fn a_change_of_kind_in_the_tree_keeps_the_edited_one_beside() {
    let edit = |etc: &Path| {
        fs::write(etc.join("other"), "mine\n").unwrap();
        fs::write(etc.join("dir/a"), "my a\n").unwrap();
        fs::write(etc.join("dir/new"), "my new\n").unwrap();
    };
    // other: file to folder; dir: folder to file
    let new = [("usr/etc/other/inside", "i"), ("usr/etc/dir", "now a file\n")];
    merged(BASE, edit, &new, |etc, done| {
        assert_eq!(read(etc, "other/inside"), "i");
        assert_eq!(read(etc, "other.rootling-conflict"), "mine\n");
        assert_eq!(read(etc, "dir"), "now a file\n");
        assert_eq!(read(etc, "dir.rootling-conflict/a"), "my a\n");
        assert_eq!(read(etc, "dir.rootling-conflict/new"), "my new\n");
        assert!(!etc.join("dir.rootling-conflict/b").exists(), "was not edited");
        assert_eq!(done.merge.as_ref().unwrap().conflicts, [Path::new("dir"), Path::new("other")]);
    });
}

#[test]
fn a_change_of_kind_by_the_admin_stays() {
    let edit = |etc: &Path| {
        fs::remove_file(etc.join("other")).unwrap();
        fs::create_dir(etc.join("other")).unwrap();
        fs::write(etc.join("other/mine"), "m").unwrap();
        fs::remove_dir_all(etc.join("dir")).unwrap();
        symlink("/run/dir", etc.join("dir")).unwrap();
    };
    merged(BASE, edit, BASE, |etc, done| {
        assert_eq!(read(etc, "other/mine"), "m");
        assert_eq!(fs::read_link(etc.join("dir")).unwrap(), Path::new("/run/dir"));
        assert_eq!(done.merge.as_ref().unwrap().conflicts, Vec::<std::path::PathBuf>::new());
    });
}

#[test]
fn a_conflict_does_not_block_the_updates_after_it() {
    let fixture = Fixture::new();
    let old = fixture.commit(&Tree { version: "1", kernel: "k1", files: BASE });
    fixture.deploy(&old);
    fs::write(fixture.etc("other"), "mine\n").unwrap();
    for version in ["2", "3", "4"] {
        let new = fixture.commit(&Tree { version, kernel: version, files: &[("usr/etc/other/inside", "i")] });
        fixture.deploy(&new);
        assert_eq!(read(&fixture.etc(""), "other.rootling-conflict"), "mine\n", "{version}");
        assert_eq!(read(&fixture.etc(""), "other/inside"), "i");
    }
}

#[test]
fn nothing_outside_of_etc_is_touched_through_a_link_of_the_new_tree() {
    let fixture = Fixture::new();
    let one = fixture.commit(&Tree { version: "1", kernel: "k1", files: BASE });
    fixture.deploy(&one);
    fs::remove_file(fixture.etc("dir/a")).unwrap();
    fs::write(fixture.etc("dir/b"), "my b").unwrap();
    // the new tree has etc/dir -> ../usr/share/dir with files of the same names
    let folder = fixture.dir.path().join("tree");
    let files = [("usr/share/dir/a", "share a"), ("usr/share/dir/b", "share b")];
    crate::fixture::write_tree(&folder, &Tree { version: "2", kernel: "k2", files: &files });
    symlink("../usr/share/dir", folder.join("usr/etc/dir")).unwrap();
    let two = crate::fixture::commit_tree(fixture.open().repo(), &folder, "2");
    let done = fixture.deploy(&two);
    bootcheck::check(&fixture.path()).unwrap();
    let etc = fixture.etc("");
    assert_eq!((read(&etc, "dir/a"), read(&etc, "dir/b")), ("share a".into(), "share b".into()));
    assert_eq!(read(&etc, "dir.rootling-conflict/b"), "my b");
    assert_eq!(done.merge.unwrap().conflicts, [Path::new("dir")]);
}

#[test]
fn sockets_are_left_behind_and_odd_names_carried_over() {
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"odd \xff name");
    let edit = |etc: &Path| {
        assert!(Command::new("mkfifo").arg(etc.join("fifo")).status().unwrap().success());
        fs::write(etc.join(odd), "odd").unwrap();
    };
    merged(BASE, edit, BASE, |etc, done| {
        assert_eq!(fs::read_to_string(etc.join(odd)).unwrap(), "odd");
        assert!(!etc.join("fifo").exists());
        assert_eq!(done.merge.as_ref().unwrap().skipped, [Path::new("fifo")]);
    });
}
