//! The plans of a Raspberry Pi: one try by the one-shot flag of its firmware.
//!
//! ```text
//! arm        prepare: the slot of [tryboot] without its config.txt, sync; kernel, device trees, arguments, link, sync;
//!            config.txt beside, sync, rename, sync                          nothing boots it by itself
//! try        reboot(RESTART2, "0 tryboot"): the firmware clears the flag, then starts; every later boot is [all]
//! confirm    promote: autoboot.txt with the two numbers the other way round, one sector written over in place
//! fall back  nothing to write: the next plain reboot does it
//! ```
//! A slot's arguments name a link that no list renumbers, so the one that boots is never written to.

use super::autoboot::Autoboot;
use super::config::{self, CMDLINE, CONFIG, DEVICETREE, FOLDER, INITRAMFS, TRIED_CMDLINE, folder};
use crate::Result;
use crate::bootlink::LINKS;
use crate::error::Error;
use crate::kernel::{DeviceTree, MODULES, VMLINUZ};
use crate::loader::{Change, Counting, Promises, Step, Trial};
use crate::menu::Item;
use crate::plan::{Step as DiskStep, deployment_path};

/// Where the file is, on the first FAT partition.
pub const PATH: &str = "autoboot.txt";

/// What the reboot system call says for a try.
pub const REBOOT_ARGUMENT: &str = "0 tryboot";

/// What tryboot promises.
pub const PROMISES: Promises = Promises {
    loader: "raspberry pi (tryboot)",
    counting: Counting::Once,
    torn: None,
    note: Some(
        "only a reboot by this program tries it, a plain one boots the confirmed system; power lost before that try counts as the try; a Pi 4 needs an EEPROM of 2023 or later",
    ),
};

/// What the firmware says about this boot, in the device tree below `/chosen/bootloader`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booted {
    /// `partition`.
    pub partition: u32,
    /// `tryboot`.
    pub tryboot: bool,
}

impl Booted {
    /// Reads the two properties: four bytes each, big-endian.
    pub fn decode(partition: &[u8], tryboot: &[u8]) -> Result<Booted> {
        let number = |bytes: &[u8]| -> Result<u32> {
            let four = bytes.try_into();
            let four = four.map_err(|_| {
                Error::malformed("device tree number", "4 bytes", format!("{} bytes", bytes.len()))
            })?;
            Ok(u32::from_be_bytes(four))
        };
        Ok(Booted { partition: number(partition)?, tryboot: number(tryboot)? != 0 })
    }
}

/// A boot partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its number on the disk.
    pub number: u32,
    /// Where it is mounted, below the sysroot.
    pub place: String,
    /// Its config.txt, where it has one.
    pub config: Option<String>,
}

impl Slot {
    /// The deployment that it boots.
    pub fn deployment(&self) -> Option<&str> {
        config::deployment(self.config.as_deref()?)
    }
}

/// Both slots, by what the firmware does with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// The file that tells them apart.
    pub autoboot: Autoboot,
    /// The slot of every plain boot.
    pub boots: Slot,
    /// The other one: what is tried.
    pub spare: Slot,
}

impl Slots {
    /// Finds them among the partitions that are mounted, slots before others.
    pub fn find(autoboot: Autoboot, mounted: Vec<Slot>) -> Result<Slots> {
        if !autoboot.is_a_b() {
            return Err(Error::malformed("autoboot.txt", "tryboot_a_b=1", autoboot.to_string()));
        }
        let (boot, mut tried) = (autoboot.partition(false)?, autoboot.partition(true)?);
        if tried == boot {
            // a swap that a cut left half done
            let other = mounted.iter().find(|slot| slot.number != boot);
            tried = other.map_or(tried, |slot| slot.number);
        }
        let there: Vec<String> =
            mounted.iter().map(|slot| format!("{} at {}", slot.number, slot.place)).collect();
        let slot = |number: u32| {
            let found = mounted.iter().find(|slot| slot.number == number).cloned();
            found.ok_or_else(|| {
                let got = format!("{number}, mounted are {}", there.join(", "));
                Error::malformed("autoboot.txt", "boot_partition of a mounted partition", got)
            })
        };
        let (boots, spare) = (slot(boot)?, slot(tried)?);
        match boots.number != spare.number {
            true => Ok(Slots { autoboot, boots, spare }),
            false => Err(Error::malformed("autoboot.txt", "two partitions", boot.to_string())),
        }
    }
}

/// A file or folder that goes into a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Below the kernel's folder in the tree.
    pub source: String,
    /// Below the deployment's folder in the slot.
    pub target: String,
    /// Whether it is a folder.
    pub is_dir: bool,
}

