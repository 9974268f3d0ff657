//! U-Boot with an environment that cannot be used.

use crate::loader::{Device, tool, uboot};
use rootling_store::sysroot::loader::{Loader, Try};
use std::fs;

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
