//! systemd-boot: entries on a FAT partition, where nothing can be swapped as a whole.
//!
//! | step (`rootling_boot::sdboot`) | durable after it; if power fails here |
//! |---|---|
//! | links of all entries and the new one's in `ostree/boot.N.M'`, sync, rename of `ostree/boot.N`, sync | the old entries mean what they meant |
//! | kernels copied to `PARTITION/ostree/STATEROOT-BOOTCSUM`, sync | no entry names them |
//! | the counted entry is written beside, sync, renamed, sync | the new one boots, counted |
//! | entries that are to go are removed, sync | the new one boots, counted |
//! | confirm, fall back: a rename that drops the counter, or makes it 0 | good, or behind all others |
//!
//! `ostree/rootling-trial` has the number of the entry that was armed, from before that is on the partition until right before a confirm
//! drops its counter, or right after a fall-back made it 0: an entry that is good while this file names it was made so by another program,
//! such as `systemd-bless-boot`, and has not passed its checks.
//!
//! The list is what the partition has: the first in the loader's order boots. A deployment that becomes the first gets
//! a new entry before its old one goes.

use super::detect::{PARTITIONS, Scene, entries_without_links, has_loader};
use super::family::Family;
use super::trial::Try;
use super::{Armed, refuse, variable as file};
use crate::error::{Error, Result};
use crate::sysroot::read::{read_deployment, read_sub_version, twins};
use crate::sysroot::write::{Written, write_refs};
use crate::sysroot::{Deployment, Locked, Sysroot};
use rootling_boot::kernel::DeviceTree;
use rootling_boot::loader::{Change, Promises, Step, Trial, TrialId};
use rootling_boot::plan::{BootVersion, Step as DiskStep, other};
use rootling_boot::sdboot::{self, CountedName, Entries, Kept, Listed, LoaderConf, boot_order, variable};
use rootling_boot::{BootLink, Entry, EntryName, KernelArgs};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was armed, below the sysroot.
const TRIAL: &str = "ostree/rootling-trial";
/// Entries, below a partition.
const ENTRIES: &str = "loader/entries";

/// systemd-boot.
struct SystemdBoot {
    /// Where its FAT partition is mounted, below the sysroot.
    partition: String,
    /// Where firmware variables are.
    root: PathBuf,
}

/// Its partition is configured, or is the one that it is installed on.
pub(super) fn open(scene: &Scene<'_>) -> Result<Arc<dyn Family>> {
    let partition = scene.settings.partition.clone().or_else(|| installed(scene.sysroot));
    let missing =
        || Error::not_found("systemd-boot's partition, mounted at boot, efi or boot/efi", scene.sysroot);
    let partition = partition.ok_or_else(missing)?;
    let loader = scene.sysroot.join(&partition).join("loader");
    if loader.is_symlink() {
        // FAT has none: entries written through it would go with the list that it belongs to
        let loader = loader.display();
        return Err(Error::refused(format_args!("{loader}: expected a folder on FAT, got a link")));
    }
    Ok(Arc::new(SystemdBoot { partition, root: scene.root.into() }))
}

/// The partition that systemd-boot is installed on.
fn installed(sysroot: &Path) -> Option<String> {
    let has = |place: &&str| has_loader(sysroot, place) || is_esp(sysroot, place);
    PARTITIONS.into_iter().find(has).map(String::from)
}

fn is_esp(sysroot: &Path, place: &str) -> bool {
    sysroot.join(place).join("EFI/systemd").is_dir()
}

/// The entries that the firmware's variable `LoaderEntryDefault` chooses; what cannot be read is no pattern of ours, so
/// that nothing is armed.
fn chosen_entry(root: &Path) -> Option<String> {
    match fs::read(file::path(root, &variable::default_name())) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        file => Some(variable::text(&file.unwrap_or_default())),
    }
}

/// Refuses where the loader says that it booted another counted entry.
fn check_booted(root: &Path, name: &CountedName) -> Result<()> {
    match fs::read(file::path(root, &variable::count_path_name())) {
        Ok(bytes) if !variable::is_boot_of(&bytes, &name.stem) => Err(Error::refused(format_args!(
            "LoaderBootCountPath: expected {name}, which is on trial, got {}",
            variable::text(&bytes)
        ))),
        _ => Ok(()),
    }
}

/// Whether firmware variables are there, where the machine has firmware that does: what runs knows a try by one of them.
fn has_variables(root: &Path) -> Result<()> {
    let shown = root.join(file::EFIVARS);
    let is_hidden = || fs::read_dir(&shown).map_or(true, |mut names| names.next().is_none());
    match shown.parent().is_some_and(Path::exists) && is_hidden() {
        true => Err(Error::refused(format_args!(
            "{}: expected firmware variables, got none: mount efivarfs (a real-time kernel needs efi=runtime)",
            shown.display()
        ))),
        false => Ok(()),
    }
}

