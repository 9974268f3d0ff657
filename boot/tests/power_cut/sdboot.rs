//! systemd-boot on a FAT partition: no links there, and a rename may show the file under both names.

use crate::disk::{Disk, Node, cut_everywhere};
use crate::lists::{deployment, item};
use rootling_boot::kernel::KernelFiles;
use rootling_boot::loader::{Change, Step};
use rootling_boot::menu::Item;
use rootling_boot::plan::{self, BootVersion};
use rootling_boot::sdboot::{self, CountedName, Entries, Kept, LoaderConf, boot_order};
use rootling_boot::{BootLink, Entry, Error, KernelArgs};

const ENTRIES: &str = "efi/loader/entries";

fn read(disk: &Disk) -> Entries {
    let names = disk.names(ENTRIES);
    let files = names.iter().filter_map(|name| {
        let text = disk.text(&format!("{ENTRIES}/{name}")).unwrap();
        Some((CountedName::parse(name)?, Entry::parse(&text)))
    });
    let conf = LoaderConf::default();
    Entries { partition: "efi".into(), conf, default: None, files: files.collect(), others: Vec::new() }
}

/// Boots once: renames the counted file as the loader does, answers the deployment.
fn boot(disk: &mut Disk) -> String {
    let mut entries = read(disk);
    entries.files.sort_by(boot_order);
    let (name, entry) = &entries.files[0];
    if name.counter.is_some() {
        let node = disk.nodes.remove(&format!("{ENTRIES}/{name}")).unwrap();
        disk.nodes.insert(format!("{ENTRIES}/{}", name.tried()), node);
    }
    let get = |key| entry.get(key).unwrap();
    deployment(disk, &format!("efi{}", get("linux")), &format!("efi{}", get("initrd")), get("options"))
}

fn link(entry: &Entry) -> BootLink {
    BootLink::of(&KernelArgs::parse(entry.get("options").unwrap())).unwrap().unwrap()
}

/// The deployments behind the entries, from the disk alone.
fn kept(disk: &Disk, names: &str) -> Vec<Kept> {
    let entries = read(disk);
    let each = names.chars().map(|name| {
        let item = item(name);
        let entry = entries.files.iter().find(|(_, e)| e.get("linux").unwrap().contains(&item.boot_dir()));
        Kept { link: link(&entry.unwrap_or_else(|| panic!("no entry of {name}")).1), item }
    });
    each.collect()
}

fn version(disk: &Disk) -> BootVersion {
    let sub = disk.real("ostree/boot.0").is_some_and(|path| path.ends_with(".1"));
    BootVersion { boot: 0, sub: u8::from(sub) }
}

fn arm(disk: &Disk, old: &str, new: &Item, dropped: &[CountedName]) -> (Change, CountedName) {
    sdboot::arm(&read(disk), version(disk), &kept(disk, old), new, 2, dropped).unwrap()
}

/// The tries that the name of an entry has left.
fn left(disk: &Disk, name: &CountedName) -> Option<u32> {
    let there = read(disk).files.into_iter().find(|(there, _)| there.stem == name.stem);
    there.unwrap().0.counter.map(|counter| counter.left)
}

/// A device that runs a, confirmed.
fn device() -> Disk {
    let mut disk = Disk::default();
    let (change, name) = sdboot::arm(&read(&disk), version(&disk), &[], &item('a'), 2, &[]).unwrap();
    change.steps.iter().for_each(|step| disk.apply(step));
    sdboot::confirm(&read(&disk), &name).unwrap().steps.iter().for_each(|step| disk.apply(step));
    disk
}

#[test]
fn arming_cut_anywhere_boots_old_or_new_counted() {
    let mut disk = device();
    let (change, name) = arm(&disk, "a", &item('b'), &[]);
    let states = cut_everywhere(&mut disk, &change.steps, |cut, at| {
        let mut cut = cut.clone();
        let boots: String = (0..4).map(|_| boot(&mut cut)).collect();
        assert!(["a.0a.0a.0a.0", "b.0b.0a.0a.0"].contains(&boots.as_str()), "{at}: {boots}");
    });
    assert!(states > 500, "{states}");
    assert_eq!(left(&disk, &name), Some(2));
    assert_eq!(boot(&mut disk), "b.0");
    assert_eq!(left(&disk, &name), Some(1));
}

/// The loader reads one device tree, never a folder, which would only fill the partition.
#[test]
fn one_device_tree_travels_with_the_entry_and_a_folder_does_not() {
    let disk = device();
    for (names, key, is_there) in
        [(("devicetree", false), "devicetree", true), (("dtb", true), "fdtdir", false)]
    {
        let kernel = KernelFiles::find("6.1", [("vmlinuz", false), ("initramfs.img", false), names]);
        let (change, _) = arm(&disk, "a", &Item { kernel, ..item('b') }, &[]);
        let installs = |step: &Step| matches!(step, Step::Disk(plan::Step::Install { from, .. }) if from.ends_with(names.0));
        assert_eq!(change.steps.iter().any(installs), is_there, "{names:?}");
        let text = change.steps.iter().find_map(|step| match step {
            Step::WriteBytes { bytes, .. } => Some(String::from_utf8_lossy(bytes)),
            _ => None,
        });
        assert_eq!(text.unwrap().contains(&format!("\n{key} ")), is_there, "{names:?}");
    }
}

