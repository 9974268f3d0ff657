//! The steps that make a list of deployments the one that boots.
//!
//! Two plans, both with one commit point, the rename of a link:
//!
//! ```text
//! swap   the menu changes                    flip   same kernels and arguments, other trees behind them
//!   write  boot/loader.N'/entries/*            write  ostree/boot.N.M'/STATEROOT/BOOTCSUM/SERIAL -> deployment
//!   write  boot/ostree/STATEROOT-BOOTCSUM/*    link   ostree/boot.N.tmp -> boot.N.M'
//!   write  ostree/boot.N'.M'/...               sync
//!   link   ostree/boot.N' -> boot.N'.M'        rename ostree/boot.N.tmp to ostree/boot.N      <- new boots
//!   link   boot/loader.tmp -> loader.N'        sync
//!   sync
//!   rename boot/loader.tmp to boot/loader      <- new boots
//!   sync
//! ```
//!
//! N' and M' are the versions not in use, so no step before the rename touches what the old menu refers to. If
//! power fails before it, the old list boots, whatever part of the writes reached the disk; after it, the new
//! one. Leftovers lie under names that the next plan removes first. Both orders are libostree's.
//!
//! **Invariant:** between two syncs there is no step that a loader could see half of; each rename stands alone.

use crate::menu::{self, Item, Options};

/// Which of the loader directories and link directories are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BootVersion {
    /// N of `boot/loader -> loader.N`: 0 or 1.
    pub boot: u8,
    /// M of `ostree/boot.N -> boot.N.M`: 0 or 1.
    pub sub: u8,
}

/// One change of the disk; paths are relative to the sysroot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Removes a folder with all in it, or a file, or nothing.
    Remove(String),
    /// Makes a folder and those above it.
    MakeDir(String),
    /// Writes a new file.
    Write {
        /// Its path.
        path: String,
        /// All of it.
        text: String,
    },
    /// Makes a symlink in the place of any that is there.
    Link {
        /// What it points to.
        target: String,
        /// Its path.
        path: String,
    },
    /// Puts a boot file, or a folder of them, at a path unless it is there: by hard link, else by a synced copy.
    Install {
        /// In the deployment.
        from: String,
        /// In `/boot`.
        to: String,
        /// Whether it is a folder.
        is_dir: bool,
    },
    /// Waits until all before it is on the disk, on the filesystems of the sysroot and of `/boot`, where a loader finds
    /// it that does not replay the journal.
    Sync,
    /// Renames over what is there: the commit point. What a loader reads below `boot` is kept under `from` where the
    /// file system can exchange names.
    Rename {
        /// The prepared link.
        from: String,
        /// The link that is followed.
        to: String,
    },
}

/// A list of steps, and the versions in use after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In order.
    pub steps: Vec<Step>,
    /// After the last step.
    pub after: BootVersion,
    /// Whether the loader's own files change.
    pub is_swap: bool,
}

impl Plan {
    /// Has a file of a loader change together with the entries; only a swap can.
    pub fn with_loader_file(mut self, name: &str, text: String) -> Plan {
        let before = self.steps.iter().position(|step| *step == Step::Sync).filter(|_| self.is_swap);
        if let Some(at) = before {
            let path = format!("boot/loader.{}/{name}", self.after.boot);
            self.steps.insert(at, Step::Write { path, text });
        }
        self
    }
}

/// Plans the change from `old` to `new`; no steps where nothing would change.
///
/// `unused_sub` is M of the bootversion not in use, where its link exists.
pub fn plan(now: BootVersion, unused_sub: Option<u8>, old: &[Item], new: &[Item], options: &Options) -> Plan {
    if !menu::same_entries(old, new) {
        let boot = other(now.boot);
        return swap(BootVersion { boot, sub: other(unused_sub.unwrap_or(0)) }, new, options);
    }
    if old.iter().map(|i| &i.deployment).eq(new.iter().map(|i| &i.deployment)) {
        return Plan { steps: Vec::new(), after: now, is_swap: false };
    }
    flip(BootVersion { boot: now.boot, sub: other(now.sub) }, new)
}

