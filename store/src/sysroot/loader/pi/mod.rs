//! A Raspberry Pi's firmware: two FAT partitions that follow the list in `boot/loader`.
//!
//! ```text
//! boot/firmware/autoboot.txt                which partition boots, and which one is tried
//! boot/slot-a, boot/slot-b                  where the two are mounted; one of them may be boot/firmware itself
//! SLOT/config.txt, SLOT/rootling/           the deployment of a slot: kernel, device trees, arguments
//! ostree/links/CHECKSUM.SERIAL              what those arguments name
//! proc/device-tree/chosen/bootloader/       what the firmware says of this boot
//! ```
//!
//! | step | durable after it; if power fails here |
//! |---|---|
//! | confirm: autoboot.txt has the two numbers the other way round | the tried system boots from now on |
//! | `boot/loader` is exchanged, sync | as before: the slots do not go through it |
//! | the spare slot gets the first of the list, its config.txt last | as before; only a reboot with the argument tries it |
//! | without a trial: autoboot.txt has the numbers the other way round | the first of the list boots |
//! | `rootling-trial` notes that a try was asked for, and in which boot; then the reboot | the confirmed system boots; the try was that |
//!
//! Every change, clean-up and confirm begins with what of this is left to do (`settle`), before links or files go.

mod slots;

use super::armed::FILE;
use super::detect::Scene;
use super::family::{Asked, Family};
use super::{Armed, Try, refuse};
use crate::error::{Error, Result};
use crate::sysroot::apply::remove_all;
use crate::sysroot::space::{blocks, boot_files, require};
use crate::sysroot::write::Written;
use crate::sysroot::{Deployment, Locked, Sysroot};
use nix::unistd::{AccessFlags, access};
use rootling_boot::bootlink::LINKS;
use rootling_boot::kernel::{DeviceTree, MODULES};
use rootling_boot::loader::{Change, Promises, Step, Trial};
use rootling_boot::menu::Item;
use rootling_boot::pi::{self, FOLDER, File, Slots};
use rootling_boot::plan::{Plan, Step as DiskStep};
use rootling_object::Commit;
use slots::{boot_id, booted, read, size};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// Where the partition of autoboot.txt is mounted.
pub(super) const FIRMWARE: &str = "boot/firmware";
/// Where the two slots are mounted.
pub(super) const SLOTS: [&str; 2] = ["boot/slot-a", "boot/slot-b"];
/// A device tree's own lines for config.txt, in a deployment.
const OWN_CONFIG: &str = "usr/lib/ostree-boot/config.txt";
/// Files that the firmware itself is made of begin so.
const FIRMWARE_FILES: [&str; 3] = ["bootcode", "fixup", "start"];

/// Both slots are found anew each time: what they are changes with each confirm.
struct Pi;

/// The loader, if the firmware and both slots are within reach.
pub(super) fn open(scene: &Scene<'_>) -> Result<Arc<dyn Family>> {
    booted(scene.sysroot)?;
    read(scene.sysroot)?;
    Ok(Arc::new(Pi))
}

impl Family for Pi {
    fn promises(&self, sysroot: &Path) -> Result<Promises> {
        read(sysroot).map(|_| pi::PROMISES)
    }

    fn trial(&self, sysroot: &Sysroot, armed: &Armed) -> Result<Trial> {
        let tried = armed.note.as_ref().is_some_and(|boot| *boot != boot_id(&sysroot.path));
        Ok(pi::trial(&read(&sysroot.path)?, armed.id.as_str(), tried))
    }

    fn change(&self, sysroot: &Locked, asked: &Asked<'_>, plan: Plan) -> Result<Change> {
        let slots = read(&sysroot.path)?;
        for place in [FIRMWARE, slots.spare.place.as_str()] {
            let path = sysroot.path.join(place);
            access(&path, AccessFlags::W_OK).map_err(|errno| Error::io("write to", &path)(errno.into()))?;
        }
        let first = asked.new.first().map(Deployment::name).unwrap_or_default();
        let boots = slots.boots.deployment();
        if asked.what == Try::Confirm && boots != Some(&first) && slots.spare.deployment() == Some(&first) {
            let partition = booted(&sysroot.path)?.partition;
            if partition != slots.spare.number {
                return Err(Error::refused(format_args!(
                    "expected a boot from partition {} for a confirm, got one from {partition}",
                    slots.spare.number
                )));
            }
            return promote(&slots).map(|change| change.then(plan));
        }
        let back = asked.new.get(1);
        if let (Try::Arm { .. }, Some(back), true) = (asked.what, back, boots == Some(&first)) {
            // it boots already, but is not confirmed: what it falls back to boots again
            if slots.spare.deployment() != Some(&back.name()) {
                fill(sysroot, &slots, back)?;
            }
            return promote(&slots).map(|change| change.then(plan));
        }
        let back = back.map(Deployment::name);
        // after a confirm that was cut it boots already
        if asked.armed.is_some() && boots != Some(&first) && boots != back.as_deref() {
            let (boots, back) = (boots.unwrap_or("another system"), back.as_deref().unwrap_or("nothing"));
            return Err(Error::refused(format_args!(
                "the firmware would fall back to {boots}, expected {back}"
            )));
        }
        Ok(plan.into())
    }

