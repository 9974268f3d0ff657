//! systemd-boot beside programs that change its entries and variables too: systemd's own bless step, `bootctl`.

use std::fs;
use std::path::PathBuf;

use rootling_boot::efi::{Variable, text};
use rootling_boot::sdboot::variable;

use crate::boot_health::program;
use crate::boot_trial::{deployed, write};
use crate::fixture::Fixture;
use crate::sysroot::{Device, bootable};

const ESP: &str = "efi/loader/entries";

/// A device whose second state runs, tried once of three times.
pub fn on_trial(fixture: &Fixture) -> (Device<'_>, String, String) {
    let (device, first) = deployed(fixture);
    device.boots(&first);
    fs::create_dir_all(device.root.join(ESP)).unwrap();
    device.run(&["boot", "install", "systemd-boot"], 0);
    assert!(!note(&device).exists(), "what runs has nothing to prove");
    let second = bootable(fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    rename(&device, "ostree-2+03-00.conf", "ostree-2+02-01.conf");
    device.boots(&second);
    (device, first, second)
}

fn note(device: &Device<'_>) -> PathBuf {
    device.root.join("ostree/rootling-trial")
}

fn rename(device: &Device<'_>, from: &str, to: &str) {
    let entries = device.root.join(ESP);
    fs::rename(entries.join(from), entries.join(to)).unwrap();
}

fn set_variable(device: &Device<'_>, commit: &str, name: &str, value: &str) -> PathBuf {
    let file = device.tree(commit).join("sys/firmware/efi/efivars").join(name);
    let bytes = Variable { attributes: 6, data: &text::encode(value) }.encode();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, bytes).unwrap();
    file
}

#[test]
fn an_entry_that_others_made_good_has_to_pass_its_checks_all_the_same() {
    let fixture = Fixture::unsigned();
    let (device, first, second) = on_trial(&fixture);
    rename(&device, "ostree-2+02-01.conf", "ostree-2.conf");
    let told = device.run(&["boot", "status"], 0);
    assert!(told.contains(&format!("armed: {second}.0")) && told.contains("this boot: on-trial"), "{told}");
    assert!(device.run(&["upgrade"], 1).contains("on trial itself"));
    let check = device.tree(&second).join("etc/rootling/check.d/own");
    program(&check, "#!/bin/sh\nexit 1\n");
    // the loader would boot it again and again, so it goes at once
    let told = device.run(&["boot", "confirm"], 1);
    assert!(told.contains("own exited with 1") && told.contains(&format!("{first}.0 boots next")), "{told}");
    assert!(!device.root.join("run/rootling/confirmed").exists() && !note(&device).exists());
    assert!(device.root.join(ESP).join("ostree-2+00-00.conf").exists());
    device.boots(&first);
    assert!(device.run(&["boot", "confirm"], 0).contains("fell back"));
    assert!(device.run(&["upgrade"], 77).contains("failed on this device"));
}

/// Its counters are on its partition, where no other loader looks.
#[test]
fn a_try_of_systemd_boots_is_one_by_whatever_name_the_loader_goes() {
    for loader in ["none", "grub", "extlinux"] {
        let fixture = Fixture::unsigned();
        let (device, first, second) = on_trial(&fixture);
        let conf = device.tree(&second).join("etc/rootling/agent.conf");
        write(&conf, &format!("[boot]\nloader = {loader}\n"));
        program(&device.tree(&second).join("etc/rootling/check.d/own"), "#!/bin/sh\nexit 1\n");
        let told = device.run(&["boot", "confirm"], 1);
        assert!(told.contains(&format!("{second}.0 is on trial, and its loader not managed")), "{told}");
        assert!(!device.root.join("run/rootling/confirmed").exists(), "{loader}");
        device.boots(&first);
        rename(&device, "ostree-2+02-01.conf", "ostree-2+00-03.conf");
        write(&device.tree(&first).join("etc/rootling/agent.conf"), "[boot]\n");
        assert!(device.run(&["boot", "confirm"], 0).contains("fell back"));
    }
}

/// systemd-boot sorts what has no tries left behind all others, and it is what runs.
#[test]
fn a_rollback_in_the_last_try_goes_back() {
    let fixture = Fixture::unsigned();
    let (device, first, _) = on_trial(&fixture);
    rename(&device, "ostree-2+02-01.conf", "ostree-2+00-03.conf");
    assert!(device.run(&["rollback"], 0).contains(&format!("{first}.0 boots next")));
    let names: Vec<_> =
        fs::read_dir(device.root.join(ESP)).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.iter().any(|name| name == "ostree-2+00-03.conf"), "{names:?}");
    assert_eq!(names.iter().filter(|name| !name.to_string_lossy().contains('+')).count(), 1, "{names:?}");
}

#[test]
fn an_entry_that_others_made_good_is_confirmed_by_its_checks() {
    let fixture = Fixture::unsigned();
    let (device, _, second) = on_trial(&fixture);
    rename(&device, "ostree-2+02-01.conf", "ostree-2.conf");
    assert!(device.run(&["boot", "confirm"], 0).contains(&format!("confirmed {second}.0")));
    assert!(!note(&device).exists());
    assert!(device.run(&["boot", "confirm"], 0).contains("nothing is on trial"));
}

