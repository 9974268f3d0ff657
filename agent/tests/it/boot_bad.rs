//! Loaders whose state is damaged, full, read-only or missing: a clear error, nothing written, the same default.
//!
//! `boot_efi` has the variables that are missing, `boot_trial` the settings that name no loader.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::boot_trial::{deployed, grubenv, order, tool, with_grub, with_loader, write};
use crate::fixture::{Fixture, text};
use crate::sysroot::{Device, bootable};

const ENV_SIZE: &str = "0x2000";

/// All that boots or is asked when booting, with its bytes: names of deployments, links, menus, entries, environments.
fn boots(root: &Path) -> String {
    let script =
        "find boot efi -type f -exec sha256sum {} + | sort -k2; find boot efi -printf '%p %y %l\\n' | sort
        find ostree -maxdepth 1 -name 'boot.*' -printf '%p %l\\n' | sort; ls ostree/deploy/demo/deploy";
    let output =
        Command::new("sh").args(["-ec", &format!("mkdir -p efi; {script}")]).current_dir(root).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// An upgrade fails with `reason` and leaves everything as it was.
fn refuses(device: &Device<'_>, first: &str, code: i32, reason: &str) {
    let before = boots(&device.root);
    for args in [&["upgrade"][..], &["kargs", "--append=x"]] {
        let told = device.run(args, code);
        assert!(told.contains(reason), "expected {reason:?}, got {told}");
        assert_eq!(boots(&device.root), before, "{reason}");
    }
    assert!(before.contains(first), "{before}");
}

/// A device of state 1 whose U-Boot has two copies of its environment in files, and state 2 to come.
fn with_u_boot(fixture: &Fixture) -> (Device<'_>, String, [PathBuf; 2]) {
    let found = u_boot_found(fixture);
    found.0.run(&["boot", "install", "u-boot"], 0);
    found
}

/// The same, where nobody but the environment itself says that it is in use.
fn u_boot_found(fixture: &Fixture) -> (Device<'_>, String, [PathBuf; 2]) {
    let (device, first) = deployed(fixture);
    let copies = ["boot/uboot-0.env", "boot/uboot-1.env"];
    let variables = fixture.dir.path().join("variables");
    fs::write(&variables, "altbootcmd=run second\n").unwrap();
    let mut config = String::new();
    for copy in copies {
        let path = device.root.join(copy);
        tool("mkenvimage", "u-boot-tools", &["-r", "-s", ENV_SIZE, "-o", text(&path), text(&variables)]);
        config.push_str(&format!("/{copy} 0 {ENV_SIZE}\n"));
    }
    write(&device.tree(&first).join("etc/fw_env.config"), &config);
    device.boots(&first);
    bootable(fixture, 2, 3000);
    let copies = copies.map(|copy| device.root.join(copy));
    (device, first, copies)
}

/// What U-Boot's own tool reads from both copies.
fn printenv(fixture: &Fixture, copies: &[PathBuf; 2], name: &str) -> String {
    let config = fixture.dir.path().join("fw_env.config");
    let lines: String = copies.iter().map(|copy| format!("{} 0 {ENV_SIZE}\n", copy.display())).collect();
    fs::write(&config, lines).unwrap();
    tool("fw_printenv", "libubootenv-tool", &["-c", text(&config), name])
}

#[test]
fn one_damaged_copy_of_an_environment_is_made_good_and_two_are_refused() {
    let fixture = Fixture::unsigned();
    let (device, first, copies) = with_u_boot(&fixture);
    let good = fs::read(&copies[0]).unwrap();
    for damage in [&[0xff; 0x2000][..], &[0; 0x2000], &[&good[..4], &[9; 0x1ffc]].concat()] {
        copies.iter().for_each(|copy| fs::write(copy, damage).unwrap());
        refuses(&device, &first, 1, "expected one good copy of two");
    }
    for size in [0, 7, 0x1fff] {
        copies.iter().for_each(|copy| fs::write(copy, &good[..size]).unwrap());
        refuses(&device, &first, 1, &format!("expected 8192 bytes at 0, got {size}"));
    }
    fs::remove_file(&copies[1]).unwrap();
    fs::write(&copies[0], &good).unwrap();
    refuses(&device, &first, 1, "uboot-1.env");

    let mut damaged = good.clone();
    damaged[100] ^= 1;
    fs::write(&copies[1], &damaged).unwrap();
    device.run(&["upgrade", "--tries=2"], 0);
    assert_ne!(fs::read(&copies[1]).unwrap(), damaged);
    assert_eq!(printenv(&fixture, &copies, "bootlimit"), "bootlimit=2\n");
    fs::write(&copies[0], damaged).unwrap();
    assert_eq!(printenv(&fixture, &copies, "upgrade_available"), "upgrade_available=1\n");
}

#[test]
fn a_u_boot_that_was_found_by_itself_is_not_lost_with_its_environment() {
    let fixture = Fixture::unsigned();
    let (device, first, copies) = u_boot_found(&fixture);
    let good = fs::read(&copies[0]).unwrap();
    let fill = |bytes: &[u8]| copies.iter().for_each(|copy| fs::write(copy, bytes).unwrap());
    // no list was made for it yet: what was never saved is no loader, what is damaged is one
    for never in [&[0xff; 0x2000][..], &[0; 0x2000]] {
        fill(never);
        assert!(device.run(&["boot", "status"], 0).contains("no boot loader is managed"));
    }
    fill(&good[..0x1fff]);
    refuses(&device, &first, 1, "expected 8192 bytes at 0, got 8191");
    device.run(&["status"], 0);
    fill(&good);
    device.run(&["upgrade", "--tries=2"], 0);
    device.run(&["boot", "fall-back"], 0);
    assert!(device.root.join("boot/loader/uEnv.txt").exists());
    device.run(&["cleanup"], 0);

    bootable(&fixture, 3, 4000);
    for damage in [&[0xff; 0x2000][..], &[0; 0x2000], &[&good[..4], &[9; 0x1ffc]].concat()] {
        fill(damage);
        refuses(&device, &first, 1, "expected one good copy of two");
    }
    copies.iter().for_each(|copy| fs::remove_file(copy).unwrap());
    refuses(&device, &first, 1, "uboot-0.env");
    let config = device.tree(&first).join("etc/fw_env.config");
    let good_config = fs::read(&config).unwrap();
    for damage in [&b"/boot/uboot-0.env 0\n"[..], b"uboot:\n  size: 0x2000\n", b"\xff\n"] {
        fs::write(&config, damage).unwrap();
        refuses(&device, &first, 1, "fw_env.config");
        device.run(&["status"], 0);
    }
    fs::write(&config, good_config).unwrap();
    // one that falls back no longer counts nothing, and keeps its list
    let (without, copy) = (fixture.dir.path().join("without"), &copies[0]);
    fs::write(&without, "bootcmd=run first\n").unwrap();
    tool("mkenvimage", "u-boot-tools", &["-r", "-s", ENV_SIZE, "-o", text(copy), text(&without)]);
    fs::copy(copy, &copies[1]).unwrap();
    refuses(&device, &first, 1, "does not count boots");
    fill(&good);
    device.run(&["upgrade"], 0);
}

#[test]
fn a_grubenv_of_greenboots_that_is_damaged_is_refused() {
    let fixture = Fixture::unsigned();
    let (device, first) = deployed(&fixture);
    device.boots(&first);
    bootable(&fixture, 2, 3000);
    let env = device.root.join("boot/grub2/grubenv");
    fs::create_dir_all(env.parent().unwrap()).unwrap();
    tool("grub-editenv", "grub-common", &[text(&env), "create"]);
    assert!(device.run(&["boot", "status"], 0).contains("no boot loader is managed"), "nothing counts");
    tool("grub-editenv", "grub-common", &[text(&env), "set", "boot_success=1"]);
    let good = fs::read(&env).unwrap();
    for size in [512, 1023, 1025, 2048] {
        let bytes: Vec<u8> = good.iter().chain([&b'#'; 1024]).copied().take(size).collect();
        fs::write(&env, bytes).unwrap();
        refuses(&device, &first, 1, "grubenv: expected 1024 bytes");
    }
    // with nothing left of its variables the configuration that counts by them still tells
    let config = env.with_file_name("grub.cfg");
    fs::write(&config, "if [ -n \"${boot_counter}\" ]; then\n  set default=1\nfi\n").unwrap();
    for damage in [&b""[..], &[0; 1024], &[0xff; 1024]] {
        fs::write(&env, damage).unwrap();
        refuses(&device, &first, 1, "grubenv: expected");
    }
    fs::remove_file(&env).unwrap();
    refuses(&device, &first, 1, "grubenv");
    fs::write(&env, good).unwrap();
    device.run(&["upgrade", "--tries=2"], 0);
    assert!(tool("grub-editenv", "grub-common", &[text(&env), "list"]).contains("boot_counter=2"));
}

#[test]
fn a_grubenv_of_another_size_is_refused() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    bootable(&fixture, 2, 3000);
    let good = fs::read(grubenv(&device)).unwrap();
    for size in [0, 512, 1023, 1025, 2048] {
        let bytes: Vec<u8> = good.iter().chain([&b'#'; 1024]).copied().take(size).collect();
        fs::write(grubenv(&device), bytes).unwrap();
        refuses(&device, &first, 1, "grubenv: expected 1024 bytes");
    }
    fs::remove_file(grubenv(&device)).unwrap();
    refuses(&device, &first, 1, "grubenv");
    fs::write(grubenv(&device), good).unwrap();
    device.run(&["upgrade"], 0);
}

