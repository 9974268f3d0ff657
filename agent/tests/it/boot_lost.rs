//! A loader whose state is lost, or changed by other programs, while something is armed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::boot_health::{on_trial, program};
use crate::boot_trial::{counted, deployed, grubenv, on_trial_uncounted, order, tool, with_grub, write};
use crate::fixture::{Fixture, text};
use crate::sysroot::{Device, bootable};

const FAILS: &str = "#!/bin/sh\nexit 1\n";

fn edit(env: &Path, words: &[&str]) {
    tool("grub-editenv", "grub-common", &[&[text(env)], words].concat());
}

/// A device of state 1 with a U-Boot whose environment is one file, and state 2 armed.
fn u_boot(fixture: &Fixture) -> (Device<'_>, [String; 2], PathBuf) {
    let (device, first) = deployed(fixture);
    let copy = device.root.join("boot/uboot.env");
    let variables = fixture.dir.path().join("variables");
    fs::write(&variables, "altbootcmd=run second\n").unwrap();
    tool("mkenvimage", "u-boot-tools", &["-s", "0x2000", "-o", text(&copy), text(&variables)]);
    write(&device.tree(&first).join("etc/fw_env.config"), "/boot/uboot.env 0 0x2000\n");
    device.boots(&first);
    device.run(&["boot", "install", "u-boot"], 0);
    let second = bootable(fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    (device, [first, second], copy)
}

/// For U-Boot's own tools, which know no other root.
fn tools_config(fixture: &Fixture, copy: &Path) -> PathBuf {
    let config = fixture.dir.path().join("fw_env.config");
    fs::write(&config, format!("{} 0 0x2000\n", copy.display())).unwrap();
    config
}

/// What another program, or U-Boot itself, saves.
fn setenv(fixture: &Fixture, copy: &Path, variables: [(&str, &str); 2]) {
    let config = tools_config(fixture, copy);
    for (name, value) in variables {
        tool("fw_setenv", "libubootenv-tool", &["-c", text(&config), name, value]);
    }
}

fn printenv(fixture: &Fixture, copy: &Path, name: &str) -> String {
    let config = tools_config(fixture, copy);
    tool("fw_printenv", "libubootenv-tool", &["-c", text(&config), name])
}

fn fails_and_goes(device: &Device<'_>, second: &str) {
    program(&device.tree(second).join("etc/rootling/check.d/own"), FAILS);
    let told = device.run(&["boot", "confirm"], 1);
    assert!(told.contains("own exited with 1") && told.contains(".0 boots next"), "{told}");
    assert!(!device.root.join("run/rootling/confirmed").exists());
}

#[test]
fn what_others_say_is_good_has_to_pass_its_checks() {
    // somebody chose the first entry of GRUB's menu
    let fixture = Fixture::unsigned();
    let (device, second) = on_trial(&fixture);
    edit(&grubenv(&device), &["unset", "rootling_try"]);
    fails_and_goes(&device, &second);

    // a service of the board
    let fixture = Fixture::unsigned();
    let (device, [first, second], copy) = u_boot(&fixture);
    device.boots(&second);
    setenv(&fixture, &copy, [("bootcount", "0"), ("upgrade_available", "0")]);
    fails_and_goes(&device, &second);
    order(&device, &[&first, &second]);

    // greenboot's own units, or a login
    let fixture = Fixture::unsigned();
    let (device, first) = deployed(&fixture);
    device.boots(&first);
    let env = device.root.join("boot/grub2/grubenv");
    fs::create_dir_all(env.parent().unwrap()).unwrap();
    edit(&env, &["create"]);
    edit(&env, &["set", "boot_success=1"]);
    let second = bootable(&fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    edit(&env, &["set", "boot_success=1"]);
    edit(&env, &["unset", "boot_counter"]);
    device.boots(&second);
    fails_and_goes(&device, &second);
}

#[test]
fn a_grubenv_that_is_lost_is_made_anew_while_something_is_armed() {
    for damage in [vec![0; 1024], vec![b'#'; 5], vec![b'#'; 2000]] {
        let fixture = Fixture::unsigned();
        let (device, second) = on_trial(&fixture);
        fs::write(grubenv(&device), &damage).unwrap();
        assert!(device.run(&["boot", "status"], 0).contains("this boot: on-trial"));
        assert!(device.run(&["boot", "confirm"], 0).contains(&format!("confirmed {second}.0")));
        edit(&grubenv(&device), &["list"]);
        assert_eq!(fs::metadata(grubenv(&device)).unwrap().len(), 1024);

        let fixture = Fixture::unsigned();
        let (device, first) = with_grub(&fixture);
        bootable(&fixture, 2, 3000);
        device.run(&["upgrade"], 0);
        device.boots(&first);
        fs::write(grubenv(&device), &damage).unwrap();
        assert!(device.run(&["boot", "confirm"], 0).contains("armed again"));
        edit(&grubenv(&device), &["list"]);
        fs::write(grubenv(&device), &damage).unwrap();
        device.run(&["boot", "fall-back"], 0);
        order(&device, &[&first]);
    }
}

#[test]
fn an_environment_of_u_boot_that_is_lost_keeps_nobody_from_a_confirm() {
    for runs in [0, 1] {
        let fixture = Fixture::unsigned();
        let (device, commits, copy) = u_boot(&fixture);
        device.boots(&commits[runs]);
        let mut bytes = fs::read(&copy).unwrap();
        bytes[0] ^= 1;
        fs::write(&copy, &bytes).unwrap();
        let told = device.run(&["boot", "confirm"], 0);
        let want = [format!("{}.0 is not tried", commits[1]), format!("confirmed {}.0", commits[1])];
        assert!(told.contains(&want[runs]), "{told}");
        assert!(device.root.join("run/rootling/confirmed").exists());
        order(&device, &[&commits[runs]]);
        assert_eq!(fs::read(&copy).unwrap(), bytes, "the board's variables are not ours to invent");
        // and nothing new is armed by it
        device.run(&["boot", "arm"], 1);
    }
}

/// Its partition may be one that the boot does not wait for.
#[test]
fn what_u_boot_counts_in_may_come_late() {
    let fixture = Fixture::unsigned();
    let (device, [_, second], copy) = u_boot(&fixture);
    device.boots(&second);
    let away = copy.with_extension("away");
    fs::rename(&copy, &away).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(500));
            fs::rename(&away, &copy).unwrap();
        });
        assert!(device.run(&["boot", "confirm"], 0).contains(&format!("confirmed {second}.0")));
    });
    assert_eq!(printenv(&fixture, &copy, "upgrade_available"), "upgrade_available=0\n");
}

