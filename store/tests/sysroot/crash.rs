//! Killed at every system call that changes the disk, at each of which the old or the new list has to boot.
//!
//! A child process (this test program with [`JOB`] in its environment) does the job under `strace`, which kills it at
//! the n-th such call. Then the boot check and `ostree admin status` judge what is there, the job is done again, and
//! nothing may be left over. Without strace in the way the same kills come from a power switch; what a lost write
//! cache adds is tested on the plans in `rootling_boot`.

use crate::bootcheck;
use crate::fixture::{Fixture, Tree, free, verified};
use rootling_object::{Checksum, Refspec};
use rootling_store::sysroot::loader::{Loader, Settings};
use rootling_store::sysroot::{DeployOptions, Origin, Sysroot};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

const JOB: &str = "ROOTLING_TEST_JOB";
/// The calls that change a disk, or make a change durable.
///
/// strace counts each kind of call, and each thread, for itself.
const CALLS: [&str; 20] = [
    "pwrite64",
    "renameat2",
    "rename",
    "symlink",
    "syncfs",
    "fsync",
    "link",
    "linkat",
    "unlink",
    "write",
    "mkdir",
    "unlinkat",
    "rmdir",
    "fchmod",
    "chmod",
    "chown",
    "lchown",
    "ioctl",
    "copy_file_range",
    "utimensat",
];
/// The first of them stand around the commit points: a kill at each one, or at least at more than each `stride`-th.
const CLOSE: usize = 6;

/// More calls of one kind than any job makes.
const CALLS_AT_MOST: usize = 1000;

/// What the child does; in the parent's run of all tests it does nothing.
#[test]
fn child() {
    let Ok(job) = std::env::var(JOB) else { return };
    let (job, rest) = job.split_once(' ').unwrap();
    let (commit, sysroot) = rest.split_once(' ').unwrap();
    let path = Path::new(sysroot);
    let loader = Loader::detect(path, path, &Settings::default()).unwrap();
    let sysroot = Sysroot::open(path).unwrap().with_loader(loader);
    let mut locked = sysroot.lock(Duration::ZERO).unwrap();
    let commit = Checksum::parse_hex(commit).unwrap();
    match job {
        "deploy" if locked.deployments()[0].checksum == commit => {
            drop(locked.cleanup(Default::default()).unwrap())
        }
        "deploy" => {
            let verified = verified(locked.repo(), &commit);
            let options = DeployOptions::new("os", Origin::new(&Refspec::parse("origin:os/main").unwrap()));
            locked.deploy(&verified, &options).unwrap();
        }
        "rollback" if locked.deployments()[0].checksum == commit => {}
        "rollback" => drop(locked.rollback("os").unwrap()),
        "arm" => {
            let tries = locked.promises().unwrap().map_or(3, |promises| promises.usual_tries());
            locked.arm(tries, false).unwrap()
        }
        "confirm" => locked.confirm().unwrap(),
        "fall-back" if locked.deployments().len() == 1 => drop(locked.cleanup(Default::default()).unwrap()),
        "fall-back" => drop(locked.fall_back().unwrap()),
        other => panic!("{other}"),
    }
}

fn run(job: &str, commit: &Checksum, sysroot: &Path, kill_at: Option<(&str, usize)>) -> Output {
    let this = std::env::current_exe().unwrap();
    let mut command = match kill_at {
        None => Command::new(&this),
        Some((call, n)) => {
            let mut command = Command::new("strace");
            let inject = format!("inject={call}:signal=SIGKILL:when={n}");
            command
                .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject])
                .arg(&this);
            command
        }
    };
    let job = format!("{job} {commit} {}", sysroot.display());
    command.args(["--exact", "crash::child", "--test-threads=1", "--nocapture"]).env(JOB, job);
    command.output().expect("strace is needed: apt-get install strace")
}

/// The names of all that lies outside of the repo's objects and of the trees of deployments.
fn outline(sysroot: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![sysroot.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let name = path.strip_prefix(sysroot).unwrap().to_owned();
            let inside = name.components().count() == 6 && name.starts_with("ostree/deploy");
            if entry.file_type().unwrap().is_dir() && !inside && !name.starts_with("ostree/repo/tmp") {
                open.push(path);
            }
            found.insert(name);
        }
    }
    found
}

/// Does `job` with a kill at every `stride`-th call, from the state that `prepare` leaves; returns the kills.
fn kill_everywhere(job: &str, stride: usize, prepare: impl Fn(&Fixture) -> [Checksum; 2]) -> usize {
    kill_and_judge(job, stride, prepare, &|_, _| {})
}

