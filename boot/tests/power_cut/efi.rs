//! Firmware that boots a kernel itself: BootNext, BootOrder, and firmware that drops entries.

use crate::disk::{Disk, cut_everywhere};
use rootling_boot::efi::{self, DevicePath, Firmware, LoadOption, Number};
use rootling_boot::loader::{Change, Step, Trial};
use rootling_boot::plan;

fn option(name: char) -> LoadOption {
    let file = format!("/EFI/Linux/{name}.efi");
    LoadOption::new("Rootling", DevicePath::file(1, 2048, 4096, [7; 16], &file), "quiet panic=10")
}

fn firmware(disk: &Disk) -> Firmware {
    Firmware::decode(disk.variables.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))).unwrap()
}

/// The firmware: clears BootNext, boots it or else the first of BootOrder whose file is whole.
fn boot(disk: &mut Disk) -> String {
    let there = firmware(disk);
    disk.variables.remove(&efi::global("BootNext"));
    let numbers = there.next.into_iter().chain(there.order.clone());
    let files = numbers.filter_map(|number| Some(there.option(number)?.path.file_name()?.replace('\\', "/")));
    let mut whole =
        files.filter_map(|file| disk.text(&format!("efi{file}")).filter(|text| text.ends_with("whole")));
    whole.next().expect("nothing boots")
}

fn prepared(name: char) -> Change {
    let path = format!("efi/EFI/Linux/{name}.efi");
    let write = Step::WriteBytes { path, bytes: format!("{name} is whole").into_bytes() };
    Change { steps: vec![write], reboot_argument: None }
}

/// A device that runs a, confirmed.
fn device() -> Disk {
    let mut disk = Disk::default();
    prepared('a').steps.iter().for_each(|step| disk.apply(step));
    let bytes = |data: &[u8]| efi::Variable { attributes: efi::ATTRIBUTES, data }.encode();
    disk.variables.insert(Number(0).variable(), bytes(&option('a').encode().unwrap()));
    disk.variables.insert(efi::global("BootOrder"), bytes(&efi::encode_numbers(&[Number(0)])));
    disk
}

#[test]
fn arming_and_confirming_cut_anywhere() {
    let mut disk = device();
    let (change, number) = efi::arm(&firmware(&disk), prepared('b'), &option('b')).unwrap();
    assert!(change.steps.contains(&Step::Disk(plan::Step::Sync)));
    cut_everywhere(&mut disk, &change.steps, |cut, at| {
        let mut cut = cut.clone();
        let boots: Vec<String> = (0..3).map(|_| boot(&mut cut)).collect();
        assert!(boots[0] == "a is whole" || boots[0] == "b is whole", "{at}: {boots:?}");
        assert_eq!(boots[1..], ["a is whole", "a is whole"], "{at}");
    });
    assert_eq!(efi::trial(&firmware(&disk), number), Trial::Left(1));
    assert_eq!(boot(&mut disk), "b is whole");
    assert_eq!(efi::trial(&firmware(&disk), number), Trial::Spent);
    let change = efi::confirm(&firmware(&disk), number).unwrap();
    cut_everywhere(&mut disk, &change.steps, |cut, _| assert!(!boot(&mut cut.clone()).is_empty()));
    assert_eq!([boot(&mut disk), boot(&mut disk)], ["b is whole", "b is whole"]);
    assert_eq!(firmware(&disk).order, [number, Number(0)]);
    let change = efi::fall_back(&firmware(&disk), number).unwrap();
    change.steps.iter().for_each(|step| disk.apply(step));
    assert_eq!(boot(&mut disk), "a is whole");
}

#[test]
fn what_the_firmware_drops_comes_back_and_every_cut_boots() {
    let ours = [(Number(1), option('b')), (Number(0), option('a'))];
    let mut disk = device();
    prepared('b').steps.iter().for_each(|step| disk.apply(step));
    let dropped = efi::dropped(&firmware(&disk), &ours);
    assert_eq!(dropped, [Number(1)]);
    let change = efi::repair(&firmware(&disk), &ours).unwrap();
    cut_everywhere(&mut disk, &change.steps, |cut, _| assert!(!boot(&mut cut.clone()).is_empty()));
    assert_eq!(boot(&mut disk), "b is whole");
    assert_eq!(efi::dropped(&firmware(&disk), &ours), []);
    assert_eq!(efi::repair(&firmware(&disk), &ours).unwrap().steps, []);
}

#[test]
fn firmware_with_nothing_to_fall_back_to_is_refused() {
    let mut disk = device();
    disk.variables.remove(&efi::global("BootOrder"));
    let error = efi::arm(&firmware(&disk), prepared('b'), &option('b')).unwrap_err();
    assert!(error.to_string().contains("the confirmed entry first"), "{error}");
    assert!(efi::confirm(&firmware(&device()), Number(9)).is_err());
    assert!(
        efi::fall_back(&firmware(&device()), Number(0)).unwrap_err().to_string().contains("fall back to")
    );
}