/// An entry that another program chose for the next boot would be booted in the place of the new one.
fn drop_one_shot(root: &Path) -> Result<()> {
    let name = variable::one_shot_name();
    if let Ok(bytes) = fs::read(file::path(root, &name)) {
        crate::warn!("{} was chosen for the next boot; now the new entry is", variable::text(&bytes));
        file::remove(root, &name)?;
    }
    Ok(())
}

impl Family for SystemdBoot {
    fn promises(&self, _: &Path) -> Result<Promises> {
        Ok(sdboot::PROMISES)
    }

    fn armed(&self, sysroot: &Sysroot) -> Result<Option<Armed>> {
        Ok(on_trial(sysroot)?.0)
    }

    fn shows_tries(&self) -> Result<()> {
        has_variables(&self.root)
    }

    fn trial(&self, sysroot: &Sysroot, _: &Armed) -> Result<Trial> {
        Ok(on_trial(sysroot)?.1)
    }

    /// What boots now gets an entry on the partition; with it the partition's entries are the list.
    fn install(&self, sysroot: &mut Locked, _: u32) -> Result<()> {
        let first = sysroot.booted().or(sysroot.deployments.first()).cloned();
        if let Some(first) = first
            && entries_without_links(&sysroot.path)?.is_none()
        {
            // the links of the old list stay as they are until the partition has one
            sysroot.sysroot.version.boot = other(sysroot.version.boot);
            sysroot.sysroot.version.sub = sysroot.sub_version(sysroot.version.boot)?.unwrap_or(0);
            sysroot.write_list(&[first], Try::Keep)?;
            // the old list is one no more, for other programs either
            if sysroot.path.join("boot/loader").is_symlink() {
                let old = ["loader", "loader.tmp", "loader.0", "loader.1"];
                let steps = old.map(|name| Step::Disk(DiskStep::Remove(format!("boot/{name}"))));
                sysroot.apply(&Change { steps: steps.into() })?;
            }
        }
        Ok(())
    }

    fn write(&self, sysroot: &mut Locked, new: &[Deployment], what: Try) -> Result<Option<Written>> {
        sysroot.write_fat(self, new, what).map(Some)
    }

    /// Everything the entries of the partition refer to, in the loader's order.
    fn list(&self, sysroot: &Path) -> Result<Option<(BootVersion, Vec<Deployment>)>> {
        let entries = read(sysroot, &self.partition)?;
        let (mut deployments, mut boot) = (Vec::new(), 0);
        let folder = sysroot.join(&self.partition).join(ENTRIES);
        let ours = ours(&entries);
        for (at, (name, entry)) in ours.iter().enumerate() {
            let text = name.to_string();
            // a deployment may have two entries while one takes the place of the other, but under two names
            if let Some((twin, _)) = ours.iter().take(at).find(|(other, _)| other.good() == name.good()) {
                return Err(twins(&folder, &twin.to_string(), &text));
            }
            boot = link(entry)?.bootversion;
            let file = folder.join(&text);
            deployments.push(read_deployment(sysroot, entry.clone(), EntryName::parse(&text), &file)?);
        }
        let sub = read_sub_version(sysroot, boot)?.unwrap_or(0);
        Ok(Some((BootVersion { boot, sub }, deployments)))
    }

    fn partition(&self) -> Option<&str> {
        Some(&self.partition)
    }
}

fn is_ours(listed: &Listed) -> bool {
    listed.0.stem.starts_with("ostree-")
}

/// Everything the loader reads of the partition, in its order, and its settings.
fn read(sysroot: &Path, partition: &str) -> Result<Entries> {
    // it reads those of the partition that it is on itself
    let esp = [partition].into_iter().chain(PARTITIONS).find(|place| is_esp(sysroot, place));
    let conf = sysroot.join(esp.unwrap_or(partition)).join("loader/loader.conf");
    let conf = fs::read(conf).unwrap_or_default();
    let mut files = Vec::new();
    read_files(sysroot, partition, &mut files)?;
    files.sort_by(boot_order);
    let conf = LoaderConf::parse(&String::from_utf8_lossy(&conf));
    Ok(Entries { partition: partition.into(), conf, default: None, files, others: Vec::new() })
}