/// U-Boot counts on where this system cannot see it, and would boot the other one in the end, again and again.
#[test]
fn a_system_that_cannot_reach_what_u_boot_counts_in_is_not_confirmed() {
    for config in ["/boot/firmware/uboot.env 0 0x2000\n", "/dev/no-such-mtd 0 0x2000\n", "/boot/uboot.env\n"]
    {
        let fixture = Fixture::unsigned();
        let (device, [first, second], copy) = u_boot(&fixture);
        write(&device.tree(&second).join("etc/fw_env.config"), config);
        write(&device.tree(&second).join("etc/rootling/agent.conf"), "[health]\ncheck-timeout=1\n");
        device.boots(&second);
        // by hand either
        device.run(&["boot", "confirm", "--no-check"], 1);
        assert!(!device.root.join("run/rootling/confirmed").exists());
        order(&device, &[&second, &first]);
        let told = device.run(&["boot", "confirm"], 1);
        assert!(told.contains(&format!("{first}.0 boots next")), "{told}");
        assert!(!device.root.join("run/rootling/confirmed").exists());
        order(&device, &[&first, &second]);
        // what boots second, for altbootcmd, is the good one too
        let uenv = fs::read_to_string(device.root.join("boot/loader/uEnv.txt")).unwrap();
        assert!(!uenv.contains(&format!("deploy/demo/deploy/{second}")), "{uenv}");
        device.boots(&first);
        device.run(&["boot", "confirm"], 0);
        assert_eq!(printenv(&fixture, &copy, "upgrade_available"), "upgrade_available=0\n");
        assert!(device.run(&["upgrade"], 77).contains("failed on this device"));
    }
}

/// As after `env default -a; saveenv`.
#[test]
fn an_environment_without_altbootcmd_keeps_no_failing_system() {
    for runs in [0, 1] {
        let fixture = Fixture::unsigned();
        let (device, commits, copy) = u_boot(&fixture);
        let counts = ["0", "1"][runs];
        setenv(&fixture, &copy, [("altbootcmd", ""), ("upgrade_available", counts)]);
        device.boots(&commits[runs]);
        match runs {
            0 => {
                let told = device.run(&["boot", "confirm"], 0);
                assert!(told.contains("altbootcmd") && told.contains("is not tried"), "{told}");
            }
            _ => fails_and_goes(&device, &commits[1]),
        }
        order(&device, &[&commits[0]]);
        assert_eq!(printenv(&fixture, &copy, "upgrade_available"), "upgrade_available=0\n");
    }
}

