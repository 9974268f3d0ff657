//! An upgrade killed with SIGKILL at 200 points, and run again.
//!
//! Half of the kills come from a timer, at a moment spread evenly over the length of the shortest upgrade yet seen, as what
//! else the machine does makes one longer than another; half come from strace, at the n-th call of one kind. After each, the old or the new deployment boots, judged by a
//! checker that shares no code with the store and by `ostree admin status`; then the upgrade completes.

use crate::bootcheck;
use crate::common::device::{Publisher, Sysroot, copy, install, outcome, remove, rootling, write_os};
use crate::common::{ostree, run};
use rootling_object::Checksum;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const BY_TIME: usize = 100;
const BY_CALL: usize = 100;
/// Calls that change a disk or make a change durable.
const CALLS: &[&str] = &[
    "rename",
    "write",
    "linkat",
    "link",
    "symlink",
    "syncfs",
    "fsync",
    "fdatasync",
    "unlink",
    "mkdir",
    "rmdir",
    "fchmod",
    "chown",
    "unlinkat",
    "utimensat",
];

/// A fixed sequence, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % end.max(1)
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Kill {
    /// After so many thousandths of the upgrade.
    After(u32),
    AtCall(&'static str, usize),
}

pub(crate) struct Case {
    pub(crate) template: std::path::PathBuf,
    pub(crate) old: Checksum,
    pub(crate) new: Checksum,
    /// What is killed, and then must complete.
    pub(crate) upgrade: &'static [&'static str],
    /// At which calls.
    pub(crate) calls: &'static [&'static str],
}

#[test]
fn old_or_new_boots_after_a_kill_anywhere_and_the_next_run_completes() {
    let publisher = Publisher::new();
    let (tree, template) = (publisher.dir.path().join("tree"), publisher.dir.path().join("template"));
    write_os(&tree, 1, 240);
    let old = publisher.publish(&tree, "1", 0);
    install(&publisher, &template);
    let template_guard = Sysroot(template.clone());
    write_os(&tree, 2, 240);
    let new = publisher.publish(&tree, "2", 60);
    let case = Case { template, old, new, upgrade: &["upgrade"], calls: CALLS };

    let (hit, [booted_old, booted_new]) = storm(&case, publisher.dir.path(), BY_TIME, BY_CALL);
    println!("{} kills, {hit} hit; {booted_old} boot the old, {booted_new} the new", BY_TIME + BY_CALL);
    assert!(hit * 10 >= (BY_TIME + BY_CALL) * 7, "too few kills came before the end");
    assert!(
        booted_old >= 20 && booted_new >= 5,
        "kills on one side only: {booted_old} old, {booted_new} new"
    );
    drop(template_guard);
}

/// Kills the upgrade again and again; how many kills came in time, and how often the old and the new boot after one.
pub(crate) fn storm(case: &Case, dir: &Path, by_time: usize, by_call: usize) -> (usize, [usize; 2]) {
    let (length, counts) = undisturbed(case, dir);
    let mut random = Random(20_261_125);
    let mut kills: Vec<Kill> = (0..by_time).map(|_| Kill::After(random.below(1000) as u32)).collect();
    let kinds: Vec<_> = case.calls.iter().zip(&counts).filter(|(_, count)| **count > 0).collect();
    for number in 0..by_call {
        let (call, count) = kinds[number % kinds.len()];
        kills.push(Kill::AtCall(call, 1 + random.below(*count as u64) as usize));
    }

    let (next, died) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (boots, length) = (Mutex::new([0usize; 2]), Mutex::new(length));
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let (case, kills, next, died, boots, length) = (case, &kills, &next, &died, &boots, &length);
            let place = dir.join(format!("device-{worker}"));
            scope.spawn(move || {
                while let Some(kill) = kills.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (was_killed, is_new) = one(case, &place, kill, length);
                    died.fetch_add(usize::from(was_killed), Ordering::Relaxed);
                    boots.lock().unwrap()[usize::from(is_new)] += 1;
                }
            });
        }
    });
    (died.into_inner(), boots.into_inner().unwrap())
}

