//! Firmware that boots kernels itself: files on the ESP and variables that follow the list in `boot/loader`.
//!
//! ```text
//! ESP/EFI/rootling/STATEROOT-BOOTCSUM/vmlinuz-KVER, initramfs-KVER.img      ESP: efi or boot/efi
//! sys/firmware/efi/efivars/Boot####-GUID                                    one for each deployment, its arguments in it
//! ```
//!
//! | step | durable after it; if power fails here |
//! |---|---|
//! | kernels are copied to the ESP, sync | no entry names them: the confirmed system boots |
//! | confirm: `BootOrder` has the running one first. Else what was on trial leaves `BootOrder` and `BootNext` | the one; the other |
//! | `boot/loader` is exchanged, sync | the entries lead through the links of the version before, which stay till the clean-up |
//! | `Boot####` of the list, under new numbers | nothing names them |
//! | `BootNext` | the new one is tried once, then the confirmed one boots |
//! | `BootOrder` with the new one behind the confirmed; entries that nothing names are removed | as before it; a try is known to have been given |
//!
//! All but the second step is `settle`, which every change, clean-up and confirm begins with, so
//! that what a cut or the firmware left undone is done before links or files go.

use super::detect::Scene;
use super::family::{Asked, Family};
use super::variable::{self, EFIVARS};
use super::{Armed, Try, apply, refuse};
use crate::error::{Error, Result};
use crate::sysroot::write::Written;
use crate::sysroot::{Deployment, Locked, Sysroot};
use nix::unistd::{AccessFlags, access};
use rootling_boot::KernelArgs;
use rootling_boot::efi::{self, DevicePath, Firmware, First, GLOBAL, LoadOption, Place};
use rootling_boot::loader::{Change, Promises, Step, Trial, tried_entry};
use rootling_boot::menu::Item;
use rootling_boot::plan::{Plan, Step as DiskStep, deployment_path};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// Where the ESP is mounted; not where links are needed.
const PLACES: [&str; 2] = ["efi", "boot/efi"];
/// Sectors of sysfs, in bytes.
const SECTOR: u64 = 512;