fn read_files(sysroot: &Path, partition: &str, files: &mut Vec<Listed>) -> Result<()> {
    for (name, path) in crate::fs::list(&sysroot.join(partition).join(ENTRIES))? {
        if let Some(name) = CountedName::parse(&name).filter(|_| path.is_file()) {
            let text = fs::read(&path).map_err(Error::io("read", &path))?;
            files.push((name, Entry::parse(&String::from_utf8_lossy(&text))));
        }
    }
    Ok(())
}

/// Entries of the loader's other partition, and unified images of either.
fn read_others(sysroot: &Path, partition: &str) -> Result<Vec<Listed>> {
    // one partition may be seen at two places
    let id = |place: &str| fs::metadata(sysroot.join(place)).ok().map(|there| (there.dev(), there.ino()));
    let mut others = Vec::new();
    for place in PARTITIONS {
        if has_loader(sysroot, place) && id(place) != id(partition) {
            read_files(sysroot, place, &mut others)?;
        }
        for (name, _) in crate::fs::list(&sysroot.join(place).join("EFI/Linux"))? {
            if let Some(name) = CountedName::parse(&name.to_ascii_lowercase()).filter(CountedName::is_image) {
                // its key is that of its os-release, which is not read; what has one is before all that has none
                let mut entry = Entry::default();
                entry.set("sort-key", "");
                others.push((name, entry));
            }
        }
    }
    Ok(others)
}

/// Names and texts of the entries of deployments, in the loader's order; of a rename that was cut, the counted goes.
fn ours(entries: &Entries) -> Vec<&Listed> {
    let twin = |a: &Listed, b: &Listed| a.0 != b.0 && a.0.good() == b.0.good() && b.0.counter.is_none();
    let cut = |listed: &&Listed| entries.files.iter().any(|other| twin(listed, other));
    entries.files.iter().filter(|listed| is_ours(listed) && !cut(listed)).collect()
}

/// The link that an entry names.
fn link(entry: &Entry) -> Result<BootLink> {
    let args = KernelArgs::parse(entry.get("options").unwrap_or_default());
    let link = BootLink::of(&args).map_err(refuse)?;
    link.ok_or_else(|| Error::refused("an entry of systemd-boot: expected an ostree= argument, got none"))
}

/// The deployment whose entry has a counter: what is on trial, or has failed; else one that was armed and made good by others.
pub(super) fn on_trial(sysroot: &Sysroot) -> Result<(Option<Armed>, Trial)> {
    let deployments = &sysroot.deployments;
    if let Some((tried, tries)) = deployments.iter().find_map(|d| Some((d, d.entry_name.as_ref()?.tries?))) {
        let id = TrialId::parse(&tried.name()).map_err(refuse)?;
        let trial = if tries.left == 0 { Trial::Spent } else { Trial::Left(tries.left) };
        return Ok((Some(Armed { id, tries: tries.left.saturating_add(tries.done), note: None }), trial));
    }
    // what cannot be read must not keep a good system from being confirmed
    let noted = Armed::read_from(&sysroot.path.join(TRIAL)).inspect_err(|error| crate::warn!("{error}"));
    let is_listed = |armed: &Armed| {
        let number = armed.note.as_ref().and_then(|note| note.parse().ok());
        let is_it = |name: &EntryName| Some(name.index) == number;
        deployments.iter().any(|d| d.entry_name.as_ref().is_some_and(is_it) && d.name() == armed.id.as_str())
    };
    Ok(match noted.ok().flatten().filter(is_listed) {
        Some(armed) => (Some(armed), Trial::Blessed),
        None => (None, Trial::None),
    })
}

/// Notes what is armed, or that nothing is; durable before anything that comes after it.
fn note(sysroot: &Sysroot, armed: Option<&Armed>) -> Result<()> {
    let path = sysroot.path.join(TRIAL);
    match armed {
        Some(armed) => crate::fs::replace(&path, armed.to_string().as_bytes()),
        None => crate::fs::remove_if_there(&path).and_then(|_| crate::fs::sync_parent(&path)),
    }
}

