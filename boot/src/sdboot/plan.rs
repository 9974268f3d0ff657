//! The plans of systemd-boot, in two transactions because FAT has no symlinks.
//!
//! ```text
//! arm   1  ostree/boot.N.M'/... with the links of all entries and the new one's      nobody follows them yet
//!          sync, rename ostree/boot.N -> boot.N.M', sync                             same meaning for old entries
//!       2  PARTITION/ostree/STATEROOT-BOOTCSUM/* , sync                              no entry names them
//!       3  PARTITION/loader/entries/ostree-K+03-00.conf.rootling-tmp, sync, rename, sync      <- the new one boots, counted
//!       4  remove entries that are to go, sync                                       neither boots first
//! confirm      rename to ostree-K.conf
//! fall back    rename to ostree-K+00-DONE.conf: same length, so one write
//! ```
//! K is higher than that of any entry on the partition, for the highest boots first. Kept entries are not
//! rewritten: their links keep their serials. A rename that a cut left half done shows one file under two names;
//! the counted one goes.

use super::conf::{LoaderConf, pins_another};
use super::name::CountedName;
use super::order::{Listed, boot_order};
use crate::Result;
use crate::bootlink::BootLink;
use crate::entry::Entry;
use crate::error::Error;
use crate::loader::{Change, Counting, Promises, rebooting_entry};
use crate::menu::{self, Item, Options};
use crate::plan::{BootVersion, Step, deployment_path, other};

/// What systemd-boot promises.
pub const PROMISES: Promises = Promises {
    loader: "systemd-boot",
    counting: Counting::UpTo(crate::loader::MAX_TRIES),
    torn: None,
    note: Some("not on 32-bit ARM with version 252, which loses the entry's name while counting"),
};

/// What the loader reads.
#[derive(Debug, Clone)]
pub struct Entries {
    /// Where the partition is mounted, below the sysroot, for example `boot` or `efi`.
    pub partition: String,
    /// Its settings.
    pub conf: LoaderConf,
    /// The pattern in the variable `LoaderEntryDefault`, which comes before the settings.
    pub default: Option<String>,
    /// Every file of `loader/entries`, of other systems too.
    pub files: Vec<Listed>,
    /// What else is in the loader's order: entries of its other partition, unified images.
    pub others: Vec<Listed>,
}

/// A deployment that keeps its entry.
#[derive(Debug, Clone)]
pub struct Kept {
    /// As in the menu.
    pub item: Item,
    /// The link that its entry names.
    pub link: BootLink,
}

/// Puts a new deployment on trial; entries named in `dropped` go once it is in place.
///
/// Answers the name of its entry as well.
pub fn arm(
    entries: &Entries,
    now: BootVersion,
    kept: &[Kept],
    new: &Item,
    tries: u32,
    dropped: &[CountedName],
) -> Result<(Change, CountedName)> {
    PROMISES.allow(tries, false)?;
    let mut change = Change::default();
    repair(entries, &mut change)?;
    let name = next_name(entries, tries)?;
    let link = new_link(kept, new, now.boot)?;
    let text = entry(new, &link, &name);
    first_of_all(entries, &name, &text)?;
    one_stays(entries, dropped)?;

    let sub = other(now.sub);
    let folder = format!("ostree/boot.{}.{sub}", now.boot);
    change.disk(Step::Remove(folder.clone()));
    for (item, link) in kept.iter().map(|k| (&k.item, &k.link)).chain([(new, &link)]) {
        let parent = format!("{folder}/{}/{}", link.stateroot, link.bootcsum);
        change.disk(Step::MakeDir(parent.clone()));
        change.disk(Step::Link {
            target: format!("../../../deploy/{}/deploy/{}", item.stateroot, item.deployment),
            path: format!("{parent}/{}", link.serial),
        });
    }
    let bootlink = format!("ostree/boot.{}", now.boot);
    change.disk(Step::Link { target: format!("boot.{}.{sub}", now.boot), path: format!("{bootlink}.tmp") });
    change.sync();
    change.disk(Step::Rename { from: format!("{bootlink}.tmp"), to: bootlink });
    change.sync();

    let boot_dir = format!("{}/{}", entries.partition, new.boot_dir());
    let modules = format!("{}/{}/{}", deployment_path(new), crate::kernel::MODULES, new.kernel.version);
    change.disk(Step::MakeDir(boot_dir.clone()));
    // of a folder of device trees the loader reads none
    for file in new.kernel.installed().into_iter().filter(|file| !file.is_dir) {
        let (from, to) = (format!("{modules}/{}", file.source), format!("{boot_dir}/{}", file.target));
        change.disk(Step::Install { from, to, is_dir: file.is_dir });
    }
    change.disk(Step::MakeDir(entries.folder()));
    change.sync();
    change.replace(&entries.path(&name), text.to_string().into_bytes());
    if !dropped.is_empty() {
        dropped.iter().for_each(|old| change.disk(Step::Remove(entries.path(old))));
        change.sync();
    }
    Ok((change, name))
}