/// Where the ESP is mounted, below the sysroot.
struct Board(&'static str);

/// The loader, if firmware and ESP are within reach.
pub(super) fn open(scene: &Scene<'_>) -> Result<Arc<dyn Family>> {
    let sysroot = scene.sysroot;
    let is_esp = |place: &&str| sysroot.join(place).join("EFI").is_dir();
    let partition = match scene.settings.partition.as_deref() {
        Some(given) => PLACES.into_iter().find(|place| *place == given.trim_matches('/')),
        None => PLACES.into_iter().find(is_esp),
    };
    let partition =
        partition.ok_or_else(|| Error::not_found("an ESP, mounted at efi or boot/efi", sysroot))?;
    read(sysroot)?;
    Ok(Arc::new(Board(partition)))
}

impl Family for Board {
    fn promises(&self, sysroot: &Path) -> Result<Promises> {
        read(sysroot).map(|_| efi::PROMISES)
    }

    /// Entries that were dropped while what is armed runs are no sign that it was confirmed.
    fn trial(&self, sysroot: &Sysroot, armed: &Armed) -> Result<Trial> {
        let runs = sysroot.booted().is_some_and(|booted| booted.name() == armed.id.as_str());
        Ok(match read(&sysroot.path)?.place(armed.id.as_str()) {
            Place::Next => Trial::Left(1),
            Place::Behind => Trial::Spent,
            Place::Absent if runs => Trial::Spent,
            Place::Absent | Place::First => Trial::None,
        })
    }

    fn change(&self, sysroot: &Locked, asked: &Asked<'_>, plan: Plan) -> Result<Change> {
        let dir = sysroot.path.join(EFIVARS);
        access(&dir, AccessFlags::W_OK).map_err(|errno| Error::io("write to", &dir)(errno.into()))?;
        let mut change = files(&sysroot.path, self.0, &sysroot.items(asked.new)?)?;
        let firmware = read(&sysroot.path)?;
        let first = asked.new.first().map(Deployment::name).unwrap_or_default();
        let armed = asked.old.map(|old| old.id.as_str());
        let variables = match asked.what {
            Try::Confirm => efi::promote(&firmware, &first),
            Try::Arm { .. } => efi::withdraw(&firmware, &[armed.unwrap_or(&first), &first]),
            Try::FallBack => efi::withdraw(&firmware, armed.as_slice()),
            Try::Keep => Change::default(),
        };
        change.steps.extend(variables.steps);
        Ok(change.then(plan))
    }

    /// Has ESP and firmware follow the list, also where a cut or the firmware itself kept them from it.
    fn settle(&self, sysroot: &Locked) -> Result<bool> {
        let (firmware, items) = (read(&sysroot.path)?, sysroot.items(&sysroot.deployments)?);
        if items.is_empty() {
            return Ok(false);
        }
        let armed = Armed::read(&sysroot.path)?;
        let first = match &armed {
            None => First::Confirmed,
            Some(armed) => match firmware.place(armed.id.as_str()) {
                Place::First => First::Confirmed,
                Place::Behind => First::Tried,
                Place::Absent if sysroot.booted().is_some_and(|d| d.name() == armed.id.as_str()) => {
                    First::Tried
                }
                Place::Absent | Place::Next => First::Next,
            },
        };
        let esp = Esp::find(&sysroot.path, self.0)?;
        let options = items.iter().enumerate().map(|(at, item)| {
            let tried = at == 0 && first != First::Confirmed;
            esp.option(item, tried, is_unified(&sysroot.path, item)?)
        });
        let variables = efi::follow(&firmware, &options.collect::<Result<Vec<_>>>()?, first);
        let variables = variables.map_err(refuse)?;
        sysroot.apply(&files(&sysroot.path, self.0, &items)?)?;
        sysroot.apply(&variables)?;
        Ok(!variables.steps.is_empty())
    }

    /// From now on the ESP is found by the folder of deployments.
    fn install(&self, sysroot: &mut Locked, _: u32) -> Result<()> {
        self.settle(sysroot)?;
        let folder = format!("{}/{}", self.0, efi::FOLDER);
        let steps = vec![Step::Disk(DiskStep::MakeDir(folder))];
        sysroot.apply(&Change { steps })
    }

    /// The links that its entries lead through are replaced, so they have to be right before.
    fn write(&self, sysroot: &mut Locked, _: &[Deployment], _: Try) -> Result<Option<Written>> {
        sysroot.settle().map(|()| None)
    }

    fn apply(&self, sysroot: &Path, step: &Step) -> Result<()> {
        match step {
            Step::SetVariable { name, bytes } => set_variable(sysroot, name, bytes),
            Step::RemoveVariable { name } => variable::remove(sysroot, name),
            step => apply::apply(sysroot, step),
        }
    }

    fn esp(&self) -> Option<(&str, &'static str)> {
        Some((self.0, efi::FOLDER))
    }
}

/// What the firmware says.
fn read(sysroot: &Path) -> Result<Firmware> {
    let dir = sysroot.join(EFIVARS);
    let names = match dir.is_dir() {
        true => crate::fs::list(&dir)?,
        false => Vec::new(),
    };
    if names.is_empty() {
        return Err(Error::not_found("firmware variables (efivarfs, mounted)", dir));
    }
    let mut files = Vec::new();
    for (name, path) in names {
        if name.starts_with("Boot") && name.ends_with(GLOBAL) {
            let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
            // opened for a write that never came
            files.extend((!bytes.is_empty()).then_some((name, bytes)));
        }
    }
    Firmware::decode(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))).map_err(refuse)
}

/// Sets a variable, or makes it.
fn set_variable(sysroot: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = variable::mutable(sysroot, name)?;
    let write = || {
        // efivarfs takes a variable in one write, and cuts it by itself
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
        file.write_all(bytes)?;
        let length = u64::try_from(bytes.len()).unwrap_or_default();
        if file.metadata()?.len() > length { file.set_len(length) } else { Ok(()) }
    };
    write().map_err(Error::io("write", &path))
}

/// The steps that put kernels on the ESP where they are not.
fn files(sysroot: &Path, partition: &str, items: &[Item]) -> Result<Change> {
    let mut steps = Vec::new();
    for item in items {
        let (modules, folder) = (modules(item), format!("{partition}/{}", folder(item)));
        let has_initramfs = item.kernel.initramfs.is_some() && !is_unified(sysroot, item)?;
        let files = item.kernel.installed().into_iter().take(1 + usize::from(has_initramfs));
        let missing: Vec<_> =
            files.filter(|file| !sysroot.join(&folder).join(&file.target).exists()).collect();
        if !missing.is_empty() {
            steps.push(DiskStep::MakeDir(folder.clone()));
        }
        steps.extend(missing.into_iter().map(|file| DiskStep::Install {
            from: format!("{modules}/{}", file.source),
            to: format!("{folder}/{}", file.target),
            is_dir: false,
        }));
    }
    if !steps.is_empty() {
        steps.push(DiskStep::Sync);
    }
    Ok(Change { steps: steps.into_iter().map(Step::Disk).collect() })
}

