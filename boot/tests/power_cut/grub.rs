//! GRUB with the generated configuration, run as GRUB would run it.

use crate::disk::{Disk, cut_everywhere};
use crate::grub_script::Grub;
use crate::lists::{deployment, swap};
use rootling_boot::grub::{self, GrubEnv, greenboot};
use rootling_boot::loader::{Trial, TrialId};
use rootling_boot::plan::Plan;

/// Boots once: answers the deployment, and leaves the disk as GRUB leaves it.
fn boot(disk: &mut Disk, read_only: bool) -> String {
    let text = disk.text(grub::CONFIG).expect("grub.cfg");
    let mut grub =
        Grub { disk, variables: [("prefix".into(), "/boot/grub".into())].into(), entries: vec![], read_only };
    grub.run(&text);
    let place: usize = grub.variables["default"].parse().unwrap();
    let entry = grub.entries[place.min(grub.entries.len() - 1)].clone();
    deployment(disk, &entry.linux[0], &entry.initrd[0], &entry.linux[1..].join(" "))
}

fn env(disk: &Disk) -> GrubEnv {
    // a torn block is made anew, as the agent does
    GrubEnv::decode(&disk.read(grub::ENV).unwrap()).unwrap_or_default()
}

fn list(disk: &Disk, names: &str, trial: Option<&TrialId>) -> Plan {
    swap(disk, names, Some((grub::MENU, &|entries| grub::menu(entries, trial))))
}

fn device() -> Disk {
    let mut disk = Disk::default();
    let plan = list(&disk, "a", None);
    rootling_boot::loader::Change::from(plan).steps.iter().for_each(|step| disk.apply(step));
    grub::install(0).unwrap().steps.iter().for_each(|step| disk.apply(step));
    disk
}

fn id(name: &str) -> TrialId {
    TrialId::parse(&format!("{name}.0")).unwrap()
}

fn armed() -> Disk {
    let mut disk = device();
    let change = grub::arm(&env(&disk), list(&disk, "ba", Some(&id("b"))), &id("b"), 3).unwrap();
    change.steps.iter().for_each(|step| disk.apply(step));
    disk
}

#[test]
fn arming_cut_anywhere_boots_old_or_new_counted() {
    // the last two: what a deployment of the same name left
    for left in [None, Some("b.0:good"), Some("b.0:0")] {
        let mut disk = device();
        if let Some(left) = left {
            let mut env = env(&disk);
            env.set("rootling_try", left).unwrap();
            disk.put(grub::ENV, env.encode().unwrap());
        }
        let change = grub::arm(&env(&disk), list(&disk, "ba", Some(&id("b"))), &id("b"), 3).unwrap();
        let states = cut_everywhere(&mut disk, &change.steps, |cut, at| {
            let mut cut = cut.clone();
            // whatever boots: four boots without a confirmation end at the old one, and stay there
            let boots: Vec<String> = (0..6).map(|_| boot(&mut cut, false)).collect();
            assert!(boots.iter().all(|b| b == "a.0" || b == "b.0"), "{at}: {boots:?}");
            assert_eq!(boots[3..], ["a.0", "a.0", "a.0"], "{at}, {left:?} before: {boots:?}");
        });
        assert!(states > 500, "{states}");
        assert_eq!((0..5).map(|_| boot(&mut disk, false)).collect::<String>(), "b.0b.0b.0a.0a.0");
        assert_eq!(grub::trial(&env(&disk), &id("b")), Trial::Spent);
    }
}

#[test]
fn confirming_cut_anywhere_never_loses_the_new() {
    let mut disk = armed();
    assert_eq!(boot(&mut disk, false), "b.0");
    let change = grub::confirm(&env(&disk), &id("b"), list(&disk, "ba", None)).unwrap();
    cut_everywhere(&mut disk, &change.steps, |cut, at| {
        let next = boot(&mut cut.clone(), false);
        assert!(next == "a.0" || next == "b.0", "{at}: {next}");
    });
    // from now on nothing depends on the environment
    disk.put(grub::ENV, vec![0; 1024]);
    assert_eq!((0..5).map(|_| boot(&mut disk, false)).collect::<String>(), "b.0".repeat(5));
}

