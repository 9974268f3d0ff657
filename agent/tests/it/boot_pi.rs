//! A Raspberry Pi on a folder: from `boot install raspberry-pi` to a confirm, a fall-back and what a reboot says.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use crate::boot_trial::{order, write};
use crate::firmware_pi::{board, start, would_start};
use crate::fixture::{Fixture, REF, text};
use crate::sysroot::{Device, bootable};

/// Runs the first version from a slot.
fn device(fixture: &Fixture) -> (Device<'_>, String) {
    let first = bootable(fixture, 1, 2000);
    let device = Device::new(fixture);
    device.run(&["pull", "origin", REF], 0);
    device.run(&["deploy", "origin:os/main", "--karg=root=LABEL=r"], 0);
    device.boots(&first);
    let told = device.run(&["boot", "install", "raspberry-pi"], 1);
    assert!(told.contains("proc/device-tree/chosen/bootloader/partition"), "{told}");
    board(&device.root);
    device.run(&["boot", "install", "raspberry-pi"], 0);
    let started = start(&device.root, &mut false);
    assert_eq!(started.tree, format!("{first}.0"));
    assert!(started.args.starts_with("root=LABEL=r "), "{}", started.args);
    (device, first)
}

/// Asks for a reboot as `/`: what the agent says to systemd, or without it to the kernel. Nothing is restarted.
fn reboots(device: &Device<'_>, args: &[&str], systemd: bool) -> String {
    let (done, asked) = as_root(device, "root=LABEL=r\n", args, systemd);
    assert_eq!(done, systemd, "{asked}");
    asked
}

/// The same, booted by these arguments, and whether the agent ended well.
pub fn as_root(device: &Device<'_>, cmdline: &str, args: &[&str], systemd: bool) -> (bool, String) {
    let (root, bin) = (&device.root, device.root.join("fake"));
    for (name, target) in
        [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64"), ("lib32", "usr/lib32")]
    {
        let _ = symlink(target, root.join(name));
    }
    fs::create_dir_all(root.join("usr")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_rootling"), root.join("agent")).unwrap();
    write(&root.join("proc/cmdline"), cmdline);
    let _ = fs::remove_dir_all(&bin);
    write(&bin.join("systemctl"), "#!/bin/sh\nfor word; do echo \"<$word>\"; done >> /asked\n");
    let mode = if systemd { 0o755 } else { 0o644 };
    fs::set_permissions(bin.join("systemctl"), fs::Permissions::from_mode(mode)).unwrap();
    let _ = fs::remove_file(root.join("asked"));
    // a process of another namespace can restart that only; strace keeps it from that too
    let script = format!(
        "mount --bind /usr {root}/usr; PATH=/fake exec /usr/bin/strace -f -qq -e trace=reboot -e inject=reboot:error=EPERM \
         /usr/sbin/chroot {root} /agent {}",
        args.join(" "),
        root = text(root),
    );
    let output = Command::new("unshare").args(["-m", "-p", "-f", "sh", "-ec", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), fs::read_to_string(root.join("asked")).unwrap_or(said))
}

#[test]
fn one_try_then_a_confirm_or_the_way_back() {
    let fixture = Fixture::unsigned();
    let (device, first) = device(&fixture);
    let told = device.run(&["boot", "status"], 0);
    assert!(told.contains("raspberry pi (tryboot): one try, then falls back by itself"), "{told}");
    assert!(told.contains("only a reboot by this program tries it"), "{told}");

    let second = bootable(&fixture, 2, 3000);
    let told = device.run(&["upgrade", "--tries=2"], 1);
    assert!(told.contains("has one try only, asked for 2"), "{told}");
    device.run(&["upgrade"], 0);
    let tried = |root| would_start(root, true).unwrap();
    assert_eq!(tried(&device.root).tree, format!("{second}.0"));
    assert!(device.run(&["boot", "status"], 0).contains("1 of 1 tries left; this boot: not-tried-yet"));
    // by hand, without the words
    assert_eq!(start(&device.root, &mut false).tree, format!("{first}.0"));
    assert!(device.run(&["boot", "confirm"], 0).contains("not tried yet"));
    // by hand, with them
    assert_eq!(start(&device.root, &mut true).tree, format!("{second}.0"));
    device.boots(&second);
    assert!(device.run(&["boot", "status"], 0).contains("this boot: on-trial"));
    assert!(device.run(&["boot", "confirm"], 0).contains(&format!("confirmed {second}.0")));
    assert_eq!(start(&device.root, &mut false).tree, format!("{second}.0"));
    order(&device, &[&second, &first]);
    assert!(device.run(&["boot", "confirm"], 0).contains("nothing is on trial"));

    // a check that fails, and the plain reboot after it
    let third = bootable(&fixture, 3, 4000);
    device.run(&["upgrade"], 0);
    let asked = reboots(&device, &["boot", "arm", "--reboot"], true);
    assert_eq!(asked, "<reboot>\n<--reboot-argument=0 tryboot>\n");
    assert_eq!(start(&device.root, &mut true).tree, format!("{third}.0"));
    device.boots(&third);
    let check = device.tree(&third).join("etc/rootling/check.d/fails");
    write(&check, "#!/bin/sh\nexit 1\n");
    fs::set_permissions(&check, fs::Permissions::from_mode(0o755)).unwrap();
    device.run(&["boot", "confirm"], 1);
    assert_eq!(start(&device.root, &mut false).tree, format!("{second}.0"));
    device.boots(&second);
    assert!(device.run(&["boot", "confirm"], 0).contains(&format!("fell back: {third}.0")));
    assert!(device.run(&["upgrade"], 77).contains("failed on this device"));
    assert_eq!(start(&device.root, &mut false).tree, format!("{second}.0"));

    device.run(&["rollback"], 0);
    assert_eq!(start(&device.root, &mut false).tree, format!("{first}.0"));
}

#[test]
fn only_a_reboot_that_tries_says_so_to_the_firmware() {
    let fixture = Fixture::unsigned();
    let (device, _) = device(&fixture);
    bootable(&fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    let trial = device.root.join("boot/loader/rootling-trial");
    assert!(fs::read_to_string(&trial).unwrap().ends_with(" 1\n"));
    // without systemd the kernel is asked by the agent itself
    let asked = reboots(&device, &["boot", "arm", "--reboot"], false);
    assert!(asked.contains("LINUX_REBOOT_CMD_RESTART2, \"0 tryboot\""), "{asked}");
    assert!(fs::read_to_string(&trial).unwrap().ends_with(" 1 boot-1\n"), "the boot that asked for it");
    assert_eq!(reboots(&device, &["boot", "fall-back", "--reboot"], true), "<reboot>\n");
}
