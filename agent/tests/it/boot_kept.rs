//! What is there to fall back to, and what failed, are not forgotten by other changes of the list.

use crate::boot_bless;
use crate::boot_trial::{counted, on_trial_uncounted, with_grub};
use crate::fixture::Fixture;
use crate::sysroot::{Device, bootable};

/// The device runs its second state, on trial, and keeps the first.
fn keeps_the_first(device: &Device<'_>, first: &str, second: &str) {
    let told = device.run(&["cleanup", "--rollback"], 1);
    assert!(told.contains("expected a second deployment to fall back to, got none"), "{told}");
    let listed = device.run(&["status"], 0);
    assert!(listed.contains(first) && listed.contains(second), "{listed}");
    assert!(device.tree(first).is_dir());
    device.run(&["boot", "confirm"], 0);
    device.run(&["cleanup", "--rollback"], 0);
    assert!(!device.tree(first).exists());
}

#[test]
fn what_a_try_falls_back_to_is_not_cleaned_up() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    let second = bootable(&fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    device.boots(&second);
    keeps_the_first(&device, &first, &second);

    let fixture = Fixture::unsigned();
    let (device, first, second) = on_trial_uncounted(&fixture);
    keeps_the_first(&device, &first, &second);
}

#[test]
fn nor_is_it_with_systemd_boot() {
    let fixture = Fixture::unsigned();
    let (device, first, second) = boot_bless::on_trial(&fixture);
    keeps_the_first(&device, &first, &second);
}

#[test]
fn what_fell_back_is_denied_by_whatever_changes_the_list_first() {
    for args in [&["rollback"][..], &["cleanup", "--pending"], &["upgrade", "--tries=0"]] {
        let fixture = Fixture::unsigned();
        let (device, first) = with_grub(&fixture);
        let second = bootable(&fixture, 2, 3000);
        device.run(&["upgrade"], 0);
        counted(&device, &second, 0);
        device.boots(&first);
        let third = args.contains(&"upgrade").then(|| bootable(&fixture, 3, 4000));
        device.run(args, 0);
        let told = device.run(&["boot", "status"], 0);
        assert!(told.contains(&second) && told.contains("did not prove itself"), "{args:?}: {told}");
        if third.is_none() {
            device.run(&["upgrade"], 77);
        }
    }
}
