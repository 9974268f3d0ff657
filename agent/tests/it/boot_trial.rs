//! A trial from the upgrade to its end, with GRUB's own tools as the loader and as the judge.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixture::{Fixture, REF, ostree, text};
use crate::sysroot::{Device, bootable};

pub fn tool(name: &str, package: &str, args: &[&str]) -> String {
    let output = Command::new(name).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}; apt-get install {package}"));
    let all = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{name} {args:?}: {all}");
    all
}

/// A device of state 1 whose loader is GRUB.
pub fn with_grub(fixture: &Fixture) -> (Device<'_>, String) {
    with_loader(fixture, "grub")
}

/// A device whose first state is deployed, with no boot loader in use.
pub fn deployed(fixture: &Fixture) -> (Device<'_>, String) {
    let first = bootable(fixture, 1, 2000);
    let device = Device::new(fixture);
    device.run(&["pull", "origin", REF], 0);
    device.run(&["deploy", "origin:os/main"], 0);
    (device, first)
}

pub fn with_loader<'a>(fixture: &'a Fixture, loader: &str) -> (Device<'a>, String) {
    let (device, first) = deployed(fixture);
    device.run(&["boot", "install", loader], 0);
    device.boots(&first);
    (device, first)
}

/// A device whose second state runs, on trial with a loader that counts nothing.
pub fn on_trial_uncounted(fixture: &Fixture) -> (Device<'_>, String, String) {
    let (device, first) = with_loader(fixture, "extlinux");
    let second = bootable(fixture, 2, 3000);
    device.run(&["upgrade", "--tries=0"], 0);
    device.run(&["boot", "arm", "--anyway"], 0);
    device.boots(&second);
    (device, first, second)
}

pub fn grubenv(device: &Device<'_>) -> PathBuf {
    device.root.join("boot/grub/grubenv")
}

/// What GRUB leaves after it has booted the one on trial, or has no tries left.
pub fn counted(device: &Device<'_>, commit: &str, left: u32) {
    let value = format!("rootling_try={commit}.0:{left}");
    tool("grub-editenv", "grub-common", &[text(&grubenv(device)), "set", &value]);
}

