//! A Raspberry Pi on a folder: its firmware is `firmware_pi`, which reads what is there as its documentation says.

use crate::firmware_pi::{autoboot, board, start, would_start};
use crate::loader::Device;
use rootling_boot::loader::{Counting, Outcome, Trial};
use rootling_store::sysroot::loader::{Loader, Settings, Try};
use rootling_store::sysroot::{DeployOptions, Origin, Sysroot};
use std::fs;
use std::path::Path;

/// What boots with or without the flag, by the device's commits.
fn would(device: &Device, tryboot: bool) -> usize {
    let started = would_start(&device.path(""), tryboot).unwrap();
    place(device, &started.tree)
}

fn place(device: &Device, tree: &str) -> usize {
    device.commits.iter().position(|commit| tree == format!("{commit}.0")).unwrap()
}

/// A device that runs the first commit from a slot.
fn device() -> Device {
    let mut device = Device::new(Some("raspberry-pi"));
    board(&device.path(""));
    let loader = device.open(0).loader().unwrap().clone();
    device.lock(0).install(loader, 0).unwrap();
    // found from now on
    device.settings = Settings::default();
    assert_eq!(place(&device, &start(&device.path(""), &mut false).tree), 0);
    device
}

/// What the agent does for a reboot: the flag of the next boot.
fn reboot(device: &Device, booted: usize) -> bool {
    let argument = device.lock(booted).reboot_argument().unwrap();
    assert!(argument.is_none_or(|words| words == "0 tryboot"));
    argument.is_some()
}

#[test]
fn the_other_slot_is_tried_and_confirmed_by_two_numbers() {
    let device = device();
    let root = device.path("");
    let promises = device.open(0).promises().unwrap().unwrap();
    assert_eq!((promises.counting, promises.torn), (Counting::Once, None));
    let config = fs::read_to_string(device.path("boot/slot-b/config.txt")).unwrap();
    assert!(config.starts_with("arm_64bit=1\n# rootling: ") && !config.contains("factory"), "{config}");

    let error = device.deploy(0, 1, 2).unwrap_err().to_string();
    assert!(error.contains("has one try only, asked for 2"), "{error}");
    let slot = fs::read(device.path("boot/slot-b/config.txt")).unwrap();
    device.deploy(0, 1, 1).unwrap();
    assert_eq!((would(&device, false), would(&device, true), device.list()), (0, 1, vec![1, 0]));
    assert_eq!(fs::read(device.path("boot/slot-b/config.txt")).unwrap(), slot, "what boots is not touched");
    let state = device.state(0);
    assert_eq!((state.outcome, state.trial), (Outcome::NotTriedYet, Trial::Left(1)));

    let mut flag = reboot(&device, 0);
    assert_eq!(device.state(0).outcome, Outcome::NotTriedYet, "the reboot is still to come");
    assert!(flag && reboot(&device, 0), "asked for again");
    let started = start(&root, &mut flag);
    assert_eq!((place(&device, &started.tree), started.partition), (1, 2));
    assert!(started.args.contains(" rootling.trial panic=10"), "{}", started.args);
    assert_eq!(started.kernel, b"2");
    assert_eq!(started.initramfs.as_deref(), Some(&b"initramfs"[..]));
    let state = device.state(1);
    assert_eq!((state.outcome, state.trial), (Outcome::OnTrial, Trial::Spent));
    assert!(!reboot(&device, 1), "what runs is not tried again");
    device.lock(1).confirm().unwrap();
    let started = start(&root, &mut flag);
    assert_eq!((place(&device, &started.tree), started.partition), (1, 2));
    assert!(!started.args.contains("rootling.trial") && started.args.ends_with("panic=10"));
    assert_eq!((device.state(1).armed, would(&device, true)), (None, 0));

    device.deploy(1, 2, 1).unwrap();
    device.lock(1).cleanup(Default::default()).unwrap();
    assert_eq!((would(&device, false), would(&device, true)), (1, 2));
    let folders = |slot: &str| fs::read_dir(device.path(slot).join("rootling")).unwrap().count();
    assert_eq!((folders("boot/slot-a"), folders("boot/slot-b")), (1, 1));
    assert!(fs::read_dir(device.path("ostree/links")).unwrap().count() <= device.list().len());
}