#[test]
fn each_generation_keeps_the_one_before() {
    let mut disk = device();
    let mut running = 'a';
    for next in 'b'..='g' {
        let of = |name: char| {
            let dir = item(name).boot_dir();
            read(&disk)
                .files
                .into_iter()
                .find(|(_, e)| e.get("linux").unwrap().contains(&dir))
                .map(|(n, _)| n)
        };
        let names: Vec<char> = ('a'..next).filter(|name| of(*name).is_some()).collect();
        let oldest = names.first().filter(|_| names.len() > 1).and_then(|name| of(*name));
        let old: String = names.iter().collect();
        let (change, name) = arm(&disk, &old, &item(next), oldest.as_slice());
        cut_everywhere(&mut disk, &change.steps, |cut, at| {
            let mut cut = cut.clone();
            let boots: Vec<String> = (0..4).map(|_| boot(&mut cut)).collect();
            assert!(
                boots.iter().all(|b| *b == format!("{running}.0") || *b == format!("{next}.0")),
                "{at}: {boots:?}"
            );
            assert_eq!(boots[3], format!("{running}.0"), "{at}");
        });
        assert_eq!(boot(&mut disk), format!("{next}.0"));
        let tried = read(&disk).files.iter().find(|(n, _)| n.stem == name.stem).unwrap().0.clone();
        let change = sdboot::confirm(&read(&disk), &tried).unwrap();
        cut_everywhere(&mut disk, &change.steps, |cut, at| {
            let booted = boot(&mut cut.clone());
            assert!(booted == format!("{running}.0") || booted == format!("{next}.0"), "{at}: {booted}");
        });
        assert_eq!((0..3).map(|_| boot(&mut disk)).collect::<String>(), format!("{next}.0").repeat(3));
        assert!(read(&disk).files.len() <= 2, "{:?}", disk.names(ENTRIES));
        running = next;
    }
}

#[test]
fn falling_back_keeps_the_length_of_the_name() {
    let mut disk = device();
    let (change, name) = arm(&disk, "a", &item('b'), &[]);
    change.steps.iter().for_each(|step| disk.apply(step));
    boot(&mut disk);
    let tried = name.tried();
    let change = sdboot::fall_back(&read(&disk), &tried).unwrap();
    cut_everywhere(&mut disk, &change.steps, |cut, _| assert!(!boot(&mut cut.clone()).is_empty()));
    assert_eq!(boot(&mut disk), "a.0");
    assert_eq!(left(&disk, &name), Some(0));
    assert!(disk.names(ENTRIES).contains(&"ostree-2+00-01.conf".to_string()), "{:?}", disk.names(ENTRIES));
}

#[test]
fn a_name_left_twice_by_a_cut_is_repaired_and_two_files_are_refused() {
    let mut disk = device();
    let text = disk.nodes[&format!("{ENTRIES}/ostree-1.conf")].clone();
    disk.nodes.insert(format!("{ENTRIES}/ostree-1+01-01.conf"), text);
    let (change, _) = arm(&disk, "a", &item('b'), &[]);
    change.steps.iter().for_each(|step| disk.apply(step));
    assert_eq!(disk.names(ENTRIES), ["ostree-1.conf", "ostree-2+02-00.conf"]);
    disk.nodes.insert(format!("{ENTRIES}/ostree-1+01-01.conf"), Node::File(b"title other\n".to_vec()));
    let again = sdboot::arm(&read(&disk), version(&disk), &[], &item('c'), 2, &[]);
    assert!(matches!(again, Err(Error::Duplicate { .. })), "{again:?}");
}

#[test]
fn refuses_what_the_loader_would_not_boot_first() {
    let mut disk = device();
    let pinned = Entries { conf: LoaderConf::parse("default ostree-1.conf\n"), ..read(&disk) };
    let error = sdboot::arm(&pinned, version(&disk), &kept(&disk, "a"), &item('b'), 2, &[]).unwrap_err();
    assert!(error.to_string().starts_with("loader.conf default"), "{error}");
    let chosen = |pattern: &str| Entries { default: Some(pattern.into()), ..read(&disk) };
    let arm_with = |entries: &Entries| {
        sdboot::arm(entries, version(&disk), &kept(&disk, "a"), &item('b'), 2, &[]).map(drop)
    };
    for pattern in ["ostree-1.conf", "@saved", "a-other.conf"] {
        let error = arm_with(&chosen(pattern)).unwrap_err().to_string();
        assert!(error.contains("LoaderEntryDefault") && error.contains(pattern), "{error}");
    }
    for pattern in ["", "ostree-*", "ostree-2.conf"] {
        assert_eq!(arm_with(&chosen(pattern)), Ok(()), "{pattern}");
    }
    disk.put(&format!("{ENTRIES}/zz.conf"), b"title other\nlinux /x\n".to_vec());
    let error = sdboot::arm(&read(&disk), version(&disk), &[], &item('b'), 2, &[]).unwrap_err();
    assert!(error.to_string().contains("zz.conf"), "{error}");
}

#[test]
fn what_is_needed_to_fall_back_stays() {
    let disk = device();
    let a = CountedName::parse("ostree-1.conf").unwrap();
    let error =
        sdboot::arm(&read(&disk), version(&disk), &kept(&disk, "a"), &item('b'), 2, &[a]).unwrap_err();
    assert!(error.to_string().contains("a good entry that stays"), "{error}");
    let mut bad = read(&disk);
    bad.files.iter_mut().for_each(|(name, _)| *name = name.bad());
    let error = sdboot::arm(&bad, version(&disk), &kept(&disk, "a"), &item('b'), 2, &[]).unwrap_err();
    assert!(error.to_string().contains("a good entry that stays"), "{error}");
}