/// Puts a deployment on the spare slot; `base` has the board's lines of config.txt, `trees` the device trees of a folder.
pub fn prepare(slots: &Slots, new: &Item, base: &str, trees: &[File]) -> Change {
    let place = &slots.spare.place;
    let to = format!("{place}/{}", folder(&new.deployment));
    let modules = format!("{}/{MODULES}/{}", deployment_path(new), new.kernel.version);
    let mut change = Change::default();
    change.disk(DiskStep::Remove(format!("{place}/{CONFIG}")));
    change.sync();
    change.disk(DiskStep::Remove(format!("{place}/{FOLDER}")));
    change.sync();
    change.disk(DiskStep::MakeDir(to.clone()));
    let file =
        |source: &str, target: &str| File { source: source.into(), target: target.into(), is_dir: false };
    let mut files = vec![file(VMLINUZ, VMLINUZ)];
    files.extend(new.kernel.initramfs.as_ref().map(|source| file(source, INITRAMFS)));
    match new.kernel.devicetree {
        DeviceTree::None => {}
        DeviceTree::File => files.push(file("devicetree", DEVICETREE)),
        DeviceTree::Dir => files.extend_from_slice(trees),
    }
    for file in files {
        change.disk(DiskStep::Install {
            from: format!("{modules}/{}", file.source),
            to: format!("{to}/{}", file.target),
            is_dir: file.is_dir,
        });
    }
    for (name, tried) in [(CMDLINE, false), (TRIED_CMDLINE, true)] {
        let bytes = config::cmdline(new, tried).into_bytes();
        change.steps.push(Step::WriteBytes { path: format!("{to}/{name}"), bytes });
    }
    change.disk(DiskStep::MakeDir(LINKS.into()));
    change.disk(DiskStep::Link {
        target: format!("../deploy/{}/deploy/{}", new.stateroot, new.deployment),
        path: format!("{LINKS}/{}", new.deployment),
    });
    change.sync();
    change.replace(&format!("{place}/{CONFIG}"), config::config(base, new).into_bytes());
    change
}

/// Makes the spare slot the one that boots; `folder` is where the partition of autoboot.txt is mounted.
///
/// A file as long as before is one sector and written over in place: no table or folder of the FAT changes.
pub fn promote(slots: &Slots, folder: &str) -> Result<Change> {
    let mut change = Change::default();
    let bytes = slots.autoboot.assign(slots.spare.number, slots.boots.number)?.encode()?;
    let path = format!("{folder}/{PATH}");
    match bytes.len() == slots.autoboot.encode()?.len() {
        true => change.overwrite(&path, 0, bytes),
        false => change.replace(&path, bytes),
    }
    Ok(change)
}

/// How it stands with what is armed; `tried`: a reboot with the argument was asked for in an earlier boot.
pub fn trial(slots: &Slots, armed: &str, tried: bool) -> Trial {
    match tried {
        _ if slots.boots.deployment() == Some(armed) => Trial::None,
        true => Trial::Spent,
        false => Trial::Left(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_device_tree() {
        let booted = Booted::decode(&[0, 0, 0, 3], &[0, 0, 0, 1]).unwrap();
        assert_eq!(booted, Booted { partition: 3, tryboot: true });
        assert!(Booted::decode(&[3], &[0, 0, 0, 1]).is_err() && Booted::decode(&[0, 0, 0, 3], &[]).is_err());
    }

    fn mounted(numbers: &[u32]) -> Vec<Slot> {
        numbers.iter().map(|n| Slot { number: *n, place: format!("boot/{n}"), config: None }).collect()
    }

    #[test]
    fn finds_two_slots_or_says_what_is_missing() {
        let find =
            |text: &str, numbers: &[u32]| Slots::find(Autoboot::parse(text).unwrap(), mounted(numbers));
        let plain = Autoboot::new(2, 3).to_string();
        let slots = find(&plain, &[2, 3, 1]).unwrap();
        assert_eq!((slots.boots.number, slots.spare.number), (2, 3));
        // one that is torn between the two numbers
        let half = find(&plain.replace("=2", "=3"), &[2, 3, 1]).unwrap();
        assert_eq!((half.boots.number, half.spare.number), (3, 2));
        for (text, numbers, part) in [
            (plain.as_str(), &[2][..], "got \"3, mounted are 2 at boot/2\""),
            (&plain, &[], "boot_partition of a mounted partition"),
            ("boot_partition=2\n[tryboot]\nboot_partition=3\n", &[2, 3], "expected tryboot_a_b=1"),
            ("tryboot_a_b=1\nboot_partition=2\n", &[2], "expected two partitions"),
            ("tryboot_a_b=1\n", &[2, 3], "boot_partition=NUMBER"),
        ] {
            let error = find(text, numbers).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn promotes_in_place_where_nothing_else_moves() {
        let slots = |boot, tried| Slots::find(Autoboot::new(boot, tried), mounted(&[boot, tried])).unwrap();
        let steps = promote(&slots(2, 3), "boot/firmware").unwrap().steps;
        assert!(matches!(&steps[..], [Step::Overwrite { offset: 0, .. }, _]), "{steps:?}");
        let steps = promote(&slots(9, 10), "boot/firmware").unwrap().steps;
        assert!(matches!(&steps[..], [Step::Overwrite { offset: 0, .. }, _]), "as long as before: {steps:?}");
        let config = Some("# rootling: b.0\n".to_string());
        let mut tried = slots(2, 3);
        assert_eq!((trial(&tried, "b.0", false), trial(&tried, "b.0", true)), (Trial::Left(1), Trial::Spent));
        tried.boots.config = config;
        assert_eq!(trial(&tried, "b.0", true), Trial::None);
    }
}
