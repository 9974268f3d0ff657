//! A build that boots from the firmware's own entries.

use super::super::{Armed, Loader, Try, refuse};
use crate::error::{Error, Result};
use crate::sysroot::apply::remove_all;
use crate::sysroot::{Deployment, Locked};
use nix::unistd::{AccessFlags, access};
use rootling_boot::efi::{self, DevicePath, Firmware, First, GLOBAL, LoadOption, Place};
use rootling_boot::loader::{Change, Promises, Step, Trial, tried_entry};
use rootling_boot::menu::Item;
use rootling_boot::plan::{Step as DiskStep, deployment_path};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the kernel shows variables.
const EFIVARS: &str = "sys/firmware/efi/efivars";
/// Where the ESP is mounted; not where links are needed.
const PLACES: [&str; 2] = ["efi", "boot/efi"];
/// Sectors of sysfs, in bytes.
const SECTOR: u64 = 512;

/// A board that boots so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    partition: String,
}

impl Board {
    /// Where the ESP is mounted, below the sysroot.
    pub fn partition(&self) -> &str {
        &self.partition
    }
}

/// The ESP that deployments boot from.
pub(in crate::sysroot) fn installed(sysroot: &Path) -> Option<String> {
    PLACES.into_iter().find(|place| sysroot.join(place).join(efi::FOLDER).is_dir()).map(String::from)
}

/// The loader, if firmware and ESP are within reach.
pub(in crate::sysroot) fn open(sysroot: &Path, partition: Option<&str>) -> Result<Loader> {
    let is_esp = |place: &&str| sysroot.join(place).join("EFI").is_dir();
    let partition = match partition {
        Some(given) => PLACES.into_iter().find(|place| *place == given.trim_matches('/')),
        None => PLACES.into_iter().find(is_esp),
    };
    let partition =
        partition.ok_or_else(|| Error::not_found("an ESP, mounted at efi or boot/efi", sysroot))?;
    read(sysroot)?;
    Ok(Loader::Efi(Board { partition: partition.into() }))
}

