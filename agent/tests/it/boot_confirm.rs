//! What `boot confirm` does where a loader counts nothing, or no longer.

use std::fs;

use crate::boot_health::{on_trial, program};
use crate::boot_trial::{grubenv, order, tool, with_loader};
use crate::fixture::{Fixture, text};
use crate::sysroot::bootable;

const FAILS: &str = "#!/bin/sh\nexit 1\n";

#[test]
fn a_failed_check_where_nothing_counts_goes_back_at_once() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_loader(&fixture, "extlinux");
    let second = bootable(&fixture, 2, 3000);
    device.run(&["upgrade", "--tries=0"], 0);
    device.run(&["boot", "arm", "--anyway"], 0);
    device.boots(&second);
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
fn a_confirm_that_was_cut_is_finished_and_not_judged_again() {
    let fixture = Fixture::unsigned();
    let (device, second) = on_trial(&fixture);
    program(&device.tree(&second).join("etc/rootling/check.d/own"), FAILS);
    device.run(&["boot", "confirm"], 1);
    let value = format!("rootling_try={second}.0:good");
    tool("grub-editenv", "grub-common", &[text(&grubenv(&device)), "set", &value]);
    assert!(device.run(&["boot", "confirm"], 0).contains(&format!("confirmed {second}.0")));
    assert!(device.root.join("run/rootling/confirmed").exists());
    let menu = fs::read_to_string(device.root.join("boot/loader/grub.cfg")).unwrap();
    assert!(!menu.contains("rootling_trial="), "{menu}");
}
