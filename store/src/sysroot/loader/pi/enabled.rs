//! A build that boots from the partitions of a Raspberry Pi.

use super::super::{Armed, Loader, Try, refuse};
use crate::error::{Error, Result};
use crate::sysroot::apply::remove_all;
use crate::sysroot::{Deployment, Locked};
use nix::unistd::{AccessFlags, access};
use rootling_boot::bootlink::LINKS;
use rootling_boot::kernel::{DeviceTree, MODULES};
use rootling_boot::loader::{Change, Promises, Step, Trial};
use rootling_boot::menu::Item;
use rootling_boot::pi::{self, Autoboot, Booted, CONFIG, FOLDER, File, Slot};
use rootling_boot::plan::Step as DiskStep;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Where the partition of autoboot.txt is mounted.
const FIRMWARE: &str = "boot/firmware";
/// All partitions that are looked at, slots first.
const PLACES: [&str; 3] = ["boot/slot-a", "boot/slot-b", FIRMWARE];
/// File systems beside the root that are synced.
pub(in crate::sysroot) const SYNCED: &[&str] =
    &["boot", "efi", "boot/efi", "boot/slot-a", "boot/slot-b", FIRMWARE];
/// A reboot may have something to say to the firmware.
pub const TELLS: bool = true;
/// What the firmware tells the kernel.
const CHOSEN: &str = "proc/device-tree/chosen/bootloader";
/// Where the kernel says what is mounted.
const MOUNTS: &str = "proc/self/mountinfo";
/// A device tree's own lines for config.txt, in a deployment.
const OWN_CONFIG: &str = "usr/lib/ostree-boot/config.txt";
/// Files that the firmware itself is made of begin so.
const FIRMWARE_FILES: [&str; 3] = ["bootcode", "fixup", "start"];

/// Both slots are found anew each time: what they are changes with each confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots(());

/// Whether deployments boot from slots here.
pub(in crate::sysroot) fn installed(sysroot: &Path) -> bool {
    sysroot.join(LINKS).is_dir() && sysroot.join(CHOSEN).is_dir()
}

/// The loader, if the firmware and both slots are within reach.
pub(in crate::sysroot) fn open(sysroot: &Path) -> Result<Loader> {
    booted(sysroot)?;
    read(sysroot)?;
    Ok(Loader::Pi(Slots(())))
}

/// What it can and cannot do on this device.
pub(in crate::sysroot) fn promises(_: &Slots, sysroot: &Path) -> Result<Promises> {
    read(sysroot).map(|_| pi::PROMISES)
}

/// How it stands with what is armed.
pub(in crate::sysroot) fn trial(_: &Slots, sysroot: &Path, armed: &Armed) -> Result<Trial> {
    let tried = armed.asked.0.as_ref().is_some_and(|boot| *boot != boot_id(sysroot));
    Ok(pi::trial(&read(sysroot)?, armed.id.as_str(), tried))
}

/// Where the next deployment goes, and how many bytes are freed for it there.
pub(in crate::sysroot) fn spare(_: &Slots, sysroot: &Path) -> Result<(String, u64)> {
    let place = read(sysroot)?.spare.place;
    let freed = size(&sysroot.join(&place).join(FOLDER))?;
    Ok((place, freed))
}

/// Of the files of a kernel's folder those that go into a slot, by the name that they have in `/boot`.
pub(in crate::sysroot) fn is_boot_file(_: &Slots, name: &str) -> bool {
    let mut parts = name.split('/').rev();
    let file = parts.next().unwrap_or_default();
    !name.starts_with("dtb/") || is_tree(file) || parts.next() == Some("overlays")
}

/// Restarts at once with these words for the firmware; all is synced, nothing is unmounted.
pub fn restart(argument: &str) -> Error {
    nix::unistd::sync();
    let argument = std::ffi::CString::new(argument).unwrap_or_default();
    Error::io("ask the kernel for", "a reboot")(super::sys::restart(&argument))
}

/// The boot in which a try was asked for, by the kernel's id of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked(Option<String>);

impl Asked {
    pub(in crate::sysroot) fn read<'a>(words: &mut impl Iterator<Item = &'a str>) -> Asked {
        Asked(words.next().map(String::from))
    }

    pub(in crate::sysroot) fn end_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(boot) => writeln!(f, " {boot}"),
            None => writeln!(f),
        }
    }
}

/// The kernel's id of this boot.
fn boot_id(sysroot: &Path) -> String {
    let id = fs::read_to_string(sysroot.join("proc/sys/kernel/random/boot_id")).unwrap_or_default();
    id.trim().to_string()
}