#[test]
fn what_is_not_confirmed_is_left_by_itself() {
    let device = device();
    let root = device.path("");
    device.deploy(0, 1, 1).unwrap();
    // a plain reboot by hand is no try
    assert_eq!(place(&device, &start(&root, &mut false).tree), 0);
    assert_eq!(device.state(0).outcome, Outcome::NotTriedYet);
    let mut flag = reboot(&device, 0);
    assert_eq!(place(&device, &start(&root, &mut flag).tree), 1);
    // a panic, a watchdog or a loss of power
    assert_eq!(place(&device, &start(&root, &mut flag).tree), 0);
    let state = device.state(0);
    assert_eq!((state.outcome, state.trial), (Outcome::FellBack, Trial::Spent));
    assert!(!reboot(&device, 0), "one try only");
    device.lock(0).fall_back().unwrap();
    device.lock(0).cleanup(Default::default()).unwrap();
    assert_eq!((would(&device, false), device.list()), (0, vec![0]));
    assert_eq!(fs::read_dir(device.path("ostree/links")).unwrap().count(), 1);
    assert_eq!(device.state(0).armed, None);
    // taken back before it was tried
    device.deploy(0, 2, 1).unwrap();
    device.lock(0).fall_back().unwrap();
    assert!(!reboot(&device, 0));
    assert_eq!(would(&device, false), 0);
}

#[test]
fn without_a_trial_and_back_the_numbers_follow_the_list() {
    let device = device();
    let root = device.path("");
    device.deploy_as(0, 1, Try::Keep).unwrap();
    assert_eq!((would(&device, false), would(&device, true)), (1, 0));
    assert!(!reboot(&device, 0), "nothing to try");
    assert_eq!(place(&device, &start(&root, &mut false).tree), 1);
    device.lock(1).rollback("os").unwrap();
    assert_eq!((would(&device, false), would(&device, true)), (0, 1));
    // armed though it boots already: what runs boots again
    device.lock(0).set_default(&device.open(0).deployments()[1].clone()).unwrap();
    assert_eq!(would(&device, false), 1);
    device.lock(0).arm(1, false).unwrap();
    assert_eq!((would(&device, false), would(&device, true)), (0, 1));
    assert_eq!(device.state(0).trial, Trial::Left(1));
    let error = device.lock(0).undeploy(1).unwrap_err().to_string();
    assert!(error.contains("booted"), "{error}");
    // numbers of which only one was written: the other slot is still the spare one
    let partition = would_start(&root, false).unwrap().partition;
    autoboot(&root, partition, partition);
    device.deploy_as(0, 2, Try::Keep).unwrap();
    assert_eq!((would(&device, false), would(&device, true)), (2, 0));
}

#[test]
fn a_confirm_that_was_cut_after_the_numbers_is_finished() {
    let device = device();
    let root = device.path("");
    device.deploy(0, 1, 1).unwrap();
    let mut flag = reboot(&device, 0);
    let partition = start(&root, &mut flag).partition;
    autoboot(&root, partition, 5 - partition);
    assert_eq!(place(&device, &start(&root, &mut false).tree), 1);
    let state = device.state(1);
    assert_eq!((state.outcome, state.trial), (Outcome::OnTrial, Trial::None));
    device.lock(1).confirm().unwrap();
    assert_eq!((would(&device, false), device.state(1).armed), (1, None));
}

