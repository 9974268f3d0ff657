//! Rollback, undeploy, pin, kernel arguments, clean-up.

use crate::bootcheck::{self, Bootable};
use crate::fixture::{Fixture, PATIENCE, Tree, verified};
use rootling_boot::KernelArgs;
use rootling_object::{Checksum, Refspec};
use rootling_store::sysroot::{CleanupScope, Running, Sysroot};
use rootling_store::{ErrorKind, Result};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

fn three() -> (Fixture, [Checksum; 3]) {
    let fixture = Fixture::new();
    let commits = ["1", "2", "3"].map(|v| fixture.commit(&Tree { version: v, kernel: v, files: &[] }));
    commits.iter().for_each(|c| drop(fixture.deploy(c)));
    (fixture, commits)
}

fn boots(fixture: &Fixture) -> Vec<Bootable> {
    bootcheck::check(&fixture.path()).unwrap()
}

fn versions(fixture: &Fixture) -> Vec<String> {
    boots(fixture).iter().map(|b| b.title.split(' ').nth(2).unwrap().to_string()).collect()
}

/// The sysroot as the running system of one of its deployments would see it.
fn running(fixture: &Fixture, index: usize) -> Result<Sysroot> {
    let sysroot = fixture.open();
    let stat = fs::metadata(sysroot.deployment_path(sysroot.at(index)?)).unwrap();
    let cmdline = "quiet ostree=/ostree/boot.0/os/00/0".into();
    let run_dir = fixture.dir.path().join("run");
    Sysroot::open_running(&fixture.path(), Running { cmdline, root: (stat.dev(), stat.ino()), run_dir })
}

#[test]
fn rollback_swaps_and_swaps_back() {
    let (fixture, _) = three();
    assert_eq!(versions(&fixture), ["3", "2", "1"]);
    fs::write(fixture.etc("plain"), "of three").unwrap();
    for want in [["2", "3", "1"], ["3", "2", "1"]] {
        fixture.lock().rollback("os").unwrap();
        assert_eq!(versions(&fixture), want);
    }
    assert_eq!(fs::read_to_string(fixture.etc("plain")).unwrap(), "of three");
}

#[test]
fn rollback_of_a_running_system_goes_to_it_or_behind_it() {
    let (fixture, _) = three();
    // two is running, three was to boot next: stay with two
    let mut locked = running(&fixture, 1).unwrap().lock(PATIENCE).unwrap();
    assert_eq!(locked.pending("os").count(), 1);
    locked.rollback("os").unwrap();
    assert_eq!(locked.booted().map(|d| d.entry.get("version")), Some(Some("3")));
    assert_eq!(versions(&fixture), ["2", "3", "1"]);
    // two is running and the default: the one after it
    locked.rollback("os").unwrap();
    assert_eq!(versions(&fixture), ["3", "2", "1"]);
}

#[test]
fn the_booted_deployment_stays_whatever_is_asked() {
    let (fixture, commits) = three();
    let mut locked = running(&fixture, 2).unwrap().lock(PATIENCE).unwrap();
    let error = locked.undeploy(2).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Refused { reason } if reason.contains("booted")), "{error}");
    locked.cleanup(CleanupScope { pending_of: Some("os"), ..CleanupScope::default() }).unwrap();
    assert_eq!(versions(&fixture), ["1"]);
    assert!(locked.deployment_path(locked.booted().unwrap()).exists());
    assert_eq!(locked.booted().unwrap().checksum, commits[0]);
}

#[test]
fn a_running_system_without_an_entry_is_refused() {
    let (fixture, _) = three();
    let running =
        |root| Running { cmdline: "ostree=/x".into(), root, run_dir: fixture.dir.path().to_owned() };
    let error = Sysroot::open_running(&fixture.path(), running((0, 0))).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Refused { .. }), "{error}");
    let other = Running { cmdline: "root=/dev/vda".into(), ..running((0, 0)) };
    assert!(Sysroot::open_running(&fixture.path(), other.clone()).unwrap().booted().is_none());
    fs::write(fixture.dir.path().join("staged-deployment"), "").unwrap();
    let error = Sysroot::open_running(&fixture.path(), other).unwrap().lock(PATIENCE).err().unwrap();
    assert!(matches!(error.kind(), ErrorKind::Unsupported { what } if what.contains("staged")), "{error}");
}

