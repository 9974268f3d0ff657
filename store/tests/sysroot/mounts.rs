//! File systems that are full, separate or read-only: made in a mount namespace by `unshare`, used by a child process.

use crate::bootcheck;
use crate::fixture::{Fixture, PATIENCE, REF, Tree, free, verified};
use rootling_boot::KernelArgs;
use rootling_object::{Checksum, Refspec};
use rootling_store::sysroot::{self, DeployOptions, Origin, Running, Sysroot};
use rootling_store::{ErrorKind, Result};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

const JOB: &str = "ROOTLING_TEST_MOUNTS";

/// Does in a namespace of its own what a test asked for.
#[test]
fn mounts_child() {
    let Ok(job) = std::env::var(JOB) else { return };
    let (job, dir) = job.split_once(' ').unwrap();
    let dir = Path::new(dir);
    match job {
        "full" => full(dir),
        "boot" => boot(dir, true),
        "small-boot" => boot(dir, false),
        "full-esp" => crate::loader_efi::full(dir),
        "readonly" => readonly(dir),
        other => panic!("{other}"),
    }
}

/// Runs a script in a mount namespace, then the child in it.
fn in_namespace(job: &str, dir: &Path, script: &str) {
    let this = std::env::current_exe().unwrap();
    let child = format!("exec {} --exact mounts::mounts_child --test-threads=1 --nocapture", this.display());
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-ec", &format!("{script}\n{child}")]);
    command.current_dir(dir).env(JOB, format!("{job} {}", dir.display()));
    let run = command.output().expect("unshare is needed: apt-get install util-linux");
    let text = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && text.contains("1 passed"), "{text}");
}

fn big_tree<'a>(version: &'a str, kernel: &'a str) -> Tree<'a> {
    Tree { version, kernel, files: &[] }
}

fn deploy(sysroot: Sysroot, commit: &Checksum) -> Result<()> {
    let mut locked = sysroot.lock(PATIENCE)?;
    let commit = verified(locked.repo(), commit);
    let mut options = DeployOptions::new("os", Origin::new(&Refspec::parse(REF).unwrap()));
    options.kernel_args = Some(KernelArgs::parse("quiet"));
    locked.deploy(&commit, &options).map(drop)
}

#[test]
fn a_full_disk_refuses_before_anything_changes() {
    let dir = tempfile::tempdir().unwrap();
    in_namespace("full", dir.path(), "mount -t tmpfs -o size=16m none .");
}

fn full(dir: &Path) {
    let fixture = Fixture::at(dir);
    let [one, two] = ["1", "2"].map(|v| fixture.commit(&big_tree(v, v)));
    deploy(fixture.open(), &one).unwrap();
    let before = bootcheck::check(&fixture.path()).unwrap();
    let count = || Command::new("find").arg(fixture.path()).output().unwrap().stdout;
    let listed = count();
    let stat = nix_free(dir);
    fs::write(dir.join("filler"), vec![0u8; usize::try_from(stat - (1 << 20)).unwrap()]).unwrap();
    let error = deploy(fixture.open(), &two).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
    assert_eq!(count(), listed);
    assert_eq!(bootcheck::check(&fixture.path()).unwrap(), before);
    fs::remove_file(dir.join("filler")).unwrap();
    deploy(fixture.open(), &two).unwrap();
    assert_eq!(bootcheck::check(&fixture.path()).unwrap().len(), 2);
}

fn nix_free(dir: &Path) -> u64 {
    let df = Command::new("df").args(["--output=avail", "-B1"]).arg(dir).output().unwrap().stdout;
    String::from_utf8(df).unwrap().lines().nth(1).unwrap().trim().parse().unwrap()
}

#[test]
fn a_separate_boot_gets_copies() {
    let dir = tempfile::tempdir().unwrap();
    in_namespace("boot", dir.path(), "mkdir -p S/boot; mount -t tmpfs -o size=16m none S/boot");
    free(&dir.path().join("S"));
}

#[test]
fn a_boot_that_is_too_small_refuses_before_anything_changes() {
    let dir = tempfile::tempdir().unwrap();
    in_namespace("small-boot", dir.path(), "mkdir -p S/boot; mount -t tmpfs -o size=2m none S/boot");
    free(&dir.path().join("S"));
}

fn boot(dir: &Path, fits: bool) {
    let fixture = Fixture::at(dir);
    let kernel = "k".repeat(3 << 20);
    let one = fixture.commit(&big_tree("1", &kernel));
    let done = deploy(fixture.open(), &one);
    if !fits {
        let error = done.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NoSpace { path, .. } if path.ends_with("boot")), "{error}");
        assert!(fixture.open().deployments().is_empty());
        assert_eq!(fs::read_dir(fixture.path().join("boot")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(fixture.path().join("ostree/deploy/os/deploy")).unwrap().count(), 0);
        return;
    }
    done.unwrap();
    let boots = bootcheck::check(&fixture.path()).unwrap();
    let folder = fs::read_dir(fixture.path().join("boot/ostree")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::metadata(folder.join("vmlinuz-6.1")).unwrap().nlink(), 1);
    assert_eq!(boots[0].commit, one.to_string());
}

#[test]
fn an_esp_that_is_too_small_refuses_before_anything_changes() {
    let dir = tempfile::tempdir().unwrap();
    in_namespace("full-esp", dir.path(), "mkdir -p S/efi; mount -t tmpfs -o size=2m none S/efi");
    free(&dir.path().join("S"));
}

#[test]
fn a_running_system_with_read_only_mounts_is_written_for_this_process_alone() {
    let fixture = Fixture::new();
    fixture.deploy(&fixture.commit(&big_tree("1", "1")));
    fixture.commit(&big_tree("2", "2"));
    let root = fixture.dir.path().join("root");
    for name in ["sysroot", "boot"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    symlink("sysroot/ostree", root.join("ostree")).unwrap();
    let script = "mount --bind S root/sysroot; mount --bind S/boot root/boot\n\
        mount -o remount,bind,ro root/sysroot; mount -o remount,bind,ro root/boot";
    in_namespace("readonly", fixture.dir.path(), script);
    assert_eq!(bootcheck::check(&fixture.path()).unwrap()[0].title, "Test OS 2 (ostree:0)");
}

fn readonly(dir: &Path) {
    let root = dir.join("root");
    let booted = Sysroot::open(&root).unwrap();
    let two = booted.repo().read_ref(&crate::fixture::keep("2")).unwrap().unwrap();
    let stat = fs::metadata(booted.deployment_path(&booted.deployments()[0])).unwrap();
    assert!(fs::write(root.join("sysroot/x"), "").is_err(), "read-only for others");
    assert!(sysroot::init_stateroot(&root, "other").is_err());
    let running =
        Running { cmdline: "ostree=/x".into(), root: (stat.dev(), stat.ino()), run_dir: dir.join("run") };
    deploy(Sysroot::open_running(&root, running).unwrap(), &two).unwrap();
}
