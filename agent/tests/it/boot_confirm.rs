//! What `boot confirm` does where a loader counts nothing, or no longer, and beside another updater.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rootling_store::lock::{FileLock, LockKind};

use crate::boot_health::{on_trial, program};
use crate::boot_pi::as_root;
use crate::boot_trial::{deployed, grubenv, on_trial_uncounted, order, tool, with_grub, write};
use crate::fixture::{Fixture, REF, text};
use crate::sysroot::{Device, bootable};

const FAILS: &str = "#!/bin/sh\nexit 1\n";

#[test]
fn a_failed_check_where_nothing_counts_goes_back_at_once() {
    let fixture = Fixture::unsigned();
    let (device, first, second) = on_trial_uncounted(&fixture);
    program(&device.tree(&second).join("etc/rootling/check.d/own"), FAILS);
    let told = device.run(&["boot", "confirm"], 1);
    assert!(told.contains("own exited with 1") && told.contains(&format!("{first}.0 boots next")), "{told}");
    order(&device, &[&first, &second]);
    assert!(!device.root.join("run/rootling/confirmed").exists());
    let menu = fs::read_to_string(device.root.join("boot/extlinux/extlinux.conf")).unwrap();
    assert!(!menu.contains("panic="), "{menu}");

    device.boots(&first);
    assert!(device.run(&["boot", "confirm"], 0).contains("nothing is on trial"));
    assert!(device.run(&["upgrade", "--tries=0"], 77).contains("failed on this device"));
}

#[test]
fn a_confirm_that_was_cut_is_judged_again_and_finished() {
    let fixture = Fixture::unsigned();
    let (device, second) = on_trial(&fixture);
    let ran = fixture.dir.path().join("ran");
    let check = format!("#!/bin/sh\necho >{}\n", ran.display());
    program(&device.tree(&second).join("etc/rootling/check.d/own"), &check);
    let value = format!("rootling_try={second}.0:good");
    tool("grub-editenv", "grub-common", &[text(&grubenv(&device)), "set", &value]);
    assert!(device.run(&["boot", "confirm"], 0).contains(&format!("confirmed {second}.0")));
    assert!(ran.exists() && device.root.join("run/rootling/confirmed").exists());
    let menu = fs::read_to_string(device.root.join("boot/loader/grub.cfg")).unwrap();
    assert!(!menu.contains("rootling_trial="), "{menu}");
}