/// A deployment's kernels, below the sysroot.
fn modules(item: &Item) -> String {
    format!("{}/{}/{}", deployment_path(item), rootling_boot::kernel::MODULES, item.kernel.version)
}

/// Whether a deployment's kernel is a unified image, which brings its initramfs.
fn is_unified(sysroot: &Path, item: &Item) -> Result<bool> {
    let path = sysroot.join(modules(item)).join(rootling_boot::kernel::VMLINUZ);
    let mut head = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(efi::HEAD as u64).read_to_end(&mut head));
    read.map_err(Error::io("read", &path)).map(|_| efi::has_initrd(&head))
}

/// A deployment's folder on the ESP.
fn folder(item: &Item) -> String {
    format!("{}/{}-{}", efi::FOLDER, item.stateroot, item.bootcsum)
}

/// The partition as a device path has it.
struct Esp {
    number: u32,
    start: u64,
    sectors: u64,
    guid: [u8; 16],
}

impl Esp {
    fn find(sysroot: &Path, partition: &str) -> Result<Esp> {
        let mounted = sysroot.join(partition);
        let device = fs::metadata(&mounted).map_err(Error::io("stat", &mounted))?.dev();
        let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
        let sys = sysroot.join(format!("sys/dev/block/{major}:{minor}"));
        let text = |name: &str| {
            let path = sys.join(name);
            fs::read_to_string(&path).map_err(Error::io("read", &path))
        };
        let number = |name: &str| {
            let text = text(name)?;
            let wrong = || {
                Error::refused(format_args!("{}: expected a number, got {text:?}", sys.join(name).display()))
            };
            text.trim().parse::<u64>().map_err(|_| wrong())
        };
        let block = number("../queue/logical_block_size").unwrap_or(SECTOR).max(SECTOR) / SECTOR;
        let uevent = text("uevent")?;
        let value = |key: &str| uevent.lines().find_map(|line| line.strip_prefix(key));
        let uuid = match value("PARTUUID=") {
            Some(uuid) => Some(uuid.to_string()),
            None => by_uuid(sysroot, value("DEVNAME=").unwrap_or_default())?,
        };
        let guid = uuid.as_deref().and_then(guid);
        let guid = guid.ok_or_else(|| Error::not_found("the PARTUUID of the ESP", &sys))?;
        let partition = u32::try_from(number("partition")?).unwrap_or_default();
        Ok(Esp { number: partition, start: number("start")? / block, sectors: number("size")? / block, guid })
    }

    /// What boots a deployment.
    fn option(&self, item: &Item, tried: bool, is_unified: bool) -> Result<LoadOption> {
        if item.entry.initrds().count() > 1 {
            return Err(Error::unsupported(format_args!(
                "more initrds than one ({}) with efi",
                item.deployment
            )));
        }
        let entry = if tried { tried_entry(&item.entry) } else { item.entry.clone() };
        let mut args = KernelArgs::parse(entry.get("options").unwrap_or_default());
        if is_unified && item.kernel.initramfs.is_none() {
            // what a tree without any initramfs starts with
            args.remove_key("init");
        }
        let mut args = args.to_string();
        if let Some(initramfs) = item.kernel.initramfs_name().filter(|_| !is_unified) {
            // the kernel's own loader stub reads it from the volume that it came from
            args.push_str(&format!(" initrd=\\{}\\{initramfs}", folder(item).replace('/', "\\")));
        }
        let file = format!("{}/{}", folder(item), item.kernel.kernel_name());
        let path = DevicePath::file(self.number, self.start, self.sectors, self.guid, &file);
        Ok(LoadOption::new(&efi::description(&item.deployment), path, &args))
    }
}

/// What udev calls a device, where the kernel does not say it itself.
fn by_uuid(sysroot: &Path, device: &str) -> Result<Option<String>> {
    let links = sysroot.join("dev/disk/by-partuuid");
    if !links.is_dir() {
        return Ok(None);
    }
    let leads = |path: &Path| fs::read_link(path).is_ok_and(|to| to.file_name() == Some(device.as_ref()));
    Ok(crate::fs::list(&links)?.into_iter().find(|(_, path)| leads(path)).map(|(name, _)| name))
}

/// Text of a GUID as a disk has it: its first three fields little-endian.
fn guid(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
    let mut guid = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?.to_be_bytes();
    for field in [0..4, 4..6, 6..8] {
        guid.get_mut(field)?.reverse();
    }
    Some(guid)
}
