//! A list of deployments as a boot menu: which entry each one gets, and when the menu has to be rewritten at all.
//!
//! The first item is the default. An entry's `version` and the index in its file name count from the end, so
//! that the default has the highest; its title is `OS [VERSION] (ostree[:STATEROOT]:PLACE)`, PLACE from 0.

use crate::bootlink::BootLink;
use crate::entry::Entry;
use crate::entry_name::{EntryName, Naming, Tries};
use crate::kargs::KernelArgs;
use crate::kernel::{DeviceTree, KernelFiles, PREPARE_ROOT};
use rootling_object::Checksum;

/// A deployment as a boot menu shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The stateroot it belongs to.
    pub stateroot: String,
    /// The name of its folder: `CHECKSUM.SERIAL`.
    pub deployment: String,
    /// Over its kernel, initramfs and device tree.
    pub bootcsum: Checksum,
    /// The `version` of its commit.
    pub version: Option<String>,
    /// The title from its os-release.
    pub os_title: String,
    /// Its boot files.
    pub kernel: KernelFiles,
    /// The entry it had, or one with `options` only.
    pub entry: Entry,
    /// The name that entry had on disk.
    pub entry_name: Option<EntryName>,
}

/// How entries are written on this device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The form of file names.
    pub naming: Naming,
    /// Paths in entries begin with `/boot`: for loaders that do not see `/boot` as their root (`sysroot.bootprefix`).
    pub bootprefix: bool,
    /// New entries get this many tries (`sysroot.boot-counting-tries`).
    pub tries: Option<u32>,
}

impl Item {
    /// Where its boot files lie, below `/boot`.
    pub fn boot_dir(&self) -> String {
        format!("ostree/{}-{}", self.stateroot, self.bootcsum)
    }

    /// Its kernel arguments without those that this crate writes itself.
    pub fn kernel_args(&self) -> KernelArgs {
        let mut args = KernelArgs::parse(self.entry.get("options").unwrap_or_default());
        args.remove_key("ostree");
        if args
            .last("init")
            .is_some_and(|init| init.starts_with("/ostree/boot.") && init.ends_with(PREPARE_ROOT))
        {
            args.remove_key("init");
        }
        args
    }

    /// Whether a loader that has `other`'s entry also boots this one.
    fn boots_alike(&self, other: &Item) -> bool {
        self.bootcsum == other.bootcsum
            && self.stateroot == other.stateroot
            && self.version == other.version
            && self.kernel_args() == other.kernel_args()
            && self.entry.initrds().skip(1).eq(other.entry.initrds().skip(1))
    }
}

/// Whether the entries on disk for `old` also serve `new`, so that the links behind them are all that changes.
pub fn same_entries(old: &[Item], new: &[Item]) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|(a, b)| a.boots_alike(b))
}

/// The boot links of a list: deployments with the same boot checksum are numbered in order.
pub fn links(items: &[Item], bootversion: u8) -> Vec<BootLink> {
    let mut links: Vec<BootLink> = Vec::with_capacity(items.len());
    for item in items {
        let serial = (0..).zip(links.iter().filter(|l| l.bootcsum == item.bootcsum)).count();
        links.push(BootLink {
            bootversion,
            stateroot: item.stateroot.clone(),
            bootcsum: item.bootcsum,
            serial: u32::try_from(serial).unwrap_or(u32::MAX),
        });
    }
    links
}

/// The file names and texts of all entries, in the order of the items.
pub fn entries(items: &[Item], bootversion: u8, options: &Options) -> Vec<(EntryName, Entry)> {
    let several = items.iter().any(|i| Some(&i.stateroot) != items.first().map(|f| &f.stateroot));
    let places = items.iter().zip(links(items, bootversion)).enumerate();
    let each = places.map(|(place, (item, link))| {
        let index = u32::try_from(items.len().saturating_sub(place)).unwrap_or(u32::MAX);
        let mut name = EntryName::new(index, &item.stateroot, options.naming);
        name.tries = options.tries.and_then(|tries| match &item.entry_name {
            None => Some(Tries { left: tries, done: 0 }),
            Some(read) => read.tries,
        });
        (name, entry(item, place, index, &link, several, options))
    });
    each.collect()
}