/// As [`kill_everywhere`]; `judge` sees what each kill left, and what would boot from it.
pub fn kill_and_judge(
    job: &str,
    stride: usize,
    prepare: impl Fn(&Fixture) -> [Checksum; 2],
    judge: &dyn Fn(&Path, &[bootcheck::Bootable]),
) -> usize {
    let fixture = Fixture::new();
    let [_, target] = prepare(&fixture);
    let old = bootcheck::check(&fixture.path()).unwrap();
    let copy = fixture.dir.path().join("copy");
    let fresh = || {
        free(&copy);
        let _ = fs::remove_dir_all(&copy);
        assert!(Command::new("cp").arg("-a").arg(fixture.path()).arg(&copy).status().unwrap().success());
    };
    fresh();
    assert!(run(job, &target, &copy, None).status.success());
    let (new, whole) = (bootcheck::check(&copy).unwrap(), outline(&copy));
    assert_ne!(old, new);
    let commits = |list: &[bootcheck::Bootable]| list.iter().map(|b| b.commit.clone()).collect::<Vec<_>>();

    let (mut kills, mut saw_old, mut saw_new, mut done) = (0, false, false, None);
    let strides = CALLS.iter().enumerate().map(|(i, call)| match i {
        0..2 => (*call, 1),
        _ if i < CLOSE => (*call, (stride / 6).max(1)),
        _ => (*call, stride),
    });
    for at in
        strides.flat_map(|(call, stride)| (1..).step_by(stride).map(move |n| (call, n)).take(CALLS_AT_MOST))
    {
        if done == Some(at.0) {
            continue;
        }
        fresh();
        let killed = run(job, &target, &copy, Some(at));
        let boots = bootcheck::check(&copy).unwrap_or_else(|e| panic!("{job} killed at {at:?}: {e}"));
        if killed.status.success() {
            done = Some(at.0);
            continue;
        }
        kills += 1;
        saw_old |= boots == old;
        saw_new |= boots == new;
        assert!(boots == old || boots == new, "{job} killed at {at:?}: {boots:#?}");
        judge(&copy, &boots);
        let at_copy = format!("--sysroot={}", copy.display());
        let status = Command::new("ostree").args(["admin", "status", &at_copy]).output().unwrap();
        let text = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(
            status.status.success() && commits(&boots).iter().all(|c| text.contains(c.as_str())),
            "at {at:?}: {text}"
        );

        let again = run(job, &target, &copy, None);
        assert!(
            again.status.success(),
            "{job} after a kill at {at:?}: {}",
            String::from_utf8_lossy(&again.stderr)
        );
        assert_eq!(commits(&bootcheck::check(&copy).unwrap()), commits(&new), "{job} after a kill at {at:?}");
        judge(&copy, &bootcheck::check(&copy).unwrap());
        let now = outline(&copy);
        let left: Vec<_> = now.difference(&whole).filter(|p| !is_numbered(p)).collect();
        assert!(left.is_empty(), "{job} after a kill at {at:?} left {left:?}");
    }
    println!("{job}: {kills} kills");
    let fsck =
        Command::new("ostree").arg("fsck").arg(format!("--repo={}/ostree/repo", copy.display())).output();
    assert!(fsck.unwrap().status.success());
    free(&copy);
    assert!(saw_old && saw_new, "{kills} kills of {job}: on one side only");
    kills
}

/// Names with a boot version in them: after a second run the other number may be in use.
fn is_numbered(path: &Path) -> bool {
    let text = path.to_string_lossy();
    ["boot/loader.", "ostree/boot.", "refs/heads/ostree/", "efivars/Boot0"]
        .iter()
        .any(|part| text.contains(part))
}

pub fn two(fixture: &Fixture, second_kernel: &str) -> [Checksum; 2] {
    let one = fixture.commit(&Tree { version: "1", kernel: "kernel one", files: &[] });
    let two = fixture.commit(&Tree { version: "2", kernel: second_kernel, files: &[("usr/etc/new", "new")] });
    fixture.deploy(&one);
    fs::write(fixture.etc("plain"), "mine").unwrap();
    [one, two]
}

#[test]
fn a_deployment() {
    let kills = kill_everywhere("deploy", 5, |fixture| two(fixture, "kernel two"));
    assert!(kills > 50, "{kills} kills");
}

#[test]
fn a_rollback() {
    let kills = kill_everywhere("rollback", 3, |fixture| {
        let [one, two] = two(fixture, "kernel two");
        fixture.deploy(&two);
        [two, one]
    });
    assert!(kills > 20, "{kills} kills");
}

#[test]
fn a_rollback_that_only_flips_links() {
    let kills = kill_everywhere("rollback", 3, |fixture| {
        let one = fixture.commit(&Tree { version: "1", kernel: "kernel", files: &[] });
        let folder = fixture.dir.path().join("tree");
        crate::fixture::write_tree(
            &folder,
            &Tree { version: "1", kernel: "kernel", files: &[("usr/x", "x")] },
        );
        let other = crate::fixture::commit_tree(fixture.open().repo(), &folder, "1");
        fixture.open().repo().write_ref(&crate::fixture::keep("one"), Some(&one)).unwrap();
        fixture.deploy(&one);
        fixture.deploy(&other);
        [other, one]
    });
    assert!(kills > 5, "{kills} kills");
}
