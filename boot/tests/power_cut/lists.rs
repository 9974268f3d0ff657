//! Deployments, and the plans that swap lists of them.

use crate::disk::Disk;
use rootling_boot::menu::{Item, Options};
use rootling_boot::plan::{self, BootVersion, Plan};
use rootling_boot::{BootLink, Entry, KernelArgs, KernelFiles};
use rootling_object::Checksum;

/// A deployment with a kernel of its own.
pub fn item(name: char) -> Item {
    Item {
        stateroot: "os".into(),
        deployment: format!("{name}.0"),
        bootcsum: Checksum([name as u8; 32]),
        version: Some(name.to_string()),
        os_title: "Test OS".into(),
        kernel: KernelFiles::find("6.1", [("vmlinuz", false), ("initramfs.img", false)]),
        entry: Entry::parse("options root=LABEL=ROOT panic=10\n"),
        entry_name: None,
    }
}

pub fn items(names: &str) -> Vec<Item> {
    names.chars().map(item).collect()
}

/// The bootversion in use, from the disk alone.
pub fn in_use(disk: &Disk) -> BootVersion {
    let boot = u8::from(disk.real("boot/loader").unwrap().ends_with('1'));
    let sub = u8::from(disk.real(&format!("ostree/boot.{boot}")).unwrap().ends_with(".1"));
    BootVersion { boot, sub }
}

/// The entries as the plan writes them, for a loader's own file.
pub fn entries(names: &str, boot: u8) -> Vec<Entry> {
    let options = Options { bootprefix: true, ..Options::default() };
    rootling_boot::menu::entries(&items(names), boot, &options).into_iter().map(|(_, entry)| entry).collect()
}

/// The name of a loader's own file, and how it is made of the entries.
pub type LoaderFile<'a> = (&'a str, &'a dyn Fn(&[Entry]) -> String);

/// The plan that makes a list the one in use; `file` makes the loader's own file of its entries.
pub fn swap(disk: &Disk, names: &str, file: Option<LoaderFile>) -> Plan {
    let after = match disk.nodes.contains_key("boot/loader") {
        true => BootVersion { boot: plan::other(in_use(disk).boot), sub: 0 },
        false => BootVersion { boot: 0, sub: 0 },
    };
    let options = Options { bootprefix: true, ..Options::default() };
    let plan = plan::swap(after, &items(names), &options);
    match file {
        Some((name, make)) => plan.with_loader_file(name, make(&entries(names, after.boot))),
        None => plan,
    }
}

/// The deployment that a kernel and its arguments come to; panics where a file or link is missing.
pub fn deployment(disk: &Disk, linux: &str, initrd: &str, args: &str) -> String {
    for path in [linux, initrd] {
        assert!(disk.read(path).is_some(), "{path} is not there");
    }
    let link = BootLink::of(&KernelArgs::parse(args)).unwrap().expect("no ostree= argument");
    let target = disk.real(&link.path()).unwrap();
    target.rsplit_once('/').unwrap().1.to_string()
}