/// What it can and cannot do on this device.
pub(in crate::sysroot) fn promises(_: &Board, sysroot: &Path) -> Result<Promises> {
    read(sysroot).map(|_| efi::PROMISES)
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

/// How it stands with what is armed; entries that were dropped while it runs are no sign that it was confirmed.
pub(in crate::sysroot) fn trial(
    _: &Board,
    sysroot: &Path,
    armed: &Armed,
    booted: Option<&Deployment>,
) -> Result<Trial> {
    let runs = booted.is_some_and(|booted| booted.name() == armed.id.as_str());
    Ok(match read(sysroot)?.place(armed.id.as_str()) {
        Place::Next => Trial::Left(1),
        Place::Behind => Trial::Spent,
        Place::Absent if runs => Trial::Spent,
        Place::Absent | Place::First => Trial::None,
    })
}

/// Sets a variable, or makes it.
pub(in crate::sysroot) fn set_variable(sysroot: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = mutable_variable(sysroot, name)?;
    let write = || {
        // efivarfs takes a variable in one write, and cuts it by itself
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
        file.write_all(bytes)?;
        let length = u64::try_from(bytes.len()).unwrap_or_default();
        if file.metadata()?.len() > length { file.set_len(length) } else { Ok(()) }
    };
    write().map_err(Error::io("write", &path))
}

/// Removes a variable, or nothing.
pub(in crate::sysroot) fn remove_variable(sysroot: &Path, name: &str) -> Result<()> {
    remove_all(&mutable_variable(sysroot, name)?)
}

/// The file of a variable; the kernel makes most of them immutable, against `rm -rf`.
fn mutable_variable(sysroot: &Path, name: &str) -> Result<PathBuf> {
    let path = sysroot.join(EFIVARS).join(name);
    if let Ok(file) = File::open(&path) {
        crate::sys::set_immutable(file.as_fd(), false).map_err(Error::io("make mutable", &path))?;
    }
    Ok(path)
}

impl Locked {
    /// What has to be done before a list is exchanged.
    pub(in crate::sysroot) fn prepare_efi(
        &self,
        board: &Board,
        new: &[Deployment],
        old: Option<&Armed>,
        what: Try,
    ) -> Result<Change> {
        let dir = self.path.join(EFIVARS);
        access(&dir, AccessFlags::W_OK).map_err(|errno| Error::io("write to", &dir)(errno.into()))?;
        let mut change = self.files(&board.partition, &self.items(new)?);
        let firmware = read(&self.path)?;
        let first = new.first().map(Deployment::name).unwrap_or_default();
        let armed = old.map(|old| old.id.as_str());
        let variables = match what {
            Try::Confirm => efi::promote(&firmware, &first),
            Try::Arm { .. } => efi::withdraw(&firmware, &[armed.unwrap_or(&first), &first]),
            Try::FallBack => efi::withdraw(&firmware, armed.as_slice()),
            Try::Keep => Change::default(),
        };
        change.steps.extend(variables.steps);
        Ok(change)
    }

    /// Has ESP and firmware follow the list that is in use; says whether anything was to do.
    pub(in crate::sysroot) fn follow_efi(&self, board: &Board) -> Result<bool> {
        let (firmware, items) = (read(&self.path)?, self.items(&self.deployments)?);
        if items.is_empty() {
            return Ok(false);
        }
        let armed = Armed::read(&self.path)?;
        let first = match &armed {
            None => First::Confirmed,
            Some(armed) => match firmware.place(armed.id.as_str()) {
                Place::First => First::Confirmed,
                Place::Behind => First::Tried,
                Place::Absent if self.booted().is_some_and(|d| d.name() == armed.id.as_str()) => First::Tried,
                Place::Absent | Place::Next => First::Next,
            },
        };
        let esp = Esp::find(&self.path, &board.partition)?;
        let options = items.iter().enumerate().map(|(at, item)| {
            let tried = at == 0 && first != First::Confirmed;
            esp.option(item, tried)
        });
        let variables = efi::follow(&firmware, &options.collect::<Result<Vec<_>>>()?, first);
        let variables = variables.map_err(refuse)?;
        self.apply(&self.files(&board.partition, &items))?;
        self.apply(&variables)?;
        Ok(!variables.steps.is_empty())
    }

    /// From now on the ESP is found by the folder of deployments.
    pub(in crate::sysroot) fn install_efi(&self, board: &Board) -> Result<()> {
        self.follow_efi(board)?;
        let folder = format!("{}/{}", board.partition, efi::FOLDER);
        let steps = vec![Step::Disk(DiskStep::MakeDir(folder))];
        self.apply(&Change { steps })
    }

    /// The steps that put kernels on the ESP where they are not.
    fn files(&self, partition: &str, items: &[Item]) -> Change {
        let mut steps = Vec::new();
        for item in items {
            let modules = format!(
                "{}/{}/{}",
                deployment_path(item),
                rootling_boot::kernel::MODULES,
                item.kernel.version
            );
            let folder = format!("{partition}/{}", folder(item));
            let files =
                item.kernel.installed().into_iter().take(1 + usize::from(item.kernel.initramfs.is_some()));
            let missing: Vec<_> =
                files.filter(|file| !self.path.join(&folder).join(&file.target).exists()).collect();
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
        Change { steps: steps.into_iter().map(Step::Disk).collect() }
    }
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
            let wrong =
                || Error::refused(format!("{}: expected a number, got {text:?}", sys.join(name).display()));
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
    fn option(&self, item: &Item, tried: bool) -> Result<LoadOption> {
        if item.entry.initrds().count() > 1 {
            let what = format!("more initrds than one ({}) with efi", item.deployment);
            return Err(Error::unsupported(what));
        }
        let entry = if tried { tried_entry(&item.entry) } else { item.entry.clone() };
        let mut args = entry.get("options").unwrap_or_default().to_string();
        if let Some(initramfs) = item.kernel.initramfs_name() {
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
