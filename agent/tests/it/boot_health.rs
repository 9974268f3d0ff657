//! Health checks of a system on trial: what passes, what fails, what hangs, and the watchdog meanwhile.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use rootling_store::lock::{FileLock, LockKind};

use crate::boot_trial::{counted, with_grub, write};
use crate::fixture::{Fixture, text};
use crate::sysroot::{Device, bootable};

pub fn program(path: &Path, content: &str) {
    write(path, content);
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// A device whose second state runs, on trial.
pub fn on_trial(fixture: &Fixture) -> (Device<'_>, String) {
    let (device, _) = with_grub(fixture);
    let second = bootable(fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    counted(&device, &second, 2);
    device.boots(&second);
    (device, second)
}

#[test]
fn required_checks_decide_and_wanted_ones_are_told() {
    let fixture = Fixture::unsigned();
    let (device, second) = on_trial(&fixture);
    let tree = device.tree(&second);
    let (log, watchdog) = (fixture.dir.path().join("log"), fixture.dir.path().join("watchdog"));
    fs::write(&watchdog, "").unwrap();
    write(&tree.join("etc/rootling/agent.conf"), &format!("[health]\nwatchdog={}\n", watchdog.display()));
    let says = |name: &str, end: &str| format!("#!/bin/sh\necho {name} >> {}\n{end}\n", log.display());
    program(&tree.join("etc/greenboot/check/required.d/10-first"), &says("first", "exit 0"));
    write(&tree.join("etc/greenboot/check/required.d/20-second.sh"), &says("second", "exit 0"));
    write(&tree.join("etc/greenboot/check/required.d/README"), &says("readme", "exit 1"));
    program(&tree.join("etc/greenboot/check/wanted.d/a"), &says("wanted", "exit 3"));
    program(&tree.join("etc/rootling/check.d/own"), &says("own", "exit 4"));
    device.run(&["boot", "check"], 1);
    assert!(fs::read(&watchdog).unwrap().is_empty(), "no check by hand starts or stops it");
    fs::remove_file(&log).unwrap();
    let told = device.run(&["boot", "confirm"], 1);
    assert!(told.contains("own exited with 4") && told.contains("wanted only, failed"), "{told}");
    assert!(device.run(&["boot", "status"], 0).contains("this boot: on-trial"), "not confirmed");
    assert_eq!(fs::read_to_string(&log).unwrap(), "first\nsecond\nown\nwanted\n");
    let written = fs::read(&watchdog).unwrap();
    assert!(
        !written.is_empty() && written.iter().all(|byte| *byte == 0),
        "kept, and not let go: {written:?}"
    );

    program(&tree.join("etc/rootling/check.d/own"), &says("own", "exit 0"));
    let told = device.run(&["boot", "confirm"], 0);
    assert!(told.contains("passed: ") && told.contains("confirmed"), "{told}");
    assert_eq!(fs::read(&watchdog).unwrap().last(), Some(&b'V'), "let go");
}

/// Waits until a killed process is gone, or a zombie that nobody here can collect.
fn ends(pid: &str) {
    let stat = Path::new("/proc").join(pid).join("stat");
    for _ in 0..6000 {
        let state = fs::read_to_string(&stat).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") || state.contains(") X ") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{pid} still runs: {}", fs::read_to_string(&stat).unwrap_or_default());
}

#[test]
fn a_check_that_hangs_is_killed_with_all_it_started() {
    let fixture = Fixture::unsigned();
    let (device, second) = on_trial(&fixture);
    let tree = device.tree(&second);
    let pids = fixture.dir.path().join("pids");
    write(&tree.join("etc/rootling/agent.conf"), "[health]\ncheck-timeout=1\n");
    let hangs = format!("#!/bin/sh\nsleep 1000 >/dev/null 2>&1 &\necho $$ $! > {}\nwait\n", pids.display());
    program(&tree.join("etc/rootling/check.d/hangs"), &hangs);
    // on a machine with much to do a second may be too short for the check to get that far
    let started = loop {
        let told = device.run(&["boot", "check"], 1);
        assert!(told.contains("hangs took longer than 1 s"), "{told}");
        let written = fs::read_to_string(&pids).unwrap_or_default();
        // a line that was cut short by the kill names nobody
        if written.ends_with('\n') {
            break written;
        }
    };
    assert_eq!(started.split_whitespace().count(), 2, "the check and its child: {started:?}");
    started.split_whitespace().for_each(ends);
    fs::remove_file(tree.join("etc/rootling/check.d/hangs")).unwrap();
    std::os::unix::fs::symlink("nowhere", tree.join("etc/rootling/check.d/broken")).unwrap();
    assert!(device.run(&["boot", "check"], 1).contains("broken did not start"));
    device.run(&["boot", "confirm", "--no-check"], 0);
}

#[test]
fn odd_checks_and_folders() {
    let fixture = Fixture::unsigned();
    let (device, second) = on_trial(&fixture);
    let tree = device.tree(&second);
    // greenboot's are bash scripts, with a first line or without
    let script = tree.join("etc/greenboot/check/required.d/a.sh");
    program(&script, "[[ a == a ]] && words=(b c) && test ${words[1]} = c\n");
    fs::create_dir(script.with_file_name("folder.sh")).unwrap();
    write(&tree.join("etc/greenboot/check/wanted.d"), "no folder");
    let told = device.run(&["boot", "check"], 0);
    assert!(told.contains("a.sh") && told.contains("wanted only, failed: "), "{told}");
    assert!(!told.contains("folder.sh"), "{told}");

    let own = tree.join("etc/rootling/check.d");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/nowhere", &own).unwrap();
    assert!(device.run(&["boot", "check"], 1).contains("expected a folder, got a link to none"));
    fs::remove_file(&own).unwrap();

    let pid = fixture.dir.path().join("pid");
    write(&tree.join("etc/rootling/agent.conf"), "[health]\ncheck-timeout=5\n");
    let leaves = format!(
        "#!/usr/bin/perl\nsetpgrp(0, getpgrp(getppid()));\nopen(F, '>', '{}'); print F \"$$\\n\"; close(F); sleep 1000;\n",
        pid.display()
    );
    program(&own.join("leaves"), &leaves);
    assert!(device.run(&["boot", "check"], 1).contains("leaves took longer than 5 s"));
    ends(fs::read_to_string(&pid).unwrap().trim());
}

/// One that was started before the agent is stopped by it in every boot that needs no more proof, and only then.
#[test]
fn a_watchdog_that_was_started_at_boot_is_stopped_once_the_system_is_confirmed() {
    let fixture = Fixture::unsigned();
    let (device, second) = on_trial(&fixture);
    let watchdog = device.root.join("dev/watchdog");
    write(&watchdog, "");
    program(&device.tree(&second).join("etc/rootling/check.d/own"), "#!/bin/sh\nexit 1\n");
    device.run(&["boot", "confirm"], 1);
    assert!(fs::read(&watchdog).unwrap().is_empty(), "not the agent's to feed");
    write(&device.root.join("proc/cmdline"), "quiet rootling.watchdog=60 rootling.trial\n");
    device.run(&["boot", "confirm"], 1);
    let fed = fs::read(&watchdog).unwrap();
    assert!(!fed.is_empty() && fed.iter().all(|byte| *byte == 0), "{fed:?}");
    program(&device.tree(&second).join("etc/rootling/check.d/own"), "#!/bin/sh\nexit 0\n");
    // what cannot be written yet is not proved yet
    let lock = FileLock::try_acquire(&device.root.join("ostree/lock"), LockKind::Exclusive).unwrap();
    let args = ["--sysroot", text(&device.root), "boot", "confirm"];
    fs::write(&watchdog, "").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rootling")).args(args).spawn().unwrap();
    // a device takes each write as it comes, a file one over the other
    let start = std::time::Instant::now();
    while start.elapsed() < std::time::Duration::from_secs(3) {
        assert!(child.try_wait().unwrap().is_none(), "ended while another updater was at work");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let fed = fs::read(&watchdog).unwrap();
    assert!(fed.len() > 2 && !fed.contains(&b'V'), "fed while it waits, and not let go: {fed:?}");
    drop(lock);
    assert!(child.wait().unwrap().success());
    assert_eq!(fs::read(&watchdog).unwrap().last(), Some(&b'V'));
    fs::write(&watchdog, "").unwrap();
    assert!(device.run(&["boot", "confirm"], 0).contains("nothing is on trial"));
    assert_eq!(fs::read(&watchdog).unwrap(), b"V", "a boot with nothing to prove");
    fs::write(&watchdog, "").unwrap();
    write(&device.root.join("sys/class/watchdog/watchdog0/state"), "inactive\n");
    device.run(&["boot", "confirm"], 0);
    assert!(fs::read(&watchdog).unwrap().is_empty(), "started by being opened");
}
