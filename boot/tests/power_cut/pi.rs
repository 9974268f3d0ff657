//! A Raspberry Pi: its firmware reads autoboot.txt with or without the one-shot flag.

use crate::disk::{Disk, cut_everywhere};
use rootling_boot::loader::{Change, Step, Trial};
use rootling_boot::pi::{self, Autoboot, Booted};

fn autoboot(disk: &Disk) -> Autoboot {
    Autoboot::parse(&disk.text("efi/autoboot.txt").expect("autoboot.txt")).unwrap()
}

/// The firmware: the flag is cleared before anything starts.
fn boot(disk: &Disk, flag: &mut bool) -> (String, Booted) {
    let tryboot = std::mem::take(flag);
    let partition = autoboot(disk).partition(tryboot).unwrap();
    let system = disk.text(&format!("p{partition}/system")).expect("a system on the partition");
    assert!(system.ends_with("whole"), "{system}");
    (system, Booted { partition, tryboot })
}

fn device() -> Disk {
    let mut disk = Disk::default();
    disk.put("efi/autoboot.txt", Autoboot::new(2, 3).encode().unwrap());
    disk.put("p2/system", b"old is whole".to_vec());
    disk
}

fn prepared() -> Change {
    let bytes = b"new is whole".to_vec();
    Change { steps: vec![Step::WriteBytes { path: "p3/system".into(), bytes }], reboot_argument: None }
}

#[test]
fn one_try_and_a_cut_anywhere() {
    let mut disk = device();
    let change = pi::arm(&autoboot(&disk), 3, prepared()).unwrap();
    cut_everywhere(&mut disk, &change.steps, |cut, at| {
        assert_eq!(boot(cut, &mut false).0, "old is whole", "{at}: a cut is no reboot with the argument");
    });
    assert_eq!(change.reboot_argument, Some("0 tryboot"));
    let mut flag = true;
    let (system, booted) = boot(&disk, &mut flag);
    assert_eq!((system.as_str(), booted.tryboot), ("new is whole", true));
    assert_eq!(pi::trial(&autoboot(&disk), booted).unwrap(), Trial::Left(0));
    assert_eq!(boot(&disk, &mut flag).0, "old is whole", "not confirmed");
    assert_eq!(pi::fall_back().steps, []);

    let change = pi::confirm(&autoboot(&disk), booted, "efi").unwrap();
    let mut seen = std::collections::BTreeSet::new();
    cut_everywhere(&mut disk, &change.steps, |cut, _| {
        seen.insert(boot(cut, &mut false).0);
    });
    assert_eq!(seen.len(), 2, "both before and after the rename: {seen:?}");
    let (system, booted) = boot(&disk, &mut false);
    assert_eq!((system.as_str(), booted.partition), ("new is whole", 3));
    assert_eq!(pi::confirm(&autoboot(&disk), booted, "efi").unwrap().steps, [], "once is enough");
    assert_eq!(autoboot(&disk).partition(true), Ok(2), "the next one goes to the other partition");
}