/// Commands in a mount namespace of their own: what they say, and how the last one ended.
fn in_namespace(device: &Device<'_>, script: &str) -> String {
    let program = format!("rootling() {{ {} --sysroot . \"$@\" 2>&1; }}", env!("CARGO_BIN_EXE_rootling"));
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &format!("{program}\n{script}")]).current_dir(&device.root);
    let output = command.output().expect("unshare is needed: apt-get install util-linux");
    String::from_utf8(output.stdout).unwrap()
}

/// A device of state 1 that boots from an ESP, with state 2 to come.
fn with_esp(fixture: &Fixture) -> (Device<'_>, String, String) {
    let (device, first) = deployed(fixture);
    fs::create_dir_all(device.root.join("efi/loader/entries")).unwrap();
    device.run(&["boot", "install", "systemd-boot"], 0);
    device.boots(&first);
    device.run(&["cleanup"], 0);
    // a kernel of another size: one of the same is taken for the one that is there
    let second = bootable(fixture, 22, 3000);
    (device, first, second)
}

#[test]
fn an_esp_that_cannot_be_written_is_refused_before_anything_changes() {
    let fixture = Fixture::unsigned();
    let (device, first, _) = with_esp(&fixture);
    let before = boots(&device.root);
    let mount = "mount --bind efi efi && mount -o remount,bind,ro efi";
    let told = in_namespace(&device, &format!("{mount} && rootling upgrade; echo ended $?"));
    assert!(
        told.contains("efi: ") && told.contains("Read-only file system") && told.ends_with("ended 1\n"),
        "{told}"
    );
    assert_eq!(boots(&device.root), before);

    // full: what is on the ESP now, and nothing more
    let mount = "cp -a efi copy && mount -t tmpfs -o size=2m none efi && cp -a copy/. efi && rm -r copy
        head -c 3m /dev/zero > efi/filler; ls -R efi | sha256sum > efi.before";
    let told = in_namespace(
        &device,
        &format!("{mount} 2>&1; rootling upgrade; echo ended $?; ls -R efi | sha256sum | cmp - efi.before"),
    );
    assert!(told.contains("no space on ./efi: ") && told.contains("ended 5\n"), "{told}");
    assert_eq!(boots(&device.root), before);
    order_of(&device, &[&first]);
    device.run(&["upgrade"], 0);
}