pub fn order(device: &Device<'_>, commits: &[&str]) {
    let status = ostree(&["admin", "status", "--sysroot", text(&device.root)]);
    let places: Vec<_> = commits.iter().map(|commit| status.find(commit)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{commits:?} in {status}");
}

#[test]
fn an_upgrade_is_tried_and_confirmed() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    assert!(device.run(&["boot", "confirm"], 0).contains("nothing is on trial"));
    let second = bootable(&fixture, 2, 3000);
    device.run(&["upgrade", "--tries=2"], 0);
    order(&device, &[&second, &first]);
    let told = device.run(&["boot", "status"], 0);
    assert!(told.contains("grub: up to 9 tries") && told.contains("2 of 2 tries left"), "{told}");
    assert!(told.contains("no deadline outside"), "{told}");
    assert!(
        told.contains("in this build: grub greenboot systemd-boot u-boot extlinux efi raspberry-pi"),
        "{told}"
    );
    assert!(device.run(&["status"], 0).contains("(default, pending, on trial)"));
    assert!(device.run(&["boot", "confirm"], 0).contains("not tried yet"));
    let menu = device.root.join("boot/loader/grub.cfg");
    tool("grub-script-check", "grub-common", &[text(&menu)]);
    tool("grub-script-check", "grub-common", &[text(&device.root.join("boot/grub/grub.cfg"))]);
    let list = fs::read_to_string(&menu).unwrap();
    assert!(list.contains(&format!("rootling_trial={second}.0")), "{list}");
    assert_eq!(list.matches(" rootling.trial panic=10\n").count(), 1, "{list}");

    counted(&device, &second, 1);
    device.boots(&second);
    let json = device.run(&["boot", "status", "--json"], 0);
    assert!(
        json.contains(r#""tries":2,"tries-left":1,"outcome":"on-trial","built-in":[{"loader":"grub"},{"loader":"greenboot"},{"loader":"systemd-boot"},{"loader":"u-boot"},{"loader":"extlinux"},{"loader":"efi"},{"loader":"raspberry-pi"}],"deadline":false,"failed":[]"#),
        "{json}"
    );
    let third = bootable(&fixture, 3, 4000);
    let told = device.run(&["upgrade"], 1);
    assert!(told.contains("on trial itself"), "{told}");
    assert!(device.run(&["boot", "confirm"], 0).contains(&format!("confirmed {second}.0")));
    assert!(device.root.join("run/rootling/confirmed").exists());
    let list = fs::read_to_string(&menu).unwrap();
    assert!(!list.contains("rootling_trial=") && !list.contains("rootling.trial"), "{list}");
    device.run(&["upgrade"], 0);
    order(&device, &[&third, &second]);
    ostree(&["fsck", "--repo", text(&device.root.join("ostree/repo"))]);
}

#[test]
fn what_did_not_prove_itself_is_not_tried_again_by_itself() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    let second = bootable(&fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    counted(&device, &second, 0);
    let told = device.run(&["boot", "confirm"], 0);
    assert!(told.contains("fell back"), "{told}");
    order(&device, &[&first]);
    assert!(!device.tree(&second).exists() || device.run(&["cleanup"], 0).contains(&second));

    let list = device.root.join("ostree/deploy/demo/var/lib/rootling/deny-list");
    let before = fs::read_to_string(&list).unwrap();
    assert!(before.starts_with(&format!("rootling deny list 1\nfailed {second} ")), "{before}");
    for args in [&["upgrade"][..], &["upgrade", "--check"], &["switch", "origin:os/main"]] {
        let told = device.run(args, 77);
        assert!(told.contains("failed on this device"), "{told}");
    }
    assert!(device.run(&["boot", "status"], 0).contains(&second));
    // a later agent may know more words; they stay
    fs::write(&list, format!("{before}later words\n")).unwrap();
    for damage in ["", "rootling deny list 2\n", &before[..before.len() - 1]] {
        fs::write(&list, damage).unwrap();
        device.run(&["upgrade"], 7);
    }
    fs::write(&list, format!("{before}later words\n")).unwrap();
    device.run(&["upgrade", "--retry-failed"], 0);
    counted(&device, &second, 2);
    device.boots(&second);
    device.run(&["boot", "confirm"], 0);
    assert_eq!(fs::read_to_string(&list).unwrap(), "rootling deny list 1\nlater words\n");
}

#[test]
fn a_loader_that_lost_its_state_is_armed_again_and_a_trial_is_taken_back() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    let second = bootable(&fixture, 2, 3000);
    device.run(&["upgrade", "--tries=3"], 0);
    tool("grub-editenv", "grub-common", &[text(&grubenv(&device)), "unset", "rootling_try"]);
    assert!(device.run(&["boot", "confirm"], 0).contains("armed again"));
    let listed = || tool("grub-editenv", "grub-common", &[text(&grubenv(&device)), "list"]);
    assert_eq!(listed(), format!("rootling_try={second}.0:2\n"));
    device.run(&["boot", "fall-back"], 0);
    order(&device, &[&first]);
    assert_eq!(listed(), format!("rootling_try={second}.0:0\n"));
    device.run(&["boot", "fall-back"], 1);
    device.run(&["upgrade"], 77);
}

#[test]
fn what_a_loader_cannot_promise_is_refused_unless_told_so() {
    let fixture = Fixture::unsigned();
    bootable(&fixture, 1, 2000);
    let device = Device::new(&fixture);
    device.run(&["pull", "origin", REF], 0);
    device.run(&["deploy", "origin:os/main"], 0);
    assert!(device.run(&["boot", "status"], 0).contains("counts no boots"));
    assert!(device.run(&["boot", "arm"], 1).contains("no boot loader is managed"));
    device.run(&["boot", "install", "lilo"], 1);
    device.run(&["boot", "install", "extlinux"], 0);
    assert!(device.run(&["status"], 0).contains("counts no boots, no fallback by itself"));
    assert!(device.run(&["upgrade"], 77).contains("nothing new"));
    let second = bootable(&fixture, 2, 3000);
    fixture.server.forget();
    let told = device.run(&["upgrade"], 1);
    assert!(told.contains("does not count boots") && told.contains("--tries=0"), "{told}");
    let fetched = |path: &String| path.ends_with(".filez") || path.ends_with(".dirtree");
    assert!(!fixture.server.seen().iter().any(fetched), "refused before anything is fetched");
    device.run(&["upgrade", "--tries=0"], 0);
    device.run(&["boot", "arm"], 1);
    device.run(&["boot", "arm", "--anyway", "--tries=1"], 0);
    let menu = fs::read_to_string(device.root.join("boot/extlinux/extlinux.conf")).unwrap();
    assert!(menu.contains("panic=10"), "{menu}");
    assert!(device.run(&["boot", "status"], 0).contains(&format!("armed: {second}.0")));
}

