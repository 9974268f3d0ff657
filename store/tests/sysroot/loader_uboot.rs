//! U-Boot with an environment that cannot be used.

use crate::loader::{Device, tool, uboot};
use rootling_store::sysroot::loader::{Loader, Try};
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn an_environment_that_was_never_saved_stops_nothing() {
    for (named, never_saved) in [(None, true), (None, false), (Some("u-boot"), true)] {
        let device = Device::new(named);
        let config = uboot(&device.path(""), 1);
        tool("fw_setenv", "libubootenv-tool", &["-c", config.to_str().unwrap(), "altbootcmd"]);
        if never_saved {
            fs::write(device.path("boot/uboot-0.env"), [0xff; 0x2000]).unwrap();
        }
        assert_eq!(device.open(0).loader().is_some(), named.is_some());
        device.deploy_as(0, 1, Try::Keep).unwrap();
        assert_eq!(device.list(), [1, 0]);
        device.lock(0).rollback("os").unwrap();
        device.lock(0).cleanup(Default::default()).unwrap();
        assert_eq!(device.list(), [0, 1]);
    }
}

#[test]
fn what_u_boot_reads_stays_managed_while_its_environment_is_damaged() {
    let device = Device::new(None);
    uboot(&device.path(""), 1);
    let loader = device.open(0).loader().unwrap().clone();
    device.lock(0).install(loader.clone(), 0).unwrap();
    fs::write(device.path("boot/uboot-0.env"), [0xff; 0x2000]).unwrap();
    assert_eq!(device.open(0).loader().map(Loader::kind), Some(loader.kind()));
    assert!(device.deploy(0, 1, 3).unwrap_err().to_string().contains("uboot-0.env"));
    device.deploy_as(0, 1, Try::Keep).unwrap();
    let uenv = fs::read_to_string(device.path("boot/uEnv.txt")).unwrap();
    assert!(uenv.contains("\nkernel_image2="), "{uenv}");
}

#[test]
fn a_list_that_u_boot_reads_keeps_it_the_loader_without_a_configuration() {
    for config in [Some(""), Some("# /dev/mtd1 0 4000\n"), None] {
        let device = Device::new(None);
        uboot(&device.path(""), 1);
        let fw_env = device.path("etc/fw_env.config");
        // a script of the board reads the list itself, so that nothing leads to it
        device.deploy(0, 1, 3).unwrap();
        assert!(!device.path("boot/uEnv.txt").is_symlink());
        device.lock(0).fall_back().unwrap();
        match config {
            Some(text) => fs::write(&fw_env, text).unwrap(),
            None => fs::remove_file(&fw_env).unwrap(),
        }
        assert!(device.open(0).loader().is_some(), "{config:?}");
        let refused = device.deploy(0, 2, 3).unwrap_err().to_string();
        assert!(refused.contains("fw_env.config: expected a line"), "{refused}");
        device.deploy_as(0, 2, Try::Keep).unwrap();
        let uenv = fs::read_to_string(device.path("boot/loader/uEnv.txt")).unwrap();
        assert!(uenv.contains("\nkernel_image2="), "{uenv}");
    }
}

#[test]
fn a_list_of_extlinux_stays_its_own_beside_a_configuration_that_cannot_be_read() {
    let device = Device::new(Some("extlinux"));
    let extlinux = device.open(0).loader().unwrap().clone();
    device.lock(0).install(extlinux, 0).unwrap();
    fs::create_dir_all(device.path("etc")).unwrap();
    let detect = |text: &str| {
        fs::write(device.path("etc/fw_env.config"), text).unwrap();
        Loader::detect(&device.path(""), &device.path(""), &Default::default()).unwrap().unwrap()
    };
    // a write of its single copy that was cut
    fs::write(device.path("boot/uboot.env"), [7, 0, 9, 1].repeat(0x800)).unwrap();
    for text in ["uboot:\n  size: 0x4000\n", "/dev/mtd1 0 131072\n", "/boot/uboot.env 0 0x2000\n"] {
        assert_eq!(detect(text).kind().to_string(), "extlinux", "{text}");
    }
}

#[test]
fn an_environment_behind_a_link_is_changed_where_it_is() {
    for target in ["firmware/uboot.env", "/boot/firmware/uboot.env", "other.env"] {
        let device = Device::new(None);
        let config = uboot(&device.path(""), 1);
        let (link, real) = (device.path("boot/uboot-0.env"), device.path("boot/firmware/uboot.env"));
        fs::create_dir_all(real.parent().unwrap()).unwrap();
        fs::rename(&link, &real).unwrap();
        symlink(target, &link).unwrap();
        symlink("firmware/uboot.env", device.path("boot/other.env")).unwrap();
        fs::write(&config, format!("{} 0 0x2000\n", real.display())).unwrap();
        device.deploy(0, 1, 2).unwrap();
        let printed = tool("fw_printenv", "libubootenv-tool", &["-c", config.to_str().unwrap(), "bootlimit"]);
        assert_eq!(printed, "bootlimit=2\n", "{target}");
        assert!(link.is_symlink() && device.path("boot/other.env").is_symlink());
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_an_error_and_one_without_a_line_is_none() {
    let device = Device::new(None);
    uboot(&device.path(""), 1);
    let detect = |text: &str| {
        fs::write(device.path("etc/fw_env.config"), text).unwrap();
        Loader::detect(&device.path(""), &device.path(""), &device.settings)
    };
    for text in ["uboot:\n  size: 0x4000\n", "/boot/uboot-0.env 0\n", "/boot/uboot-0.env 08 2000\n"] {
        let error = detect(text).unwrap().unwrap().promises(&device.path("")).unwrap_err().to_string();
        assert!(error.contains("fw_env.config: expected"), "{error}");
    }
    for text in ["", "# /dev/mtd1 0 4000\n\n"] {
        assert!(detect(text).unwrap().is_none(), "{text:?}");
    }
}

#[test]
fn copies_that_overlap_by_the_length_of_their_device_are_refused() {
    let device = Device::new(None);
    uboot(&device.path(""), 2);
    let (copy, config) = (device.path("boot/uboot-0.env"), device.path("etc/fw_env.config"));
    let mut both = fs::read(&copy).unwrap();
    both.extend_from_within(..0x1000);
    for (length, refused) in [(0x3000, true), (0x4000, false)] {
        both.resize(length, 0);
        fs::write(&copy, &both).unwrap();
        fs::write(&config, "/boot/uboot-0.env 0 0x2000\n/boot/uboot-0.env -0x2000 0x2000\n").unwrap();
        let error = device.deploy(0, 1, 3).err().map(|error| error.to_string());
        assert_eq!(
            error.as_ref().is_some_and(|error| error.contains("do not overlap")),
            refused,
            "{error:?}"
        );
    }
    assert_eq!(device.list(), [1, 0]);
}
