//! The boot loader of a device: found, read, and changed by the plans of `rootling_boot`.
//!
//! ```text
//! boot/loader/rootling-trial      "CHECKSUM.SERIAL TRIES": what is on trial; swapped in with the entries
//! boot/loader/grub.cfg            GRUB's menu                boot/grub/grub.cfg, grubenv    written by `install`
//! boot/loader/uEnv.txt            U-Boot's variables         the environment of etc/fw_env.config
//! boot/loader/extlinux.conf       the menu of sysboot        boot/extlinux/extlinux.conf -> ../loader/extlinux.conf
//! ```
//!
//! | file | says or does |
//! |---|---|
//! | `detect` | which loader, from the configuration or from what is there |
//! | `family` | what each loader does in its own way |
//! | `armed` | the file `rootling-trial` |
//! | `apply` | one step of a plan |
//! | `trial` | arm, confirm, fall back, repair on a list of deployments |
//! | `grub` | GRUB, with our configuration or greenboot's |
//! | `uboot` | U-Boot: its environment, on MTD too |
//! | `extlinux` | a menu, and no counting |
//! | `sdboot` | systemd-boot's entries on a partition without symlinks |
//! | `efi` | kernels on the ESP and entries of the firmware |
//! | `pi` | the two boot partitions of a Raspberry Pi |
//! | `variable` | firmware variables as files |
//! | `restart` | a reboot with words for the firmware |
//!
//! `grub` to `pi` are features. [`BUILT`] is the one place that knows which of them a build has; a loader that is found or
//! asked for and is not among them is refused by name, for reading too.
//!
//! | step | durable after it; if power fails here |
//! |---|---|
//! | menu, uEnv.txt, extlinux.conf, `rootling-trial` in the folder of the loader that is not in use; boot files; sync | nothing that a loader reads |
//! | U-Boot, greenboot: the counter is written and synced; GRUB: grubenv is written over in place and synced | the confirmed system boots, with U-Boot and greenboot counted |
//! | `boot/loader` is exchanged, sync | the new list boots: its first entry is tried, counted |
//!
//! **Invariant:** after each step the next boot is the confirmed system, or the new one with its tries counted.

mod apply;
mod armed;
mod detect;
#[cfg(feature = "efi")]
mod efi;
#[cfg(feature = "extlinux")]
mod extlinux;
mod family;
#[cfg(feature = "grub")]
mod grub;
#[cfg(feature = "pi")]
mod pi;
mod restart;
#[cfg(feature = "systemd-boot")]
mod sdboot;
mod trial;
#[cfg(feature = "u-boot")]
mod uboot;
mod variable;

pub use armed::Armed;
pub use detect::Settings;
pub use restart::restart;
pub use trial::{BootState, Try};

pub(super) use detect::{entries_without_links, leads_to_list, read_entries};

use crate::error::{Error, Result};
use detect::Scene;
use family::Family;
use rootling_boot::loader::{Kind, Promises};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where U-Boot's `sysboot` looks for its menu.
const EXTLINUX: &str = "boot/extlinux/extlinux.conf";

/// Loaders, and how each becomes one that can be used.
type Built = &'static [(Kind, fn(&Scene<'_>) -> Result<Arc<dyn Family>>)];

/// The loaders of this build.
const BUILT: Built = &[
    #[cfg(feature = "grub")]
    (Kind::Grub, grub::open),
    #[cfg(feature = "grub")]
    (Kind::Greenboot, grub::open_greenboot),
    #[cfg(feature = "systemd-boot")]
    (Kind::SystemdBoot, sdboot::open),
    #[cfg(feature = "u-boot")]
    (Kind::UBoot, uboot::open),
    #[cfg(feature = "extlinux")]
    (Kind::Extlinux, extlinux::open),
    #[cfg(feature = "efi")]
    (Kind::Efi, efi::open),
    #[cfg(feature = "pi")]
    (Kind::Pi, pi::open),
];

/// A reboot may have something to say to the firmware.
pub const TELLS: bool = cfg!(feature = "pi");

/// File systems beside the root that are synced, where they are there.
pub(super) const SYNCED: &[&str] = &[
    "boot",
    "efi",
    "boot/efi",
    #[cfg(feature = "pi")]
    pi::SLOTS[0],
    #[cfg(feature = "pi")]
    pi::SLOTS[1],
    #[cfg(feature = "pi")]
    pi::FIRMWARE,
];

/// The loaders that this build has.
pub fn built() -> impl Iterator<Item = Kind> {
    BUILT.iter().map(|(kind, _)| *kind)
}

/// A loader whose files and state follow the list of deployments.
#[derive(Clone)]
pub struct Loader {
    kind: Kind,
    family: Arc<dyn Family>,
}

impl Loader {
    /// Which one it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What it can and cannot do on this device.
    pub fn promises(&self, sysroot: &Path) -> Result<Promises> {
        self.family.promises(sysroot)
    }

    pub(super) fn family(&self) -> &Arc<dyn Family> {
        &self.family
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loader({})", self.kind)
    }
}

/// What a plan refuses is refused here too, in its words.
fn refuse(error: rootling_boot::Error) -> Error {
    Error::refused(error)
}

/// A tree may bring a folder of device trees, of which U-Boot and extlinux choose one.
#[cfg(any(feature = "grub", feature = "systemd-boot"))]
fn warn_of_folder() {
    crate::warn!("this loader loads no device tree from a folder: the firmware's is used");
}