#[test]
fn an_entry_that_is_only_renamed_does_not_say_trial_for_ever() {
    let fixture = Fixture::unsigned();
    let (device, first) = deployed(&fixture);
    device.boots(&first);
    fs::create_dir_all(device.root.join("efi/loader/entries")).unwrap();
    device.run(&["boot", "install", "systemd-boot"], 0);
    let second = bootable(&fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    let entries = device.root.join("efi/loader/entries");
    fs::rename(entries.join("ostree-2+03-00.conf"), entries.join("ostree-2+02-01.conf")).unwrap();
    device.boots(&second);
    device.run(&["boot", "confirm"], 0);
    let entry = fs::read_to_string(entries.join("ostree-2.conf")).unwrap();
    assert!(entry.contains(" panic=10") && !entry.contains("rootling.trial"), "{entry}");
}

#[test]
fn greenboots_grub_boots_entries_that_say_what_is_on_trial() {
    let fixture = Fixture::unsigned();
    let first = bootable(&fixture, 1, 2000);
    let device = Device::new(&fixture);
    device.run(&["pull", "origin", REF], 0);
    device.run(&["deploy", "origin:os/main", "--karg=panic=0"], 0);
    device.boots(&first);
    let env = device.root.join("boot/grub2/grubenv");
    fs::create_dir_all(env.parent().unwrap()).unwrap();
    tool("grub-editenv", "grub-common", &[text(&env), "create"]);
    tool("grub-editenv", "grub-common", &[text(&env), "set", "boot_success=1"]);
    let second = bootable(&fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    let entry = |number: u32| {
        fs::read_to_string(device.root.join(format!("boot/loader/entries/ostree-{number}.conf"))).unwrap()
    };
    // of two the kernel takes the last
    let marks = |text: &str| text.contains("panic=0 ") && text.contains(" rootling.trial panic=10");
    assert!(marks(&entry(2)) && !entry(1).contains("trial"), "{}\n{}", entry(2), entry(1));
    assert!(!device.run(&["kargs"], 0).contains("trial"), "no argument of the deployment's own");
    // a change of the list that leaves it first leaves it marked
    device.run(&["pin", "1"], 0);
    device.run(&["cleanup"], 0);
    assert!(marks(&entry(2)), "{}", entry(2));
    tool("grub-editenv", "grub-common", &[text(&env), "set", "boot_counter=2"]);
    device.boots(&second);
    device.run(&["boot", "confirm"], 0);
    assert!(entry(2).contains("panic=0") && !entry(2).contains("rootling.trial"), "{}", entry(2));
    assert!(!entry(2).contains("panic=10"), "{}", entry(2));
}

/// `boot confirm` while another updater holds the lock.
fn confirming(device: &Device<'_>) -> (Child, FileLock) {
    let lock = FileLock::try_acquire(&device.root.join("ostree/lock"), LockKind::Exclusive).unwrap();
    let args = ["--sysroot", text(&device.root), "boot", "confirm"];
    (Command::new(env!("CARGO_BIN_EXE_rootling")).args(args).spawn().unwrap(), lock)
}

/// Whether something is so before the program ends, or then.
fn by_the_end(child: &mut Child, mut so: impl FnMut() -> bool) -> bool {
    while child.try_wait().unwrap().is_none() {
        if so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    so()
}

#[test]
fn a_confirm_waits_for_another_updater() {
    let fixture = Fixture::unsigned();
    let (device, second) = on_trial(&fixture);
    assert!(device.run(&["upgrade", "--download-only"], 1).contains("on trial itself"));
    let confirmed = device.root.join("run/rootling/confirmed");
    let (mut child, lock) = confirming(&device);
    let start = Instant::now();
    assert!(by_the_end(&mut child, || start.elapsed() > Duration::from_secs(3)), "gave up");
    assert!(!confirmed.exists());
    drop(lock);
    assert!(child.wait().unwrap().success());
    assert!(confirmed.exists() && !device.run(&["boot", "status"], 0).contains(&second));
}

#[test]
fn a_good_system_is_marked_whatever_else_is_at_work_or_broken() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    let confirmed = device.root.join("run/rootling/confirmed");
    let (mut child, lock) = confirming(&device);
    assert!(by_the_end(&mut child, || confirmed.exists()), "not marked");
    assert!(child.try_wait().unwrap().is_none(), "marked only after the lock");
    drop(lock);
    assert!(child.wait().unwrap().success());

    fs::remove_file(&confirmed).unwrap();
    fs::write(device.root.join("boot/grubenv"), "short").unwrap();
    let settings = device.tree(&first).join("etc/rootling/agent.conf");
    write(&settings, "[boot]\nloader=greenboot\ngrubenv=boot/grubenv\n");
    device.run(&["boot", "confirm"], 0);
    assert!(confirmed.exists());
}

#[test]
fn a_failed_system_is_left_even_where_it_cannot_be_taken_off_the_menu() {
    let fixture = Fixture::unsigned();
    let (device, _, second) = on_trial_uncounted(&fixture);
    fs::create_dir_all(device.root.join("run/rootling")).unwrap();
    let tree = format!("/ostree/deploy/demo/deploy/{second}.0");
    symlink(tree, device.root.join("run/rootling/root")).unwrap();
    let check = "#!/bin/sh\n/bin/rm /ostree/lock\n/bin/ln -s /no/where /ostree/lock\nexit 1\n";
    program(&device.root.join("etc/rootling/check.d/own"), check);
    write(&device.root.join("dev/null"), "");
    let (done, asked) = as_root(&device, "ostree=/x\n", &["boot", "confirm", "--reboot"], true);
    assert_eq!((done, asked.as_str()), (false, "<reboot>\n"));
}

/// A boot that started it has nothing to prove, or has proved it: no other fault is a reason to be reset.
#[test]
fn a_watchdog_is_let_go_whatever_else_is_wrong() {
    let fixture = Fixture::unsigned();
    let (device, second) = on_trial(&fixture);
    let (watchdog, confirmed) =
        (device.root.join("dev/watchdog"), device.root.join("run/rootling/confirmed"));
    let settings = device.tree(&second).join("etc/rootling/agent.conf");
    write(&device.root.join("proc/cmdline"), "rootling.watchdog=60 rootling.trial\n");
    write(&watchdog, "");
    write(&settings, "[boot]\nlader=grub\n");
    device.run(&["boot", "confirm"], 1);
    assert!(!confirmed.exists() && fs::read(&watchdog).unwrap().is_empty(), "on trial");

    fs::remove_file(&settings).unwrap();
    write(&device.root.join("ostree/deploy/demo/var/lib/rootling/deny-list"), "damaged");
    assert!(device.run(&["boot", "confirm"], 0).contains("deny-list: expected"));
    assert_eq!(fs::read(&watchdog).unwrap().last(), Some(&b'V'));
    fs::remove_file(&confirmed).unwrap();

    fs::write(&watchdog, "").unwrap();
    write(&settings, "[boot]\nlader=grub\n");
    assert!(device.run(&["boot", "confirm"], 1).contains("[boot] lader: key is not known"));
    assert_eq!(fs::read(&watchdog).unwrap(), b"V");
    assert!(confirmed.exists());
}
