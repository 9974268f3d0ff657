//! A Raspberry Pi: its firmware reads autoboot.txt with or without the one-shot flag, then config.txt of a partition.
//!
//! What the firmware reads is worked out here from the texts, as its documentation says, by none of the crate's code.

use crate::disk::{Disk, cut_everywhere};
use crate::lists::item;
use rootling_boot::loader::Trial;
use rootling_boot::pi::{self, Autoboot, Booted, Slot, Slots};

/// The last line that holds, as the firmware takes it.
fn setting(text: &str, tryboot: bool, key: &str) -> Option<String> {
    let (mut holds, mut found) = (true, None);
    for line in text.lines() {
        match line {
            "[all]" => holds = true,
            "[tryboot]" => holds = tryboot,
            _ if line.starts_with('[') => holds = false,
            _ if holds => found = line.strip_prefix(key).map(String::from).or(found),
            _ => {}
        }
    }
    found
}

/// The firmware: the flag is cleared before anything starts. Answers the arguments and what the device tree says.
fn boot(disk: &Disk, flag: &mut bool) -> (String, Booted) {
    let tryboot = std::mem::take(flag);
    let autoboot = disk.text("boot/firmware/autoboot.txt").expect("autoboot.txt");
    let partition = setting(&autoboot, tryboot, "boot_partition=").unwrap().parse().unwrap();
    let place = format!("boot/slot-{partition}");
    let config = disk.text(&format!("{place}/config.txt")).expect("a config.txt on the partition");
    let file = |key: &str| format!("{place}{}", setting(&config, tryboot, key).unwrap());
    assert!(disk.text(&file("kernel=")).unwrap().ends_with("vmlinuz"));
    let args = disk.text(&file("cmdline=")).unwrap();
    let link = args.split([' ', '\n']).find_map(|arg| arg.strip_prefix("ostree=/")).unwrap();
    let tree = disk.real(link).unwrap();
    assert!(args.ends_with('\n') && tree.starts_with("ostree/deploy/os/deploy/"), "{args:?} {tree}");
    (args, Booted { partition, tryboot })
}

fn slots(disk: &Disk) -> Slots {
    let slot = |number: u32| {
        let place = format!("boot/slot-{number}");
        Slot { number, config: disk.text(&format!("{place}/config.txt")), place }
    };
    let autoboot = Autoboot::parse(&disk.text("boot/firmware/autoboot.txt").unwrap()).unwrap();
    Slots::find(autoboot, vec![slot(2), slot(3)]).unwrap()
}

/// Runs "a" from partition 2.
fn device() -> Disk {
    let mut disk = Disk::default();
    disk.put("boot/firmware/autoboot.txt", Autoboot::new(3, 2).encode().unwrap());
    for step in &pi::prepare(&slots(&disk), &item('a'), "", &[]).steps {
        disk.apply(step);
    }
    disk.put("boot/firmware/autoboot.txt", Autoboot::new(2, 3).encode().unwrap());
    disk
}

#[test]
fn one_try_and_a_cut_anywhere() {
    let mut disk = device();
    let boots = |disk: &Disk, tryboot: bool| boot(disk, &mut { tryboot }).0;
    let is =
        |args: &str, name: char| args.contains(&format!("ostree=/ostree/links/{}", item(name).deployment));
    let change = pi::prepare(&slots(&disk), &item('b'), "dtparam=x\n", &[]);
    cut_everywhere(&mut disk, &change.steps, |cut, at| {
        assert!(is(&boots(cut, false), 'a'), "{at}: what boots is never touched");
        // the agent asks for a try only of what is there as a whole
        if slots(cut).spare.deployment() == Some(&item('b').deployment) {
            assert!(is(&boots(cut, true), 'b'), "{at}");
        }
    });
    let mut flag = true;
    let (args, booted) = boot(&disk, &mut flag);
    assert!(is(&args, 'b') && args.contains(" rootling.trial") && args.contains("panic=10"), "{args}");
    assert_eq!(booted, Booted { partition: 3, tryboot: true });
    assert_eq!(pi::trial(&slots(&disk), &item('b').deployment, true), Trial::Spent);
    assert!(is(&boot(&disk, &mut flag).0, 'a'), "not confirmed");

    let change = pi::promote(&slots(&disk), "boot/firmware").unwrap();
    let mut seen = std::collections::BTreeSet::new();
    cut_everywhere(&mut disk, &change.steps, |cut, _| {
        seen.insert(boots(cut, false));
        // also of a half the two slots are found again, and the next promotion is whole
        let there = slots(cut);
        assert_ne!(there.boots.number, there.spare.number);
        assert!(pi::promote(&there, "boot/firmware").is_ok());
    });
    assert_eq!(seen.len(), 2, "both before and after: {seen:?}");
    let args = boots(&disk, false);
    assert!(is(&args, 'b') && !args.contains("rootling.trial") && args.contains("panic=10"), "{args}");
    let after = slots(&disk);
    assert_eq!((after.boots.number, after.spare.number), (3, 2));
    assert_eq!(pi::trial(&after, &item('b').deployment, true), Trial::None);
}
