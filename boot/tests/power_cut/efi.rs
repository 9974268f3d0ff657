//! Firmware that boots a kernel itself: BootNext, BootOrder, and firmware that drops entries.

use crate::disk::{Disk, cut_everywhere};
use rootling_boot::efi::{self, DevicePath, Firmware, First, LoadOption, Number, Place};
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
    Change { steps: vec![write] }
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

/// An entry of a list; `links` stands for the arguments that change with every list.
fn listed(name: char, links: u8) -> LoadOption {
    let file = format!("/EFI/rootling/{name}.efi");
    let path = DevicePath::file(1, 2048, 4096, [7; 16], &file);
    LoadOption::new(&efi::description(&format!("{name}.0")), path, &format!("links={links}"))
}

#[test]
fn entries_follow_a_list_and_every_cut_boots() {
    let mut disk = Disk::default();
    for name in ['a', 'b', 'c'] {
        let path = format!("efi/EFI/rootling/{name}.efi");
        disk.apply(&Step::WriteBytes { path, bytes: format!("{name} is whole").into_bytes() });
    }
    let bytes = |data: &[u8]| efi::Variable { attributes: efi::ATTRIBUTES, data }.encode();
    disk.variables.insert(Number(0).variable(), bytes(&option('z').encode().unwrap()));
    disk.variables.insert(efi::global("BootOrder"), bytes(&efi::encode_numbers(&[Number(0)])));
    let whole = |name: char| format!("{name} is whole");
    let follow = |disk: &mut Disk, names: &str, links: u8, first: First, may: &str| {
        let list: Vec<_> = names.chars().map(|name| listed(name, links)).collect();
        let change = efi::follow(&firmware(disk), &list, first).unwrap();
        assert!(!change.steps.is_empty());
        let tried = list[0].description.clone();
        cut_everywhere(disk, &change.steps, |cut, at| {
            let mut cut = cut.clone();
            let (now, place) = (cut.clone(), firmware(&cut).place(tried.trim_start_matches("Rootling ")));
            let boots = [boot(&mut cut), boot(&mut cut)];
            assert!(may.is_empty() || may.chars().any(|name| boots[0] == whole(name)), "{at}: {boots:?}");
            if first == First::Next {
                assert_eq!(boots[1], whole(list[1].description.chars().nth(9).unwrap()), "{at}");
                let tried = boots[0] == whole(names.chars().next().unwrap());
                assert!(tried || matches!(place, Place::Absent | Place::First), "{at}: looks as if tried");
            }
            // a second run ends where the first would have
            let change = efi::follow(&firmware(&now), &list, first).unwrap();
            let mut again = now;
            change.steps.iter().for_each(|step| again.apply(step));
            assert_eq!(efi::follow(&firmware(&again), &list, first).unwrap().steps, [], "{at}");
        });
        let there = firmware(disk);
        let ours = there.options.iter().filter(|(_, option)| option.description.starts_with("Rootling "));
        assert_eq!(
            ours.filter(|(_, o)| o.path.file_name() != Some("\\EFI\\Linux\\z.efi")).count(),
            list.len()
        );
        assert_eq!(there.order.last(), Some(&Number(0)), "entries of others stay");
    };
    assert!(disk.text("efi/EFI/rootling/a.efi").is_some());
    follow_all(&mut disk, follow, whole);
}

fn set_order(disk: &mut Disk, numbers: &[Number]) {
    let file = efi::Variable { attributes: efi::ATTRIBUTES, data: &efi::encode_numbers(numbers) }.encode();
    disk.variables.insert(efi::global("BootOrder"), file);
}

fn follow_all(
    disk: &mut Disk,
    follow: impl Fn(&mut Disk, &str, u8, First, &str),
    whole: impl Fn(char) -> String,
) {
    prepared('z').steps.iter().for_each(|step| disk.apply(step));
    follow(disk, "a", 0, First::Confirmed, "za");
    follow(disk, "ba", 1, First::Next, "ab");
    assert_eq!((firmware(disk).place("b.0"), boot(disk)), (Place::Next, whole('b')));
    assert_eq!(firmware(disk).place("b.0"), Place::Behind);
    follow(disk, "ba", 0, First::Tried, "a");
    let change = efi::promote(&firmware(disk), "b.0");
    cut_everywhere(disk, &change.steps, |cut, _| assert!(!boot(&mut cut.clone()).is_empty()));
    assert_eq!(boot(disk), whole('b'));
    follow(disk, "ba", 1, First::Confirmed, "b");
    // a number that the firmware dropped an entry of must not become the new one's while it comes first
    let there = firmware(disk);
    let free = (0..).map(Number).find(|number| there.option(*number).is_none()).unwrap();
    set_order(disk, &[&[free], there.order.as_slice()].concat());
    follow(disk, "cba", 1, First::Next, "bc");
    let change = efi::withdraw(&firmware(disk), &["c.0"]);
    cut_everywhere(disk, &change.steps, |cut, at| {
        let mut cut = cut.clone();
        boot(&mut cut);
        assert_eq!(boot(&mut cut), whole('b'), "{at}");
    });
    assert_eq!((firmware(disk).place("c.0"), boot(disk)), (Place::Absent, whole('b')));
    follow(disk, "ba", 1, First::Confirmed, "b");
    // what boots is to prove itself after all
    let list = [listed('b', 1), listed('a', 1)];
    let change = efi::follow(&firmware(disk), &list, First::Next).unwrap();
    cut_everywhere(disk, &change.steps, |cut, at| {
        let mut cut = cut.clone();
        let is_next = firmware(&cut).place("b.0") == Place::Next;
        boot(&mut cut);
        assert!(boot(&mut cut) == whole('a') || !is_next, "{at}");
    });
    assert_eq!([boot(disk), boot(disk)], [whole('b'), whole('a')]);
    follow(disk, "b", 0, First::Tried, "ab");
    assert_eq!(boot(disk), whole('b'), "nothing to fall back to");
}