fn read(sysroot: &Path) -> Result<pi::Slots> {
    let path = sysroot.join(FIRMWARE).join(pi::PATH);
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let mounts = sysroot.join(MOUNTS);
    let mounts = fs::read_to_string(&mounts).map_err(Error::io("read", &mounts))?;
    let mut mounted = Vec::new();
    for place in PLACES {
        if let Some(number) = number(sysroot, &mounts, place)? {
            let config = sysroot.join(place).join(CONFIG);
            let config = match fs::read(&config) {
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                bytes => Some(String::from_utf8_lossy(&bytes.map_err(Error::io("read", &config))?).into()),
            };
            mounted.push(Slot { number, place: place.into(), config });
        }
    }
    let at = |error| Error::refused(format!("{}: {error}", path.display()));
    pi::Slots::find(Autoboot::parse(&text).map_err(at)?, mounted).map_err(at)
}

/// The number of the partition that is mounted at a place: a folder where none is must not be taken for one.
fn number(sysroot: &Path, mounts: &str, place: &str) -> Result<Option<u32>> {
    let mut here = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(2);
        let device = words.next()?;
        (words.nth(1)?.strip_prefix('/') == Some(place)).then_some(device)
    });
    let Some(device) = here.next_back() else { return Ok(None) };
    let path = sysroot.join(format!("sys/dev/block/{device}/partition"));
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let number = text
        .trim()
        .parse()
        .map_err(|_| Error::refused(format!("{}: expected a number, got {text:?}", path.display())))?;
    Ok(Some(number))
}

/// What the firmware says about this boot.
fn booted(sysroot: &Path) -> Result<Booted> {
    let property = |name: &str| {
        let path = sysroot.join(CHOSEN).join(name);
        fs::read(&path).map_err(Error::io("read", &path))
    };
    Booted::decode(&property("partition")?, &property("tryboot")?).map_err(refuse)
}

fn is_tree(name: &str) -> bool {
    name.starts_with("bcm2") && name.ends_with(".dtb")
}

/// Bytes of all files below a folder, or none.
fn size(path: &Path) -> Result<u64> {
    let mut total = 0u64;
    for (_, path) in crate::fs::list(path)? {
        let metadata = fs::symlink_metadata(&path).map_err(Error::io("stat", &path))?;
        let more = if metadata.is_dir() { size(&path)? } else { metadata.len() };
        total = total.saturating_add(more);
    }
    Ok(total)
}

impl Locked {
    /// What has to be done before a list is exchanged.
    pub(in crate::sysroot) fn prepare_pi(&self, _: &Slots, new: &[Deployment], what: Try) -> Result<Change> {
        let slots = read(&self.path)?;
        for place in [FIRMWARE, slots.spare.place.as_str()] {
            let path = self.path.join(place);
            access(&path, AccessFlags::W_OK).map_err(|errno| Error::io("write to", &path)(errno.into()))?;
        }
        let first = new.first().map(Deployment::name).unwrap_or_default();
        let boots = slots.boots.deployment();
        if what == Try::Confirm && boots != Some(&first) && slots.spare.deployment() == Some(&first) {
            let partition = booted(&self.path)?.partition;
            if partition != slots.spare.number {
                let reason = format!(
                    "expected a boot from partition {} for a confirm, got one from {partition}",
                    slots.spare.number
                );
                return Err(Error::refused(reason));
            }
            return pi::promote(&slots, FIRMWARE).map_err(refuse);
        }
        let tried = match what {
            Try::Arm { .. } => true,
            Try::Keep => Armed::read(&self.path)?.is_some_and(|armed| armed.id.as_str() == first),
            Try::Confirm | Try::FallBack => false,
        };
        let back = new.get(1);
        if let (Try::Arm { .. }, Some(back), true) = (what, back, boots == Some(&first)) {
            // it boots already, but is not confirmed: what it falls back to boots again
            if slots.spare.deployment() != Some(&back.name()) {
                self.fill(&slots, back)?;
            }
            return pi::promote(&slots, FIRMWARE).map_err(refuse);
        }
        let back = back.map(Deployment::name);
        // after a confirm that was cut it boots already
        if tried && boots != Some(&first) && boots != back.as_deref() {
            let (boots, back) = (boots.unwrap_or("another system"), back.as_deref().unwrap_or("nothing"));
            let reason = format!("the firmware would fall back to {boots}, expected {back}");
            return Err(Error::refused(reason));
        }
        Ok(Change::default())
    }