impl Locked {
    /// Makes `new` the list on the partition, as far as that has to change.
    fn write_fat(&mut self, loader: &SystemdBoot, new: &[Deployment], what: Try) -> Result<Written> {
        let partition = loader.partition.as_str();
        let mut entries = Entries { default: chosen_entry(&loader.root), ..read(&self.path, partition)? };
        let names: Vec<(CountedName, Entry)> = ours(&entries).into_iter().cloned().collect();
        // none of them is on the partition before it is taken into use
        let listed = if names.is_empty() { Vec::new() } else { self.deployments.clone() };
        let name_of = |deployment: &Deployment| {
            let at = listed.iter().position(|d| d.is(deployment))?;
            names.get(at).map(|(name, _)| name.clone())
        };
        let Some(first) = new.first() else {
            return Err(Error::refused("expected a deployment, got an empty list"));
        };
        let kept: Vec<CountedName> = new.iter().filter_map(name_of).collect();
        let gone = |keep: &[CountedName]| -> Vec<CountedName> {
            entries.files.iter().filter(|l| is_ours(l) && !keep.contains(&l.0)).map(|l| l.0.clone()).collect()
        };
        if new.iter().skip(1).any(|d| name_of(d).is_none()) {
            let what = "a deployment without an entry of systemd-boot behind others (rootling boot install)";
            return Err(Error::unsupported(what));
        }
        let falls_to = listed.iter().find(|d| !d.is(first) && new.iter().any(|n| n.is(d)));
        if let (Try::Arm { .. }, Some(falls_to), Some(back)) = (what, falls_to, new.get(1))
            && !falls_to.is(back)
        {
            return Err(Error::refused(format_args!(
                "systemd-boot would fall back to {}, not to {}",
                falls_to.name(),
                back.name()
            )));
        }
        let moves = listed.first().is_none_or(|old| !old.is(first));
        let tried = on_trial(self)?.0.and_then(|armed| listed.iter().find(|d| d.name() == armed.id.as_str()));
        match what {
            Try::Arm { .. } | Try::Keep if moves || what != Try::Keep => {
                let (tries, trial) = match what {
                    Try::Arm { tries, .. } => (tries, true),
                    _ => (1, false),
                };
                let keep: Vec<CountedName> = new.iter().skip(1).filter_map(name_of).collect();
                let gone = gone(&keep);
                entries.others = read_others(&self.path, partition)?;
                let (change, name) = self.first_entry(&entries, &listed, &names, first, tries, &gone)?;
                let armed = Armed {
                    id: TrialId::parse(&first.name()).map_err(refuse)?,
                    tries,
                    note: name.stem.strip_prefix("ostree-").map(String::from),
                };
                drop_one_shot(&loader.root)?;
                note(self, Some(&armed).filter(|_| trial))?;
                let after = BootVersion { sub: other(self.version.sub), ..self.version };
                write_refs(self, after, new)?;
                self.apply(&change)?;
                if !trial {
                    self.apply(&sdboot::confirm(&read(&self.path, partition)?, &name).map_err(refuse)?)?;
                }
            }
            Try::Confirm => {
                // on its last try the entry is behind all others already
                if let Some(name) = name_of(tried.unwrap_or(first)) {
                    if tried.is_some_and(|tried| self.booted().is_some_and(|booted| tried.is(booted))) {
                        check_booted(&loader.root, &name)?;
                    }
                    note(self, None)?;
                    self.apply(&sdboot::confirm(&entries, &name).map_err(refuse)?)?;
                }
            }
            _ => {
                if what == Try::FallBack
                    && let Some(name) = tried.and_then(name_of)
                {
                    self.apply(&sdboot::fall_back(&entries, &name).map_err(refuse)?)?;
                }
                let folder = format!("{partition}/{ENTRIES}");
                // a bad entry stays while its system runs
                let stays = |name: &CountedName| kept.iter().any(|k| k.stem == name.stem);
                let now = read(&self.path, partition)?;
                let left = now.files.iter().filter(|l| is_ours(l) && !stays(&l.0));
                let mut steps: Vec<_> = left.map(|l| DiskStep::Remove(format!("{folder}/{}", l.0))).collect();
                steps.push(DiskStep::Sync);
                let steps = steps.into_iter().map(Step::Disk).collect();
                self.apply(&Change { steps })?;
                if what == Try::FallBack {
                    note(self, None)?;
                }
            }
        }
        self.reload()?;
        self.remove_other_refs()?;
        Ok(Written { is_swap: true, is_same: false })
    }

    /// The plan that gives a deployment the first entry, counted.
    fn first_entry(
        &self,
        entries: &Entries,
        listed: &[Deployment],
        names: &[Listed],
        first: &Deployment,
        tries: u32,
        dropped: &[CountedName],
    ) -> Result<(Change, CountedName)> {
        let mut kept = Vec::new();
        for (item, (_, entry)) in self.items(listed)?.into_iter().zip(names) {
            kept.push(Kept { item, link: link(entry)? });
        }
        let [new] = &self.items(std::slice::from_ref(first))?[..] else {
            return Err(Error::refused("expected one deployment"));
        };
        if new.kernel.devicetree == DeviceTree::Dir {
            super::warn_of_folder();
        }
        sdboot::arm(entries, self.version, &kept, new, tries, dropped).map_err(refuse)
    }
}