#[test]
fn others_files_and_broken_settings_are_left_alone() {
    let fixture = Fixture::unsigned();
    let (device, first) = deployed(&fixture);
    let config = device.root.join("boot/grub/grub.cfg");
    fs::create_dir(config.parent().unwrap()).unwrap();
    fs::write(&config, "menuentry theirs {}\n").unwrap();
    assert!(device.run(&["boot", "install", "grub"], 1).contains("--force"));
    assert!(fs::read_to_string(&config).unwrap().contains("theirs"));
    device.run(&["boot", "install", "grub", "--force"], 0);

    let settings = device.tree(&first).join("etc/rootling/agent.conf");
    write(&settings, "[boot]\nloader=lilo\n");
    assert!(device.run(&["upgrade"], 1).contains("lilo"));
    write(&settings, "[boot]\nlader=grub\n");
    assert!(device.run(&["boot", "status"], 1).contains("[boot] lader: key is not known"));
    write(&settings, "[boot]\nloader=none\n");
    assert!(device.run(&["boot", "status"], 0).contains("no boot loader is managed"));
}

pub fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn a_damaged_environment_stops_an_upgrade_before_it_fetches() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    fs::write(grubenv(&device), "short").unwrap();
    bootable(&fixture, 2, 3000);
    fixture.server.forget();
    for args in [&["upgrade"][..], &["kargs", "--append=x"], &["boot", "status"]] {
        let told = device.run(args, 1);
        assert!(told.contains("grubenv: expected 1024 bytes, got \"5 bytes\""), "{told}");
    }
    assert!(fixture.server.seen().is_empty());
    order(&device, &[&first]);
    device.run(&["status"], 0);
}

/// What only this program opens does not reboot a system in which it does not start.
#[test]
fn a_watchdog_of_the_agents_own_is_no_deadline_outside_of_it() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    let etc = device.tree(&first).join("etc");
    write(&etc.join("rootling/agent.conf"), "[health]\nwatchdog=/dev/watchdog\n");
    let told = device.run(&["boot", "status"], 0);
    assert!(told.contains("no deadline outside"), "{told}");
    let is_there = || !device.run(&["boot", "status"], 0).contains("no deadline outside");
    write(&etc.join("init.d/rootling"), "");
    assert!(is_there());
    fs::remove_file(etc.join("init.d/rootling")).unwrap();
    // a unit that nobody enabled is not started
    let units = etc.join("systemd/system");
    let [timer, service] = ["timer", "service"].map(|end| units.join(format!("rootling-deadline.{end}")));
    write(&timer, "[Timer]\n");
    assert!(!is_there());
    let wants = units.join("sysinit.target.wants");
    fs::create_dir_all(&wants).unwrap();
    symlink("../rootling-deadline.timer", wants.join("rootling-deadline.timer")).unwrap();
    assert!(is_there());
    for unit in [timer, service] {
        fs::remove_file(&unit).ok();
        symlink("/dev/null", &unit).unwrap();
        assert!(!is_there(), "{} is masked", unit.display());
        fs::remove_file(&unit).unwrap();
    }
    fs::remove_dir_all(wants).unwrap();
    for (seconds, starts) in [("0", false), ("60", true)] {
        device.run(
            &[
                "kargs",
                "--delete-if-present=rootling.watchdog",
                &format!("--append=rootling.watchdog={seconds}"),
            ],
            0,
        );
        assert_eq!(is_there(), starts, "{seconds}");
    }
}