#[test]
fn falling_back_by_hand_cut_anywhere() {
    let mut disk = armed();
    let change = grub::fall_back(&env(&disk), &id("b"), list(&disk, "a", None)).unwrap();
    cut_everywhere(&mut disk, &change.steps, |cut, at| {
        let next = boot(&mut cut.clone(), false);
        assert!(next == "a.0" || next == "b.0", "{at}: {next}");
    });
    assert_eq!(boot(&mut disk, false), "a.0");
}

#[test]
fn a_damaged_environment_selects_the_confirmed_entry() {
    for damage in [vec![], vec![0; 1024], b"# GRUB Environment Block\n".to_vec(), vec![b'#'; 1024]] {
        let mut disk = armed();
        disk.put(grub::ENV, damage.clone());
        assert_eq!(boot(&mut disk, false), "a.0", "{} bytes", damage.len());
    }
    for at in 0..1024 {
        let mut disk = armed();
        let mut bytes = disk.read(grub::ENV).unwrap();
        bytes[at] ^= 1;
        disk.put(grub::ENV, bytes);
        let boots: String = (0..6).map(|_| boot(&mut disk, false)).collect();
        assert!(boots.ends_with("a.0a.0a.0"), "byte {at}: {boots}");
    }
}

#[test]
fn a_count_that_cannot_be_saved_is_no_try() {
    assert_eq!(boot(&mut armed(), true), "a.0");
}

#[test]
fn next_arming_replaces_the_last() {
    let mut disk = armed();
    let change = grub::confirm(&env(&disk), &id("b"), list(&disk, "ba", None)).unwrap();
    change.steps.iter().for_each(|step| disk.apply(step));
    let change = grub::arm(&env(&disk), list(&disk, "cba", Some(&id("c"))), &id("c"), 1).unwrap();
    cut_everywhere(&mut disk, &change.steps, |cut, at| {
        let mut cut = cut.clone();
        let boots: String = (0..4).map(|_| boot(&mut cut, false)).collect();
        assert!(["b.0b.0b.0b.0", "c.0b.0b.0b.0"].contains(&boots.as_str()), "{at}: {boots}");
    });
}

/// What greenboot's own configuration does, in words of this test.
fn boot_greenboot(disk: &mut Disk) -> String {
    let mut env = disk.read(grub::ENV).and_then(|b| GrubEnv::decode(&b).ok()).unwrap_or_default();
    let mut place = 0;
    if env.get("boot_success").as_deref() == Some("0")
        && let Some(counter) = env.get("boot_counter")
    {
        let left: i32 = counter.parse().unwrap_or(0);
        place = usize::from(left <= 0);
        env.set("boot_counter", &(left - 1).max(-1).to_string()).unwrap();
        disk.put(grub::ENV, env.encode().unwrap());
    }
    let names = disk.names("boot/loader/entries");
    let mut entries: Vec<_> = names
        .iter()
        .map(|name| rootling_boot::Entry::parse(&disk.text(&format!("boot/loader/entries/{name}")).unwrap()))
        .collect();
    entries.sort_by(rootling_boot::Entry::menu_order);
    let entry = &entries[place.min(entries.len() - 1)];
    let get = |key| entry.get(key).unwrap();
    deployment(disk, get("linux"), get("initrd"), get("options"))
}

#[test]
fn greenboot_counts_before_the_list_changes() {
    let mut disk = device();
    let change = greenboot::arm(grub::ENV, &env(&disk), swap(&disk, "ba", None), 2).unwrap();
    cut_everywhere(&mut disk, &change.steps, |cut, at| {
        let mut cut = cut.clone();
        let boots: String = (0..4).map(|_| boot_greenboot(&mut cut)).collect();
        assert!(["a.0a.0a.0a.0", "b.0b.0a.0a.0"].contains(&boots.as_str()), "{at}: {boots}");
    });
    assert_eq!(greenboot::trial(&env(&disk)), Trial::Left(2));
    let mut good = disk.clone();
    greenboot::confirm(grub::ENV, &env(&good)).unwrap().steps.iter().for_each(|step| good.apply(step));
    assert_eq!((0..4).map(|_| boot_greenboot(&mut good)).collect::<String>(), "b.0".repeat(4));
    let change = greenboot::fall_back(grub::ENV, &env(&disk), swap(&disk, "a", None)).unwrap();
    cut_everywhere(&mut disk, &change.steps, |cut, at| {
        let next = boot_greenboot(&mut cut.clone());
        assert!(next == "a.0" || next == "b.0", "{at}: {next}");
    });
    assert_eq!(boot_greenboot(&mut disk), "a.0");
}