fn order_of(device: &Device<'_>, commits: &[&str]) {
    let status = device.run(&["status"], 0);
    let places: Vec<_> = commits.iter().map(|commit| status.find(commit)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{commits:?} in {status}");
}

#[test]
fn two_entries_of_one_name_are_refused_and_two_names_of_one_file_are_one() {
    let fixture = Fixture::unsigned();
    let (device, first, second) = with_esp(&fixture);
    let entries = device.root.join("efi/loader/entries");
    let good = fs::read(entries.join("ostree-1.conf")).unwrap();
    for counted in ["ostree-1+03-00.conf", "ostree-1+02-01.conf"] {
        fs::write(entries.join(counted), &good).unwrap();
    }
    fs::remove_file(entries.join("ostree-1.conf")).unwrap();
    refuses(&device, &first, 1, "ostree-1+02-01.conf and ostree-1+03-00.conf");
    fs::remove_file(entries.join("ostree-1+02-01.conf")).unwrap();
    // a rename that was cut
    fs::write(entries.join("ostree-1.conf"), &good).unwrap();
    device.run(&["upgrade"], 0);
    order_of(&device, &[&second, &first]);

    let fixture = Fixture::unsigned();
    let (device, first) = with_loader(&fixture, "grub");
    bootable(&fixture, 2, 3000);
    let entries = device.root.join("boot/loader/entries");
    let name = fs::read_dir(&entries).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let twin = name.replace("ostree-1", "ostree-2");
    fs::copy(entries.join(&name), entries.join(&twin)).unwrap();
    refuses(&device, &first, 1, &format!("{name} and {twin}"));
    fs::remove_file(entries.join(twin)).unwrap();
    device.run(&["upgrade"], 0);
    order(&device, &[&first]);
}
