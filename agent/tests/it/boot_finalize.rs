//! `/etc` right before the reboot, and taking over what libostree installed.

use std::fs;
use std::os::unix::fs::symlink;

use crate::boot_trial::{with_grub, write};
use crate::fixture::{Fixture, REF, ostree, text};
use crate::sysroot::{Device, bootable};

#[test]
fn edits_made_after_the_deployment_are_carried_over() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    write(&device.tree(&first).join("etc/early"), "early\n");
    assert!(device.run(&["finalize"], 0).contains("nothing to finalize"));
    let second = bootable(&fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    let (old, new) = (device.tree(&first).join("etc"), device.tree(&second).join("etc"));
    write(&old.join("late"), "late\n");
    fs::remove_file(old.join("early")).unwrap();
    write(&old.join("app.conf"), "edited\n");
    let told = device.run(&["finalize"], 0);
    assert!(told.contains("2 changes"), "{told}");
    assert_eq!(fs::read_to_string(new.join("late")).unwrap(), "late\n");
    assert_eq!(fs::read_to_string(new.join("app.conf")).unwrap(), "edited\n");
    assert!(!new.join("early").exists(), "made anew, not on top");
    let beside: Vec<_> = fs::read_dir(new.parent().unwrap().parent().unwrap()).unwrap().flatten().collect();
    assert_eq!(beside.len(), 4, "two deployments and their origins: {beside:?}");

    // one that ran has an /etc of its own, whatever boots next
    write(&new.join("own"), "own\n");
    device.run(&["rollback"], 0);
    assert!(device.run(&["finalize"], 0).contains("nothing to finalize"));
    device.run(&["rollback"], 0);
    fs::remove_dir_all(device.root.join("run/rootling")).unwrap();
    assert!(device.run(&["finalize"], 0).contains("nothing to finalize"), "after a reboot");
    assert!(new.join("own").exists());
}

/// `/` is an overlay then, with numbers of its own, and prepare-root leaves a link to what lies below.
#[test]
fn the_deployment_below_a_transient_root_is_the_booted_one() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    let root = device.root.join("proc/1/root");
    fs::remove_file(&root).unwrap();
    symlink(fixture.dir.path(), root).unwrap();
    fs::create_dir_all(device.root.join("run/rootling")).unwrap();
    symlink(device.tree(&first), device.root.join("run/rootling/root")).unwrap();
    assert!(device.run(&["status"], 0).contains("booted"));
    bootable(&fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    write(&device.tree(&first).join("etc/late"), "late\n");
    assert!(device.run(&["finalize"], 0).contains("1 changes"));
}

/// A device that the real `ostree` installed.
fn theirs(fixture: &Fixture) -> Device<'_> {
    let device = Device::at(fixture, "theirs");
    let (root, repo) = (text(&device.root), device.root.join("ostree/repo"));
    fs::create_dir(&device.root).unwrap();
    ostree(&["admin", "init-fs", root]);
    ostree(&["admin", "os-init", "demo", "--sysroot", root]);
    let add =
        ["remote", "add", "--repo", text(&repo), "--no-gpg-verify", "--set=sign-verify=false", "origin"];
    ostree(&[&add[..], &[&fixture.server.url]].concat());
    ostree(&["pull", "--repo", text(&repo), "origin", REF]);
    ostree(&["admin", "deploy", "--os=demo", "origin:os/main", "--sysroot", root]);
    device
}

#[test]
fn what_cannot_be_taken_over_is_named() {
    let fixture = Fixture::unsigned();
    let first = bootable(&fixture, 1, 2000);
    let device = theirs(&fixture);
    assert!(device.run(&["adopt", "--check"], 0).contains("nothing stands in the way"));
    let repo = device.root.join("ostree/repo");
    let verify =
        |value| ostree(&["config", "--repo", text(&repo), "set", "remote \"origin\".sign-verify", value]);
    verify("true");
    assert!(device.run(&["adopt", "--check"], 1).contains("expected a key to verify commits with"));
    verify("false");
    let origin = device.root.join(format!("ostree/deploy/demo/deploy/{first}.0.origin"));
    let before = fs::read_to_string(&origin).unwrap();
    fs::write(&origin, format!("{before}[packages]\nrequested=vim;\n")).unwrap();
    write(&device.root.join("proc/77/comm"), "rpm-ostree\n");
    write(&device.root.join("run/ostree/staged-deployment"), "");
    ostree(&["config", "--repo", text(&repo), "set", "remote \"origin\".gpg-verify", "true"]);
    std::os::unix::fs::symlink("../loader/syslinux.cfg", device.root.join("boot/uEnv.txt")).unwrap();
    let told = device.run(&["adopt", "--check"], 1);
    for part in ["process 77", "staged deployment", "[packages]", "gpg-verify", "boot/uEnv.txt", "got 5"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    ostree(&["config", "--repo", text(&repo), "set", "ex-integrity.composefs", "true"]);
    assert!(device.run(&["adopt", "--check"], 1).contains("composefs"));
}
