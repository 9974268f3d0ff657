//! Firmware that boots a kernel itself: BootNext, BootOrder, and firmware that drops entries.

use crate::disk::{Disk, cut_everywhere};
use rootling_boot::efi::{self, DevicePath, Firmware, First, LoadOption, Number, Place};
use rootling_boot::loader::{Change, Step};

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