/// The loader counts on, so that it falls back.
#[test]
fn what_is_armed_is_not_confirmed_where_its_loader_is_managed_no_more() {
    for (name, fails) in [("grub", false), ("u-boot", false), ("u-boot", true)] {
        let fixture = Fixture::unsigned();
        let (device, second) = match name {
            "grub" => on_trial(&fixture),
            _ => {
                let (device, [_, second], _) = u_boot(&fixture);
                // a script of the board's reads the list itself
                let _ = fs::remove_file(device.root.join("boot/uEnv.txt"));
                device.boots(&second);
                (device, second)
            }
        };
        write(&device.tree(&second).join("etc/rootling/agent.conf"), "[boot]\nloader = none\n");
        if fails {
            program(&device.tree(&second).join("etc/rootling/check.d/own"), FAILS);
        }
        let list = || fs::read_to_string(device.root.join("boot/loader/uEnv.txt")).ok();
        let before = list();
        assert!(device.run(&["boot", "confirm"], 1).contains("its loader not managed"), "{name}");
        assert!(!device.root.join("run/rootling/confirmed").exists());
        assert!(device.run(&["boot", "fall-back"], 1).contains("its loader not managed"), "{name}");
        assert_eq!((list(), before.is_some()), (before.clone(), name == "u-boot"));
    }
}

#[test]
fn a_loader_that_always_forgets_has_tried_in_the_end() {
    let fixture = Fixture::unsigned();
    let (device, [first, second], copy) = u_boot(&fixture);
    for want in ["armed again", "armed again", "fell back"] {
        // an altbootcmd that ends the counting itself
        setenv(&fixture, &copy, [("bootcount", "0"), ("upgrade_available", "0")]);
        device.boots(&first);
        let told = device.run(&["boot", "confirm"], 0);
        assert!(told.contains(want) && told.contains(&second), "{told}");
    }
    assert!(device.run(&["upgrade"], 77).contains("failed on this device"));
}

/// It is the arguments that failed.
#[test]
fn a_commit_that_runs_is_not_denied_for_how_it_was_deployed_once_more() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    device.run(&["kargs", "--append=bad"], 0);
    let value = format!("rootling_try={first}.1:0");
    edit(&grubenv(&device), &["set", &value]);
    assert!(device.run(&["boot", "confirm"], 0).contains("fell back"));
    assert!(!device.root.join("ostree/deploy/demo/var/lib/rootling/deny-list").exists());
}

/// It is on the list as what an earlier update left, and proves nothing.
#[test]
fn a_commit_that_ran_before_is_denied_when_it_fails_once_more() {
    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    let second = bootable(&fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    device.boots(&second);
    device.run(&["boot", "confirm"], 0);
    device.run(&["rollback"], 0);
    order(&device, &[&first, &second]);
    device.boots(&first);
    device.run(&["upgrade"], 0);
    let value = format!("rootling_try={second}.1:0");
    edit(&grubenv(&device), &["set", &value]);
    assert!(device.run(&["boot", "confirm"], 0).contains("fell back"));
    assert!(device.run(&["upgrade"], 77).contains("failed on this device"));
}

/// The failing system itself may have filled the disk.
#[test]
fn what_cannot_be_noted_as_failed_goes_all_the_same() {
    let fixture = Fixture::unsigned();
    let (device, first, second) = on_trial_uncounted(&fixture);
    write(&device.root.join("ostree/deploy/demo/var/lib/rootling"), "no folder\n");
    fails_and_goes(&device, &second);
    order(&device, &[&first, &second]);

    let fixture = Fixture::unsigned();
    let (device, first) = with_grub(&fixture);
    let second = bootable(&fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    counted(&device, &second, 0);
    device.boots(&first);
    write(&device.root.join("ostree/deploy/demo/var/lib/rootling/deny-list"), "rootling deny list 2\n");
    // nothing hurries here, and what is not noted would be tried again
    device.run(&["boot", "confirm"], 7);
    device.run(&["boot", "fall-back"], 7);
    order(&device, &[&first]);
}
