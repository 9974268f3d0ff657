//! A board whose firmware boots kernels itself, on a folder: from `boot install efi` to a confirm and a fall-back.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use rootling_boot::efi::global;

use crate::boot_trial::{deployed, order, write};
use crate::fixture::Fixture;
use crate::sysroot::{Device, bootable};

const VARS: &str = "sys/firmware/efi/efivars";

/// An ESP of a disk, and variables that name nothing yet.
fn board(device: &Device<'_>) {
    fs::create_dir_all(device.root.join("efi/EFI")).unwrap();
    let number = fs::metadata(device.root.join("efi")).unwrap().dev();
    let (major, minor) = ((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xfff00));
    let sys = device.root.join(format!("sys/dev/block/{major}:{minor}"));
    let uevent = "DEVNAME=vda1\nPARTUUID=12345678-abcd-ef01-0102-030405060708\n";
    for (name, text) in [("partition", "1\n"), ("start", "2048\n"), ("size", "4096\n"), ("uevent", uevent)] {
        write(&sys.join(name), text);
    }
    set(device, "BootOrder", &[]);
}

fn set(device: &Device<'_>, name: &str, numbers: &[u8]) {
    fs::create_dir_all(device.root.join(VARS)).unwrap();
    fs::write(device.root.join(VARS).join(global(name)), [&[7, 0, 0, 0], numbers].concat()).unwrap();
}

fn get(device: &Device<'_>, name: &str) -> Option<Vec<u8>> {
    fs::read(device.root.join(VARS).join(global(name))).ok().map(|bytes| bytes[4..].to_vec())
}

/// The firmware: which commit's entry it takes.
fn firmware_boots<'a>(device: &Device<'_>, commits: &[&'a str]) -> &'a str {
    let numbers = get(device, "BootNext").or_else(|| get(device, "BootOrder")).unwrap();
    let _ = fs::remove_file(device.root.join(VARS).join(global("BootNext")));
    let option = get(device, &format!("Boot{:02X}{:02X}", numbers[1], numbers[0])).unwrap();
    let units = option.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or('?')).collect();
    commits.iter().find(|commit| text.contains(&format!("Rootling {commit}.0"))).expect("one of these")
}

#[test]
fn one_try_then_a_confirm_or_the_way_back() {
    let fixture = Fixture::unsigned();
    let (device, first) = deployed(&fixture);
    device.boots(&first);
    let told = device.run(&["boot", "install", "efi"], 1);
    assert!(told.contains("an ESP, mounted at efi or boot/efi"), "{told}");
    board(&device);
    device.run(&["boot", "install", "efi"], 0);
    assert_eq!(firmware_boots(&device, &[&first]), first);
    let told = device.run(&["boot", "status"], 0);
    assert!(told.contains("efi firmware (BootNext): one try, then falls back by itself"), "{told}");

    let second = bootable(&fixture, 2, 3000);
    let told = device.run(&["upgrade", "--tries=2"], 1);
    assert!(told.contains("has one try only, asked for 2"), "{told}");
    device.run(&["upgrade"], 0);
    let both = [first.as_str(), second.as_str()];
    assert!(device.run(&["boot", "status"], 0).contains("1 of 1 tries left; this boot: not-tried-yet"));
    assert_eq!(firmware_boots(&device, &both), second);
    device.boots(&second);
    assert!(device.run(&["boot", "status"], 0).contains("0 of 1 tries left; this boot: on-trial"));
    assert!(device.run(&["boot", "confirm"], 0).contains(&format!("confirmed {second}.0")));
    assert_eq!((firmware_boots(&device, &both), firmware_boots(&device, &both)), (both[1], both[1]));
    order(&device, &[&second, &first]);

    // firmware that drops what boots
    let dropped = get(&device, "BootOrder").unwrap();
    let dropped = format!("Boot{:02X}{:02X}", dropped[1], dropped[0]);
    fs::remove_file(device.root.join(VARS).join(global(&dropped))).unwrap();
    let told = device.run(&["boot", "confirm"], 0);
    assert!(told.contains("written again") && told.contains("nothing is on trial"), "{told}");
    assert_eq!(firmware_boots(&device, &both), second);
    assert!(!device.run(&["boot", "confirm"], 0).contains("written again"));

    let third = bootable(&fixture, 3, 4000);
    device.run(&["upgrade"], 0);
    let all = [both[0], both[1], third.as_str()];
    assert_eq!((firmware_boots(&device, &all), firmware_boots(&device, &all)), (all[2], all[1]));
    assert!(device.run(&["boot", "confirm"], 0).contains(&format!("fell back: {third}.0")));
    assert!(device.run(&["upgrade"], 77).contains("failed on this device"));
    assert_eq!(firmware_boots(&device, &all), second);
}

#[test]
fn no_variables_no_change() {
    let fixture = Fixture::unsigned();
    let (device, first) = deployed(&fixture);
    device.boots(&first);
    board(&device);
    let vars = device.root.join(VARS);
    fs::remove_dir_all(&vars).unwrap();
    let told = device.run(&["boot", "install", "efi"], 1);
    assert!(told.contains("efivarfs") && told.contains(VARS), "{told}");
    assert!(!device.root.join("efi/EFI/rootling").exists());

    set(&device, "BootOrder", &[]);
    write(&device.tree(&first).join("etc/rootling/agent.conf"), "[boot]\nloader=efi\n");
    device.run(&["boot", "install"], 0);
    let link = fs::read_link(device.root.join("boot/loader")).unwrap();
    fs::rename(&vars, device.root.join("away")).unwrap();
    bootable(&fixture, 2, 3000);
    assert!(device.run(&["upgrade"], 1).contains("efivarfs"));
    assert_eq!(fs::read_link(device.root.join("boot/loader")).unwrap(), link);
    symlink("../../../away", &vars).unwrap();
    device.run(&["upgrade"], 0);
}