/// Makes the entry on trial a good one.
pub fn confirm(entries: &Entries, name: &CountedName) -> Result<Change> {
    rename(entries, name, &name.good())
}

/// Makes the entry on trial a bad one: all others come before it.
pub fn fall_back(entries: &Entries, name: &CountedName) -> Result<Change> {
    rename(entries, name, &name.bad())
}

impl Entries {
    fn path(&self, name: &CountedName) -> String {
        format!("{}/{name}", self.folder())
    }

    fn folder(&self) -> String {
        format!("{}/loader/entries", self.partition)
    }
}

fn rename(entries: &Entries, from: &CountedName, to: &CountedName) -> Result<Change> {
    let mut change = Change::default();
    if !entries.files.iter().any(|(name, _)| name == from) {
        return Err(Error::malformed("loader/entries", "the entry on trial", format!("no {from}")));
    }
    if from != to {
        change.disk(Step::Rename { from: entries.path(from), to: entries.path(to) });
        change.sync();
    }
    Ok(change)
}

/// Takes away the second name of a file whose rename was cut; different files of one name are refused.
fn repair(entries: &Entries, change: &mut Change) -> Result<()> {
    for (at, (name, text)) in entries.files.iter().enumerate() {
        let twin = entries.files.iter().skip(at.saturating_add(1)).find(|(n, _)| n.good() == name.good());
        let Some((twin, twin_text)) = twin else { continue };
        if text != twin_text {
            return Err(Error::Duplicate { what: "entries of systemd-boot", name: name.good().to_string() });
        }
        let counted = if name.counter.is_some() { name } else { twin };
        change.disk(Step::Remove(entries.path(counted)));
        change.sync();
    }
    Ok(())
}

fn next_name(entries: &Entries, tries: u32) -> Result<CountedName> {
    let number =
        |(name, _): &Listed| name.stem.strip_prefix("ostree-")?.split('-').next()?.parse::<u32>().ok();
    let highest = entries.files.iter().chain(&entries.others).filter_map(number).max().unwrap_or(0);
    CountedName::counted(&format!("ostree-{}", highest.saturating_add(1)), tries)
}

/// The new one's link has a serial that no kept entry names.
fn new_link(kept: &[Kept], new: &Item, bootversion: u8) -> Result<BootLink> {
    if let Some(other) = kept.iter().find(|k| k.link.bootversion != bootversion) {
        let got = other.link.to_string();
        return Err(Error::malformed("entries of systemd-boot", "links of the bootversion in use", got));
    }
    let taken =
        |serial: &u32| kept.iter().any(|k| (k.link.bootcsum, k.link.serial) == (new.bootcsum, *serial));
    let serial = (0..=u32::MAX).find(|serial| !taken(serial)).unwrap_or(u32::MAX);
    Ok(BootLink { bootversion, stateroot: new.stateroot.clone(), bootcsum: new.bootcsum, serial })
}

/// Confirming renames the file, so what its text says of a trial would be said for ever.
fn entry(new: &Item, link: &BootLink, name: &CountedName) -> Entry {
    let index = name.stem.strip_prefix("ostree-").unwrap_or_default().parse().unwrap_or(1);
    let mut entry = rebooting_entry(&menu::entry(new, 0, index, link, false, &Options::default()));
    entry.remove("fdtdir");
    entry
}

/// Something good has to be left to fall back to; only the first entry of a device has nothing before it.
fn one_stays(entries: &Entries, dropped: &[CountedName]) -> Result<()> {
    let stays = |(name, _): &&Listed| !name.is_bad() && !dropped.contains(name);
    match entries.files.is_empty() || entries.files.iter().any(|listed| stays(&listed)) {
        true => Ok(()),
        false => Err(Error::malformed("entries of systemd-boot", "a good entry that stays", "none")),
    }
}

/// The new entry has to be the one that boots, and neither loader.conf nor the firmware may say otherwise.
fn first_of_all(entries: &Entries, name: &CountedName, text: &Entry) -> Result<()> {
    let mut chosen = None;
    for (what, pattern) in [
        ("firmware variable LoaderEntryDefault", entries.default.as_deref()),
        ("loader.conf default", entries.conf.get("default")),
    ] {
        if pins_another(pattern, &name.good().to_string()) {
            return Err(Error::malformed(what, "none, or ostree-*", pattern.unwrap_or_default()));
        }
        chosen = chosen.or(pattern.filter(|pattern| !pattern.is_empty()));
    }
    let new = (name.clone(), text.clone());
    // of what a pattern does not choose none comes before the new one
    let competes = |old: &&Listed| !pins_another(chosen, &old.0.good().to_string());
    let mut rest = entries.files.iter().chain(&entries.others).filter(competes);
    match rest.find(|old| boot_order(old, &new).is_lt()) {
        Some((first, _)) => {
            Err(Error::malformed("entries of systemd-boot", "the new one first in order", first.to_string()))
        }
        None => Ok(()),
    }
}