    /// Has the slots follow the list that is in use; says whether anything was to do.
    pub(in crate::sysroot) fn follow_pi(&self, _: &Slots) -> Result<bool> {
        let Some(first) = self.deployments.first() else { return Ok(false) };
        let (slots, name) = (read(&self.path)?, first.name());
        if slots.boots.deployment() == Some(&name) {
            return Ok(false);
        }
        let tried = Armed::read(&self.path)?.is_some();
        let there = slots.spare.deployment() == Some(&name);
        if !there {
            self.fill(&slots, first)?;
        }
        if !tried {
            self.apply(&pi::promote(&slots, FIRMWARE).map_err(refuse)?)?;
        }
        Ok(!there || !tried)
    }

    /// Puts a deployment on the spare slot.
    fn fill(&self, slots: &pi::Slots, deployment: &Deployment) -> Result<()> {
        let tree = self.deployment_path(deployment);
        let [item] = &self.items(std::slice::from_ref(deployment))?[..] else {
            return Err(Error::refused("expected one deployment"));
        };
        if item.entry.initrds().count() > 1 {
            let what = format!("more initrds than one ({}) with raspberry-pi", item.deployment);
            return Err(Error::unsupported(what));
        }
        let own = match fs::read(tree.join(OWN_CONFIG)) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            bytes => Some(
                String::from_utf8_lossy(&bytes.map_err(Error::io("read", tree.join(OWN_CONFIG)))?)
                    .into_owned(),
            ),
        };
        let base = own.as_deref().or(slots.boots.config.as_deref()).unwrap_or_default();
        let change = pi::prepare(slots, item, base, &trees(&tree, item)?);
        self.apply(&change)
    }

    /// From now on the slots are found by the folder of links.
    pub(in crate::sysroot) fn install_pi(&self, slots: &Slots) -> Result<()> {
        let now = read(&self.path)?;
        let spare = self.path.join(&now.spare.place);
        for (name, _) in crate::fs::list(&self.path.join(&now.boots.place))? {
            let firmware = FIRMWARE_FILES.iter().any(|start| name.starts_with(start));
            if firmware && !spare.join(&name).is_file() {
                let place = now.boots.place;
                let reason = format!("{}: expected {name} as in {place}, got none", spare.display());
                return Err(Error::refused(reason));
            }
        }
        self.follow_pi(slots)?;
        let steps = vec![Step::Disk(DiskStep::MakeDir(LINKS.into()))];
        self.apply(&Change { steps })
    }

    /// Removes links to what is on no list.
    pub(in crate::sysroot) fn clean_links(&self, _: &Slots) -> Result<()> {
        for (name, path) in crate::fs::list(&self.path.join(LINKS))? {
            if !self.deployments.iter().any(|deployment| deployment.name() == name) {
                remove_all(&path)?;
            }
        }
        Ok(())
    }

    /// What the next reboot has to say for what is armed to be tried; from then on the try is one that was given.
    ///
    /// Durable once it returns. As long as this boot lasts the try is still to come.
    pub fn reboot_argument(&self) -> Result<Option<&'static str>> {
        let Some(Loader::Pi(slots)) = &self.loader else { return Ok(None) };
        self.follow_pi(slots)?;
        let Some(armed) = Armed::read(&self.path)? else { return Ok(None) };
        let runs = self.booted().is_some_and(|booted| booted.name() == armed.id.as_str());
        if trial(slots, &self.path, &armed)? != Trial::Left(1) {
            return Ok(None);
        }
        // where it runs already, somebody else asked for its try
        let armed = Armed { asked: Asked(Some(boot_id(&self.path))), ..armed };
        let file = self.path.join("boot/loader").join(super::super::armed::FILE);
        crate::fs::replace(&file, armed.to_string().as_bytes())?;
        Ok((!runs).then_some(pi::REBOOT_ARGUMENT))
    }
}

/// The device trees that the firmware chooses from: those of these boards, also where a vendor's folder has them.
fn trees(tree: &Path, item: &Item) -> Result<Vec<File>> {
    let mut files = Vec::new();
    if item.kernel.devicetree != DeviceTree::Dir {
        return Ok(files);
    }
    let modules = tree.join(MODULES).join(&item.kernel.version);
    for folder in ["dtb", "dtb/broadcom"] {
        for (name, path) in crate::fs::list(&modules.join(folder))? {
            let is_dir = path.is_dir();
            if is_dir && name == "overlays" || !is_dir && is_tree(&name) {
                files.push(File { source: format!("{folder}/{name}"), target: name, is_dir });
            }
        }
    }
    Ok(files)
}