#[test]
fn undeploy_and_clean_up() {
    let (fixture, commits) = three();
    let mut locked = fixture.lock();
    locked.undeploy(0).unwrap();
    assert_eq!(versions(&fixture), ["2", "1"]);
    let cleaned = locked.cleanup(CleanupScope::default()).unwrap();
    assert_eq!(cleaned.deployments, [format!("{}.0", commits[2])]);
    locked.cleanup(CleanupScope { rollback_of: Some("os"), ..CleanupScope::default() }).unwrap();
    assert_eq!(versions(&fixture), ["2"]);
    assert!(locked.rollback("os").is_err_and(|error| matches!(error.kind(), ErrorKind::Refused { .. })));
    assert!(locked.undeploy(5).unwrap_err().is_not_found());
}

#[test]
fn a_pinned_deployment_outlives_upgrades() {
    let (fixture, _) = three();
    fixture.lock().set_pinned(2, true).unwrap();
    for version in ["4", "5"] {
        fixture.deploy(&fixture.commit(&Tree { version, kernel: version, files: &[] }));
    }
    assert_eq!(versions(&fixture), ["5", "4", "3", "1"]);
    let mut locked = fixture.lock();
    assert!(locked.undeploy(3).unwrap_err().to_string().contains("pinned"));
    locked.set_pinned(3, false).unwrap();
    drop(locked);
    fixture.deploy(&fixture.commit(&Tree { version: "6", kernel: "6", files: &[] }));
    assert_eq!(versions(&fixture), ["6", "5", "4"]);
}

#[test]
fn other_kernel_arguments_are_a_new_deployment() {
    let (fixture, commits) = three();
    fs::write(fixture.etc("plain"), "mine").unwrap();
    let mut locked = fixture.lock();
    let commit = verified(locked.repo(), &commits[2]);
    let mut args: KernelArgs = locked.at(0).unwrap().kernel_args();
    args.replace("quiet=yes").unwrap();
    args.append("console=ttyS0");
    let done = locked.set_kernel_args(0, &commit, args).unwrap();
    assert_eq!((done.deployment.serial, done.deployment.checksum), (1, commits[2]));
    let boots = boots(&fixture);
    assert!(
        boots[0].options.starts_with("root=LABEL=x quiet=yes console=ttyS0 ostree="),
        "{}",
        boots[0].options
    );
    assert!(boots[1].options.starts_with("root=LABEL=x quiet ostree="), "{}", boots[1].options);
    assert_eq!(fs::read_to_string(fixture.etc("plain")).unwrap(), "mine");
}

#[test]
fn an_origin_is_changed_in_place() {
    let (fixture, _) = three();
    let refspec = Refspec::parse("other:os/next").unwrap();
    let mut locked = fixture.lock();
    locked.set_pinned(0, true).unwrap();
    locked.set_origin(0, &refspec).unwrap();
    let origin = fixture.open().deployments()[0].origin.clone();
    assert_eq!(origin.refspec().unwrap(), Some(refspec));
    assert!(origin.is_pinned());
}

#[test]
fn config_diff_has_a_letter_for_each_change() {
    let (fixture, _) = three();
    fs::write(fixture.etc("plain"), "mine").unwrap();
    fs::write(fixture.etc("zzz"), "new").unwrap();
    fs::remove_file(fixture.etc("deep/er/file")).unwrap();
    let sysroot = fixture.open();
    let lines: Vec<String> =
        sysroot.config_diff(sysroot.at(0).unwrap()).unwrap().iter().map(|c| c.to_string()).collect();
    assert_eq!(lines, ["D    deep/er/file", "M    plain", "A    zzz"]);
}

#[test]
fn a_file_made_immutable_by_the_admin_does_not_stop_a_clean_up() {
    let (fixture, commits) = three();
    let tree = fixture.path().join(format!("ostree/deploy/os/deploy/{}.0", commits[0]));
    assert!(Command::new("chattr").arg("+i").arg(tree.join("etc/plain")).status().unwrap().success());
    let mut locked = fixture.lock();
    locked.undeploy(2).unwrap();
    let cleaned = locked.cleanup(CleanupScope::default()).unwrap();
    assert_eq!(cleaned.deployments, [format!("{}.0", commits[0])]);
    assert!(!tree.exists());
}