pub(crate) fn entry(
    item: &Item,
    place: usize,
    index: u32,
    link: &BootLink,
    several: bool,
    options: &Options,
) -> Entry {
    let prefix = if options.bootprefix { "/boot/" } else { "/" };
    let in_boot = |name: &str| format!("{prefix}{}/{name}", item.boot_dir());

    let mut title = item.os_title.clone();
    // a search by bytes: that of a text brings a thousand bytes of code
    let says = |v: &str| title.as_bytes().windows(v.len()).any(|there| there == v.as_bytes());
    if let Some(version) = item.version.as_deref().filter(|v| !v.is_empty() && !says(v)) {
        title = format!("{title} {version}");
    }
    let stateroot = if several { format!(":{}", item.stateroot) } else { String::new() };

    let mut args = item.kernel_args();
    if item.kernel.initramfs.is_none() {
        args.set("init", &format!("{link}/{PREPARE_ROOT}"));
    }
    args.set("ostree", &link.to_string());

    let mut entry = item.entry.clone();
    entry.set("title", &format!("{title} (ostree{stateroot}:{place})"));
    entry.set("version", &index.to_string());
    entry.set("options", &args.to_string());
    entry.set("linux", &in_boot(&item.kernel.kernel_name()));
    let overlays: Vec<String> = entry.initrds().skip(1).map(String::from).collect();
    entry.remove("initrd");
    if let Some(initramfs) = item.kernel.initramfs_name() {
        entry.push("initrd", &in_boot(&initramfs));
        overlays.iter().for_each(|overlay| entry.push("initrd", overlay));
    }
    for (key, kind) in [("devicetree", DeviceTree::File), ("fdtdir", DeviceTree::Dir)] {
        match item.kernel.devicetree_name().filter(|_| item.kernel.devicetree == kind) {
            Some(name) => entry.set(key, &in_boot(&name)),
            None => entry.remove(key),
        }
    }
    entry
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn item(stateroot: &str, deployment: &str, kernel: u8, version: &str, options: &str) -> Item {
        Item {
            stateroot: stateroot.into(),
            deployment: deployment.into(),
            bootcsum: Checksum([kernel; 32]),
            version: Some(version.into()),
            os_title: "Test OS".into(),
            kernel: KernelFiles::find("6.1", [("vmlinuz", false), ("initramfs.img", false)]),
            entry: Entry::parse(&format!("options {options}\n")),
            entry_name: None,
        }
    }

    fn texts(items: &[Item], options: &Options) -> Vec<(String, String)> {
        let both = entries(items, 1, options).into_iter();
        both.map(|(name, entry)| (name.to_string(), entry.to_string())).collect()
    }

    #[test]
    fn numbers_entries_from_the_end_and_links_from_the_start() {
        let items = [item("os", "b.0", 7, "2", "quiet"), item("os", "a.0", 7, "1", "rw ostree=/old")];
        let sum = "07".repeat(32);
        let got = texts(&items, &Options::default());
        assert_eq!(got[0].0, "ostree-2.conf");
        assert_eq!(
            got[0].1,
            format!(
                "title Test OS 2 (ostree:0)\nversion 2\noptions quiet ostree=/ostree/boot.1/os/{sum}/0\n\
                 linux /ostree/os-{sum}/vmlinuz-6.1\ninitrd /ostree/os-{sum}/initramfs-6.1.img\n"
            )
        );
        assert_eq!(got[1].0, "ostree-1.conf");
        assert!(got[1].1.contains(&format!("options rw ostree=/ostree/boot.1/os/{sum}/1\n")), "{}", got[1].1);
    }

    #[test]
    fn names_the_stateroot_only_where_there_are_two() {
        let items = [item("b", "b.0", 7, "2", ""), item("a", "a.0", 8, "Test OS", "")];
        let got = texts(&items, &Options { naming: Naming::IndexStateroot, bootprefix: true, tries: None });
        assert_eq!(got[1].0, "ostree-1-a.conf");
        assert!(got[0].1.starts_with("title Test OS 2 (ostree:b:0)\n"), "{}", got[0].1);
        assert!(
            got[1].1.starts_with("title Test OS (ostree:a:1)\n"),
            "version is in the title: {}",
            got[1].1
        );
        assert!(got[0].1.contains("linux /boot/ostree/b-07"), "{}", got[0].1);
    }

    #[test]
    fn starts_prepare_root_where_there_is_no_initramfs() {
        let mut bare =
            item("os", "a.0", 9, "1", "init=/ostree/boot.0/os/x/0/usr/lib/ostree/ostree-prepare-root rw");
        bare.kernel = KernelFiles::find("6.1", [("vmlinuz", false), ("dtb", true)]);
        bare.entry.push("initrd", "/gone");
        bare.entry.set("devicetree", "/gone");
        let text = &texts(&[bare], &Options::default())[0].1;
        let link = format!("/ostree/boot.1/os/{}/0", "09".repeat(32));
        assert!(
            text.contains(&format!(
                "options rw init={link}/usr/lib/ostree/ostree-prepare-root ostree={link}\n"
            )),
            "{text}"
        );
        assert!(text.contains("fdtdir /ostree/os-0909") && !text.contains("gone"), "{text}");
    }

    #[test]
    fn keeps_overlays_and_unknown_keys() {
        let mut old = item("os", "a.0", 9, "1", "rw");
        old.entry = Entry::parse("options rw\ninitrd /main\ninitrd /overlay.img\nx-note kept\n");
        let text = &texts(&[old], &Options::default())[0].1;
        assert!(text.ends_with("initramfs-6.1.img\ninitrd /overlay.img\nx-note kept\n"), "{text}");
    }

    #[test]
    fn counts_tries_of_new_entries_and_keeps_those_of_old_ones() {
        let fresh = item("os", "c.0", 9, "3", "");
        let mut tried = item("os", "b.0", 9, "2", "");
        tried.entry_name = EntryName::parse("ostree-2+1-2.conf");
        let mut good = item("os", "a.0", 9, "1", "");
        good.entry_name = EntryName::parse("ostree-1.conf");
        let got = texts(&[fresh, tried, good], &Options { tries: Some(3), ..Options::default() });
        let names: Vec<&str> = got.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ostree-3+3.conf", "ostree-2+1-2.conf", "ostree-1.conf"]);
    }

    #[test]
    fn sees_when_entries_have_to_change() {
        let base = item("os", "a.0", 7, "1", "quiet ostree=/x");
        let other = |change: fn(&mut Item)| {
            let mut changed = base.clone();
            change(&mut changed);
            same_entries(std::slice::from_ref(&base), &[changed])
        };
        assert!(other(|i| i.deployment = "b.0".into()));
        assert!(other(|i| i.entry.set("options", "quiet ostree=/y")));
        assert!(!other(|i| i.entry.set("options", "quiet rw")));
        assert!(!other(|i| i.bootcsum = Checksum([8; 32])));
        assert!(!other(|i| i.version = None));
        assert!(!other(|i| i.stateroot = "b".into()));
        assert!(!other(|i| i.entry = Entry::parse("options quiet\ninitrd /a\ninitrd /b\n")));
        assert!(!same_entries(std::slice::from_ref(&base), &[base.clone(), base.clone()]));
    }
}