#[test]
fn a_note_that_nothing_on_the_partition_matches_means_nothing() {
    let fixture = Fixture::unsigned();
    let (device, first, second) = on_trial(&fixture);
    assert!(fs::read_to_string(note(&device)).unwrap().ends_with(".0 3 2\n"));
    device.run(&["boot", "confirm"], 0);
    for stale in [format!("{second}.0 3 3\n"), format!("{first}.0 3 2\n"), "?".into(), String::new()] {
        fs::write(note(&device), stale).unwrap();
        assert!(device.run(&["boot", "confirm"], 0).contains("nothing is on trial"));
    }
    // an entry that did not come to be, and its number for one that has nothing to prove
    let third = bootable(&fixture, 3, 4000);
    fs::write(note(&device), format!("{third}.0 3 3\n")).unwrap();
    device.run(&["upgrade", "--tries=0"], 0);
    assert!(device.root.join(ESP).join("ostree-3.conf").exists() && !note(&device).exists());
}

#[test]
fn what_was_booted_is_what_is_confirmed() {
    let fixture = Fixture::unsigned();
    let (device, _, second) = on_trial(&fixture);
    let booted = |entry: &str| {
        let value = format!("\\loader\\entries\\{entry}");
        set_variable(&device, &second, &variable::count_path_name(), &value);
    };
    booted("ostree-9+02-01.conf");
    let told = device.run(&["boot", "confirm"], 1);
    assert!(
        told.contains("LoaderBootCountPath: expected ostree-2+02-01.conf, which is on trial, got"),
        "{told}"
    );
    assert!(device.root.join(ESP).join("ostree-2+02-01.conf").exists() && note(&device).exists());
    booted("ostree-2+02-01.conf");
    device.run(&["boot", "confirm"], 0);
    assert!(device.root.join(ESP).join("ostree-2.conf").exists());
}

#[test]
fn an_entry_chosen_for_the_next_boot_gives_way_to_the_new_one() {
    let fixture = Fixture::unsigned();
    let (device, _, second) = on_trial(&fixture);
    device.run(&["boot", "confirm"], 0);
    bootable(&fixture, 3, 4000);
    let one_shot = set_variable(&device, &second, &variable::one_shot_name(), "ostree-1.conf");
    let told = device.run(&["upgrade"], 0);
    assert!(told.contains("ostree-1.conf was chosen for the next boot") && !one_shot.exists(), "{told}");
}

#[test]
fn a_bless_step_that_nothing_keeps_away_is_told() {
    let fixture = Fixture::unsigned();
    let (device, _, second) = on_trial(&fixture);
    let tree = device.tree(&second);
    let told = || device.run(&["boot", "status"], 0).contains("systemd-bless-boot.service runs beside");
    assert!(!told());
    write(&tree.join("usr/lib/systemd/system/systemd-bless-boot.service"), "");
    assert!(told());
    let drop_in = tree.join("usr/lib/systemd/system/systemd-bless-boot.service.d/50-rootling.conf");
    write(&drop_in, "");
    assert!(!told());
    fs::remove_file(drop_in).unwrap();
    let mask = tree.join("etc/systemd/system/systemd-bless-boot.service");
    fs::create_dir_all(mask.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/null", mask).unwrap();
    assert!(!told());
}

/// The deadline and prepare-root know a try by a variable: a system that shows none would stay in one that hangs.
#[test]
fn nothing_is_armed_and_no_try_passes_where_firmware_variables_are_not_shown() {
    let fixture = Fixture::unsigned();
    let (device, first) = deployed(&fixture);
    device.boots(&first);
    fs::create_dir_all(device.root.join(ESP)).unwrap();
    device.run(&["boot", "install", "systemd-boot"], 0);
    let second = bootable(&fixture, 2, 3000);
    let shown = |commit: &str| device.tree(commit).join("sys/firmware/efi/efivars");
    fs::create_dir_all(shown(&first)).unwrap();
    write(&device.tree(&first).join("etc/init.d/rootling"), "");
    let told = device.run(&["upgrade"], 1);
    assert!(told.contains("efivars: expected firmware variables, got none: mount efivarfs"), "{told}");
    assert!(!device.tree(&second).exists(), "nothing was fetched");
    let told = device.run(&["boot", "status"], 0);
    assert!(told.contains("expected firmware variables") && told.contains("no deadline outside"), "{told}");
    fs::write(shown(&first).join("BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c"), [7, 0, 0, 0]).unwrap();
    let told = device.run(&["boot", "status"], 0);
    assert!(!told.contains("expected firmware variables") && !told.contains("no deadline"), "{told}");
    device.run(&["upgrade"], 0);

    rename(&device, "ostree-2+03-00.conf", "ostree-2+02-01.conf");
    device.boots(&second);
    fs::create_dir_all(shown(&second).parent().unwrap()).unwrap();
    let told = device.run(&["boot", "confirm"], 1);
    assert!(told.contains("expected firmware variables, got none"), "{told}");
    assert!(device.root.join(ESP).join("ostree-2+02-01.conf").exists(), "the loader counts on");
    set_variable(&device, &second, &variable::count_path_name(), "\\loader\\entries\\ostree-2+02-01.conf");
    assert!(device.run(&["boot", "confirm"], 0).contains("confirmed"));
}