#[test]
fn nothing_is_written_where_it_would_not_be_read() {
    let device = device();
    let root = device.path("");
    let mounts = fs::read_to_string(device.path("proc/self/mountinfo")).unwrap();
    let firmware = device.path("boot/firmware/autoboot.txt");
    let text = fs::read_to_string(&firmware).unwrap();
    let refused = |part: &str| {
        for settings in [None, Some("raspberry-pi")] {
            let settings = Settings { loader: settings.map(String::from), ..Settings::default() };
            let error = Loader::detect(&root, &root, &settings).unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    };
    let unmounted: String =
        mounts.lines().filter(|l| !l.contains("slot-a")).map(|l| format!("{l}\n")).collect();
    fs::write(device.path("proc/self/mountinfo"), unmounted).unwrap();
    refused(
        "autoboot.txt: expected boot_partition of a mounted partition, got \"2, mounted are 3 at boot/slot-b",
    );
    fs::write(device.path("proc/self/mountinfo"), &mounts).unwrap();
    for (hostile, part) in [
        (text.replace("tryboot_a_b=1\n", ""), "expected tryboot_a_b=1"),
        (text.replace("=2\n", "=4294967296\n"), "boot_partition=NUMBER"),
        (text.replace("[tryboot]", "[none]").replace("=3", "=9"), "a mounted partition, got \"9"),
        (format!("{text}#{}\n", "x".repeat(512)), "expected 512 bytes at most"),
        (String::new(), "expected tryboot_a_b=1"),
    ] {
        fs::write(&firmware, hostile).unwrap();
        refused(part);
    }
    fs::write(&firmware, [0xff, 0xfe]).unwrap();
    refused("autoboot.txt");
    fs::write(&firmware, text).unwrap();
    fs::write(device.path("proc/device-tree/chosen/bootloader/tryboot"), "1").unwrap();
    refused("expected 4 bytes, got \"1 bytes\"");
}

#[test]
fn a_slot_without_firmware_is_not_taken_into_use() {
    let device = Device::new(Some("raspberry-pi"));
    board(&device.path(""));
    fs::remove_file(device.path("boot/slot-b/start4.elf")).unwrap();
    let loader = device.open(0).loader().unwrap().clone();
    let error = device.lock(0).install(loader, 0).unwrap_err().to_string();
    assert!(error.contains("slot-b: expected start4.elf as in boot/slot-a, got none"), "{error}");
    assert!(!device.path("ostree/links").exists());
    assert_eq!(
        fs::read_to_string(device.path("boot/slot-a/config.txt")).unwrap(),
        "arm_64bit=1\nkernel=factory.img\n"
    );
}

/// Also those of a vendor's folder; the tree's own config.txt comes before that of the slot.
#[test]
fn device_trees_travel_with_the_deployment() {
    use crate::fixture::Tree;
    let mut device = device();
    let folder = "usr/lib/modules/6.1/dtb";
    let files: Vec<(String, &str)> = [
        ("broadcom/bcm2711-rpi-4-b.dtb", "tree of 2"),
        ("allwinner/sun50i.dtb", "not ours"),
        ("overlays/README", "here"),
    ]
    .map(|(name, text)| (format!("{folder}/{name}"), text))
    .into();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    files.push(("usr/lib/ostree-boot/config.txt", "dtoverlay=mine\n"));
    device.commits[1] = device.fixture.commit(&Tree { version: "9", kernel: "9", files: &files });
    device.deploy(0, 1, 1).unwrap();
    let started = would_start(&device.path(""), true).unwrap();
    assert_eq!(started.device_tree.as_deref(), Some(&b"tree of 2"[..]));
    assert_eq!(started.kernel, b"9");
    let config = fs::read_to_string(device.path("boot/slot-a/config.txt")).unwrap();
    assert!(config.starts_with("dtoverlay=mine\n# rootling: "), "{config}");
    let inside =
        crate::loader::tool("find", "findutils", &[device.path("boot/slot-a/rootling").to_str().unwrap()]);
    assert!(inside.contains("overlays/README") && !inside.contains("sun50i"), "{inside}");
}

fn lock(path: &Path, name: Option<&str>) -> rootling_store::sysroot::Locked {
    let settings = Settings { loader: name.map(String::from), ..Settings::default() };
    let loader = Loader::detect(path, path, &settings).unwrap();
    Sysroot::open(path).unwrap().with_loader(loader).lock(crate::fixture::PATIENCE).unwrap()
}

/// Version 1 boots from a slot; version 2 is a commit only.
fn prepare(fixture: &crate::fixture::Fixture) -> [rootling_object::Checksum; 2] {
    let commits = crate::crash::two(fixture, "kernel two");
    board(&fixture.path());
    let mut locked = lock(&fixture.path(), Some("raspberry-pi"));
    let loader = locked.loader().unwrap().clone();
    locked.install(loader, 0).unwrap();
    commits
}

fn deploy(fixture: &crate::fixture::Fixture, commit: &rootling_object::Checksum, trial: Try) {
    let mut locked = lock(&fixture.path(), None);
    let commit = crate::fixture::verified(locked.repo(), commit);
    let refspec = rootling_object::Refspec::parse("origin:os/main").unwrap();
    let mut options = DeployOptions::new("os", Origin::new(&refspec));
    options.trial = trial;
    locked.deploy(&commit, &options).unwrap();
}

fn armed(fixture: &crate::fixture::Fixture) -> [rootling_object::Checksum; 2] {
    let commits = prepare(fixture);
    deploy(fixture, &commits[1], Try::Arm { tries: 1, anyway: false });
    let flag = lock(&fixture.path(), None).reboot_argument().unwrap().is_some();
    start(&fixture.path(), &mut { flag });
    commits
}

/// Killed at every call that changes the disk; what would boot then, and what a reboot by the agent would try.
fn kill(
    job: &str,
    stride: usize,
    made: fn(&crate::fixture::Fixture) -> [rootling_object::Checksum; 2],
    may: &[u8],
) {
    let kills = crate::crash::kill_and_judge(job, stride, made, &|sysroot, boots| {
        let version = |tryboot: bool| {
            let started = would_start(sysroot, tryboot);
            started.map(|started| {
                let boot = boots.iter().find(|boot| boot.path.ends_with(&started.tree)).expect("on the list");
                let kernel = if boot.title.starts_with("Test OS 2 ") { "kernel two" } else { "kernel one" };
                assert_eq!(started.kernel, kernel.as_bytes(), "{boot:?}");
                boot.title.as_bytes()["Test OS ".len()]
            })
        };
        let plain = version(false).unwrap();
        assert!(may.contains(&plain), "{job}: {plain} boots");
        let armed = sysroot.join("boot/loader/rootling-trial").exists();
        assert!(!armed || plain != b'2' || job == "confirm", "{job}: the new one boots untried");
        if lock(sysroot, None).reboot_argument().unwrap().is_some() {
            assert_eq!(version(true), Ok(b'2'), "{job}");
        }
    });
    assert!(kills > 12, "{kills} kills");
}

#[test]
fn killed_while_deploying_without_a_trial() {
    kill("deploy", 8, prepare, b"12");
}

#[test]
fn killed_while_arming() {
    let made = |fixture: &crate::fixture::Fixture| {
        let commits = prepare(fixture);
        deploy(fixture, &commits[1], Try::Keep);
        commits
    };
    kill("arm", 12, made, b"12");
}

#[test]
fn killed_while_confirming() {
    kill("confirm", 12, armed, b"12");
}

#[test]
fn killed_while_falling_back() {
    kill("fall-back", 12, armed, b"1");
}

#[test]
fn killed_while_rolling_back() {
    let made = |fixture: &crate::fixture::Fixture| {
        let [one, two] = prepare(fixture);
        deploy(fixture, &two, Try::Keep);
        [two, one]
    };
    kill("rollback", 8, made, b"12");
}