    /// Has the slots follow the list that is in use.
    fn settle(&self, sysroot: &Locked) -> Result<bool> {
        let Some(first) = sysroot.deployments.first() else { return Ok(false) };
        let (slots, name) = (read(&sysroot.path)?, first.name());
        if slots.boots.deployment() == Some(&name) {
            return Ok(false);
        }
        let tried = Armed::read(&sysroot.path)?.is_some();
        let there = slots.spare.deployment() == Some(&name);
        if !there {
            fill(sysroot, &slots, first)?;
        }
        if !tried {
            sysroot.apply(&promote(&slots)?)?;
        }
        Ok(!there || !tried)
    }

    /// From now on the slots are found by the folder of links.
    fn install(&self, sysroot: &mut Locked, _: u32) -> Result<()> {
        let now = read(&sysroot.path)?;
        let spare = sysroot.path.join(&now.spare.place);
        for (name, _) in crate::fs::list(&sysroot.path.join(&now.boots.place))? {
            let firmware = FIRMWARE_FILES.iter().any(|start| name.starts_with(start));
            if firmware && !spare.join(&name).is_file() {
                return Err(Error::refused(format_args!(
                    "{}: expected {name} as in {}, got none",
                    spare.display(),
                    now.boots.place
                )));
            }
        }
        self.settle(sysroot)?;
        let steps = vec![Step::Disk(DiskStep::MakeDir(LINKS.into()))];
        sysroot.apply(&Change { steps })
    }

    /// What a cut left undone is done before the list changes.
    fn write(&self, sysroot: &mut Locked, _: &[Deployment], _: Try) -> Result<Option<Written>> {
        sysroot.settle().map(|()| None)
    }

    /// The next deployment takes the place of what the spare slot has.
    fn check_space(&self, sysroot: &Sysroot, commit: &Commit) -> Result<()> {
        let place = sysroot.path.join(read(&sysroot.path)?.spare.place);
        let files = boot_files(sysroot.repo(), commit)?;
        let needed: u64 =
            files.iter().filter(|(name, _)| is_boot_file(name)).map(|(_, bytes)| blocks(*bytes)).sum();
        require(&place, needed.saturating_sub(size(&place.join(FOLDER))?), 0)
    }

    /// Removes links to what is on no list.
    fn clean(&self, sysroot: &Locked) -> Result<()> {
        for (name, path) in crate::fs::list(&sysroot.path.join(LINKS))? {
            if !sysroot.deployments.iter().any(|deployment| deployment.name() == name) {
                remove_all(&path)?;
            }
        }
        Ok(())
    }

    fn reboot_argument(&self, sysroot: &Locked) -> Result<Option<&'static str>> {
        self.settle(sysroot)?;
        let Some(armed) = Armed::read(&sysroot.path)? else { return Ok(None) };
        let runs = sysroot.booted().is_some_and(|booted| booted.name() == armed.id.as_str());
        if self.trial(sysroot, &armed)? != Trial::Left(1) {
            return Ok(None);
        }
        // where it runs already, somebody else asked for its try
        let armed = Armed { note: Some(boot_id(&sysroot.path)), ..armed };
        crate::fs::replace(&sysroot.path.join("boot/loader").join(FILE), armed.to_string().as_bytes())?;
        Ok((!runs).then_some(pi::REBOOT_ARGUMENT))
    }
}

/// Makes the spare slot the one that boots.
fn promote(slots: &Slots) -> Result<Change> {
    pi::promote(slots, FIRMWARE).map_err(refuse)
}

/// Puts a deployment on the spare slot.
fn fill(sysroot: &Locked, slots: &Slots, deployment: &Deployment) -> Result<()> {
    let tree = sysroot.deployment_path(deployment);
    let [item] = &sysroot.items(std::slice::from_ref(deployment))?[..] else {
        return Err(Error::refused("expected one deployment"));
    };
    if item.entry.initrds().count() > 1 {
        return Err(Error::unsupported(format_args!(
            "more initrds than one ({}) with raspberry-pi",
            item.deployment
        )));
    }
    let own = tree.join(OWN_CONFIG);
    let own = match fs::read(&own) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        bytes => Some(String::from_utf8_lossy(&bytes.map_err(Error::io("read", &own))?).into_owned()),
    };
    let base = own.as_deref().or(slots.boots.config.as_deref()).unwrap_or_default();
    sysroot.apply(&pi::prepare(slots, item, base, &trees(&tree, item)?))
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

/// Of the files of a kernel's folder those that go into a slot, by the name that they have in `/boot`.
fn is_boot_file(name: &str) -> bool {
    let mut parts = name.split('/').rev();
    let file = parts.next().unwrap_or_default();
    !name.starts_with("dtb/") || is_tree(file) || parts.next() == Some("overlays")
}

fn is_tree(name: &str) -> bool {
    name.starts_with("bcm2") && name.ends_with(".dtb")
}