/// How long an upgrade takes, and how often it makes each of its calls on its main thread.
fn undisturbed(case: &Case, dir: &Path) -> (Duration, Vec<usize>) {
    let device = dir.join("undisturbed");
    copy(&case.template, &device);
    let start = Instant::now();
    run(&mut rootling(&device, case.upgrade));
    let length = start.elapsed();
    remove(&device);
    copy(&case.template, &device);
    let log = dir.join("calls");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", &format!("trace={}", case.calls.join(",")), "-o"]).arg(&log);
    let agent = rootling(&device, case.upgrade);
    run(command.arg(agent.get_program()).args(agent.get_args()));
    remove(&device);
    let log = std::fs::read_to_string(&log).unwrap();
    let main = log.split_whitespace().next().unwrap().to_owned();
    let counts = case.calls.iter().map(|call| {
        log.lines().filter(|line| line.starts_with(&main) && line.contains(&format!(" {call}("))).count()
    });
    (length, counts.collect())
}

/// One kill; whether it came in time, and whether the new deployment boots after it.
fn one(case: &Case, device: &Path, kill: &Kill, length: &Mutex<Duration>) -> (bool, bool) {
    copy(&case.template, device);
    let guard = Sysroot(device.to_owned());
    let was_killed = killed(case, device, kill, length);
    let context = |what: &str| format!("{what} after {kill:?}");
    let boots =
        bootcheck::check(device).unwrap_or_else(|error| panic!("{}: {error}", context("nothing boots")));
    let first = boots[0].commit.clone();
    assert!(
        first == case.old.to_string() || first == case.new.to_string(),
        "{}: {first}",
        context("another boots")
    );
    assert!(
        boots.iter().any(|boot| boot.commit == case.old.to_string()),
        "{}",
        context("the old one is gone")
    );
    let status =
        run(Command::new("ostree").args(["admin", "status"]).arg(format!("--sysroot={}", device.display())));
    assert!(status.contains(&first), "{}: {status}", context("ostree sees another"));

    let (code, said) = outcome(&mut rootling(device, case.upgrade));
    assert!(matches!(code, Some(0 | 77)), "{}: {code:?} {said}", context("second run"));
    let boots = bootcheck::check(device).unwrap_or_else(|error| panic!("{}: {error}", context("second run")));
    assert_eq!(boots[0].commit, case.new.to_string(), "{}", context("second run"));
    let (code, said) = outcome(&mut rootling(device, &["fsck"]));
    assert_eq!(code, Some(0), "{}: {said}", context("fsck"));
    ostree(&device.join("ostree/repo"), &["fsck", "--quiet"]);
    drop(guard);
    (was_killed, first == case.new.to_string())
}

fn killed(case: &Case, device: &Path, kill: &Kill, length: &Mutex<Duration>) -> bool {
    let agent = rootling(device, case.upgrade);
    match kill {
        Kill::After(part) => {
            let delay = *length.lock().unwrap() * *part / 1000;
            let mut command = Command::new(agent.get_program());
            command.args(agent.get_args()).stdout(Stdio::null()).stderr(Stdio::null());
            let start = Instant::now();
            let mut child = command.spawn().unwrap();
            while start.elapsed() < delay {
                if child.try_wait().unwrap().is_some() {
                    let mut length = length.lock().unwrap();
                    *length = start.elapsed().min(*length);
                    break;
                }
                std::thread::sleep(Duration::from_micros(200));
            }
            child.kill().unwrap();
            child.wait().unwrap().code().is_none()
        }
        Kill::AtCall(call, number) => {
            let inject = format!("inject={call}:signal=SIGKILL:when={number}");
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
            let status = command.arg(agent.get_program()).args(agent.get_args());
            !status.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
        }
    }
}