/// A swap whatever the entries are: for when entries have to be written again.
pub fn swap(after: BootVersion, new: &[Item], options: &Options) -> Plan {
    let BootVersion { boot, sub } = after;
    let loader = format!("boot/loader.{boot}");
    let mut steps = vec![Step::Remove(loader.clone()), Step::MakeDir(format!("{loader}/entries"))];
    for (item, (name, entry)) in new.iter().zip(menu::entries(new, boot, options)) {
        let modules = format!("{}/{}", deployment_path(item), crate::kernel::MODULES);
        let boot_dir = format!("boot/{}", item.boot_dir());
        steps.push(Step::MakeDir(boot_dir.clone()));
        steps.extend(item.kernel.installed().into_iter().map(|file| Step::Install {
            from: format!("{modules}/{}/{}", item.kernel.version, file.source),
            to: format!("{boot_dir}/{}", file.target),
            is_dir: file.is_dir,
        }));
        steps.push(Step::Write { path: format!("{loader}/entries/{name}"), text: entry.to_string() });
    }
    steps.extend(link_steps(after, new));
    steps.push(Step::Link { target: format!("boot.{boot}.{sub}"), path: format!("ostree/boot.{boot}") });
    steps.push(Step::Link { target: ".".into(), path: "boot/boot".into() });
    steps.push(Step::Link { target: format!("loader.{boot}"), path: "boot/loader.tmp".into() });
    steps.push(Step::Sync);
    steps.push(Step::Rename { from: "boot/loader.tmp".into(), to: "boot/loader".into() });
    steps.push(Step::Sync);
    Plan { steps, after, is_swap: true }
}

fn flip(after: BootVersion, new: &[Item]) -> Plan {
    let BootVersion { boot, sub } = after;
    let mut steps = link_steps(after, new);
    steps.push(Step::Link { target: format!("boot.{boot}.{sub}"), path: format!("ostree/boot.{boot}.tmp") });
    steps.push(Step::Sync);
    steps.push(Step::Rename { from: format!("ostree/boot.{boot}.tmp"), to: format!("ostree/boot.{boot}") });
    steps.push(Step::Sync);
    Plan { steps, after, is_swap: false }
}

/// The link directory, one link for each deployment.
fn link_steps(version: BootVersion, new: &[Item]) -> Vec<Step> {
    let dir = format!("ostree/boot.{}.{}", version.boot, version.sub);
    let mut steps = vec![Step::Remove(dir.clone()), Step::MakeDir(dir.clone())];
    for (item, link) in new.iter().zip(menu::links(new, version.boot)) {
        let parent = format!("{dir}/{}/{}", item.stateroot, item.bootcsum);
        steps.push(Step::MakeDir(parent.clone()));
        steps.push(Step::Link {
            target: format!("../../../deploy/{}/deploy/{}", item.stateroot, item.deployment),
            path: format!("{parent}/{}", link.serial),
        });
    }
    steps
}

/// A deployment's folder, relative to the sysroot.
pub fn deployment_path(item: &Item) -> String {
    format!("ostree/deploy/{}/deploy/{}", item.stateroot, item.deployment)
}

/// The other one of 0 and 1.
pub fn other(version: u8) -> u8 {
    u8::from(version == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::menu::tests::item;
    use crate::{BootLink, Entry, KernelArgs};
    use std::collections::BTreeMap;

    /// A disk as far as a boot goes: paths to texts or link targets. Folders exist as their files do.
    #[derive(Clone, Default)]
    struct Disk(BTreeMap<String, String>);

    impl Disk {
        fn apply(&mut self, step: &Step) {
            match step {
                Step::Remove(path) => {
                    let below = format!("{path}/");
                    self.0.retain(|p, _| p != path && !p.starts_with(&below));
                }
                Step::MakeDir(_) | Step::Sync => {}
                Step::Write { path, text } => drop(self.0.insert(path.clone(), text.clone())),
                Step::Link { target, path } => drop(self.0.insert(path.clone(), target.clone())),
                Step::Install { from, to, .. } => drop(self.0.entry(to.clone()).or_insert(from.clone())),
                Step::Rename { from, to } => {
                    if let Some(target) = self.0.remove(from) {
                        self.0.insert(to.clone(), target);
                    }
                }
            }
        }

        /// What would boot, in menu order: follows the loader link as a loader and an initramfs do.
        fn boots(&self) -> Vec<String> {
            let entries = format!("boot/{}/entries/", self.0["boot/loader"]);
            let mut found: Vec<Entry> = self
                .0
                .range(entries.clone()..)
                .take_while(|(p, _)| p.starts_with(&entries))
                .map(|(_, t)| Entry::parse(t))
                .collect();
            found.sort_by(Entry::menu_order);
            found.iter().map(|entry| self.deployment_of(entry)).collect()
        }

        fn deployment_of(&self, entry: &Entry) -> String {
            for key in ["linux", "initrd"] {
                assert!(self.0.contains_key(&format!("boot{}", entry.get(key).unwrap())), "{key} of {entry}");
            }
            let link = BootLink::of(&KernelArgs::parse(entry.get("options").unwrap())).unwrap().unwrap();
            let rest = link.path().split_once('/').unwrap().1.split_once('/').unwrap().1.to_string();
            let current = &self.0[&format!("ostree/boot.{}", link.bootversion)];
            self.0[&format!("ostree/{current}/{rest}")].rsplit_once('/').unwrap().1.to_string()
        }
    }

    fn names(items: &[Item]) -> Vec<String> {
        items.iter().map(|i| i.deployment.clone()).collect()
    }

    /// A generator for the choice of lost writes; any fixed sequence will do.
    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        *state >> 33
    }

    /// The histories of devices: each list follows the one before it.
    fn histories() -> Vec<Vec<Vec<Item>>> {
        let a = item("os", "a.0", 1, "1", "rw");
        let b = item("os", "b.0", 2, "2", "rw");
        let same_kernel = item("os", "c.0", 2, "2", "rw");
        let other_args = item("os", "b.1", 2, "2", "rw quiet");
        vec![
            vec![vec![a.clone()], vec![b.clone(), a.clone()], vec![a.clone(), b.clone()], vec![a.clone()]],
            vec![
                vec![b.clone()],
                vec![same_kernel.clone()],
                vec![b.clone()],
                vec![same_kernel.clone(), b.clone()],
                vec![b.clone(), same_kernel],
            ],
            vec![vec![b.clone()], vec![other_args.clone(), b.clone()], vec![b, other_args, a]],
        ]
    }

    #[test]
    fn every_prefix_and_every_set_of_lost_writes_boots_old_or_new() {
        let (mut seed, mut swaps, mut flips) = (1, 0, 0);
        for history in histories() {
            let (mut disk, mut now, mut old) = (Disk::default(), BootVersion::default(), Vec::new());
            for new in history {
                let unused = disk
                    .0
                    .get(&format!("ostree/boot.{}", other(now.boot)))
                    .map(|t| u8::from(t.ends_with(".1")));
                let planned = plan(now, unused, &old, &new, &Options::default());
                swaps += usize::from(planned.is_swap);
                flips += usize::from(!planned.is_swap && !planned.steps.is_empty());
                let (mut synced, mut since): (Disk, Vec<&Step>) = (disk.clone(), Vec::new());
                for step in &planned.steps {
                    for _ in 0..50 {
                        let mut torn = synced.clone();
                        since
                            .iter()
                            .filter(|_| next(&mut seed).is_multiple_of(2))
                            .for_each(|s| torn.apply(s));
                        if !old.is_empty() {
                            assert!([names(&old), names(&new)].contains(&torn.boots()), "before {step:?}");
                        }
                    }
                    disk.apply(step);
                    match step {
                        Step::Sync => (synced, since) = (disk.clone(), Vec::new()),
                        _ => since.push(step),
                    }
                }
                assert_eq!(disk.boots(), names(&new));
                (now, old) = (planned.after, new);
            }
        }
        assert!(swaps >= 6 && flips >= 2, "{swaps} swaps, {flips} flips");
    }

    #[test]
    fn the_rename_stands_between_two_syncs() {
        for history in histories() {
            let mut old: Vec<Item> = Vec::new();
            for new in history {
                let steps = plan(BootVersion::default(), None, &old, &new, &Options::default()).steps;
                let at = steps.iter().position(|s| matches!(s, Step::Rename { .. })).unwrap();
                assert_eq!((&steps[at - 1], &steps[at + 1], steps.len()), (&Step::Sync, &Step::Sync, at + 2));
                old = new;
            }
        }
    }

    #[test]
    fn does_nothing_for_the_same_list() {
        let list = [item("os", "a.0", 1, "1", "rw")];
        assert_eq!(plan(BootVersion { boot: 1, sub: 0 }, None, &list, &list, &Options::default()).steps, []);
    }

    #[test]
    fn uses_versions_that_are_not_in_use() {
        let (a, b) = (item("os", "a.0", 1, "1", "rw"), item("os", "b.0", 1, "1", "rw"));
        let now = BootVersion { boot: 1, sub: 1 };
        let flip =
            plan(now, Some(0), std::slice::from_ref(&a), std::slice::from_ref(&b), &Options::default());
        assert_eq!((flip.after, flip.is_swap), (BootVersion { boot: 1, sub: 0 }, false));
        let swap = plan(now, Some(0), std::slice::from_ref(&a), &[b, a.clone()], &Options::default());
        assert_eq!((swap.after, swap.is_swap), (BootVersion { boot: 0, sub: 1 }, true));
    }
}
