//! The boot loader of a device: found, read, and changed by the plans of `rootling_boot`.
//!
//! ```text
//! boot/loader/rootling-trial      "CHECKSUM.SERIAL TRIES": what is on trial; swapped in with the entries
//! boot/loader/grub.cfg            GRUB's menu                boot/grub/grub.cfg, grubenv    written by `install`
//! boot/loader/uEnv.txt            U-Boot's variables         the environment of etc/fw_env.config
//! boot/loader/extlinux.conf       the menu of sysboot        boot/extlinux/extlinux.conf -> ../loader/extlinux.conf
//! ```
//!
//! | file | verb |
//! |---|---|
//! | `detect` | which loader, from the configuration or from what is there |
//! | `env` | the state that a loader counts in |
//! | `armed` | the file `rootling-trial` |
//! | `apply` | one step of a plan |
//! | `efi` | kernels on the ESP and entries of the firmware |
//! | `pi` | the two boot partitions of a Raspberry Pi |
//! | `flash` | U-Boot's environment on MTD |
//! | `fat` | systemd-boot's entries on a partition without symlinks |
//! | `trial` | arm, confirm, fall back, repair on a list of deployments |
//!
//! | step | durable after it; if power fails here |
//! |---|---|
//! | menu, uEnv.txt, extlinux.conf, `rootling-trial` in the folder of the loader that is not in use; boot files; sync | nothing that a loader reads |
//! | U-Boot, greenboot: the counter is written and synced | the confirmed system boots, counted |
//! | `boot/loader` is exchanged, sync | the new list boots; with GRUB the confirmed entry of it |
//! | GRUB: grubenv is written over in place and synced | the new entry is tried, counted |
//!
//! **Invariant:** after each step the next boot is the confirmed system, or the new one with its tries counted.

mod apply;
mod armed;
mod detect;
pub(super) mod efi;
mod env;
pub(super) mod fat;
mod flash;
pub(super) mod pi;
mod trial;

pub use armed::Armed;
pub use detect::Settings;
pub use efi::Board;
pub use pi::{Asked, Slots, TELLS, restart};
pub use trial::{BootState, Try};

pub(super) use apply::apply;
pub(super) use detect::leads_to_list;

use crate::error::{Error, Result};
use rootling_boot::Entry;
use rootling_boot::grub::{self, greenboot};
use rootling_boot::loader::{Counting, Kind, Promises, TrialId};
use rootling_boot::sdboot;
use rootling_boot::uboot::{self, EXTLINUX_PROMISES, EnvConfig};

use std::path::Path;

/// Where U-Boot's `sysboot` looks for its menu.
const EXTLINUX: &str = "boot/extlinux/extlinux.conf";
/// Where U-Boot's own commands look for what to boot.
const UENV: &str = "boot/uEnv.txt";
/// The menu's name in a loader folder.
const EXTLINUX_MENU: &str = "extlinux.conf";

/// A loader whose files and state follow the list of deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loader {
    /// GRUB with our configuration.
    Grub,
    /// GRUB with a configuration that counts for greenboot.
    Greenboot {
        /// Its environment block, below the sysroot.
        env: String,
    },
    /// U-Boot that counts in its environment.
    UBoot {
        /// Where the environment is; paths of plain files are below the sysroot.
        config: EnvConfig,
    },
    /// A loader that reads extlinux.conf, with no counting.
    Extlinux,
    /// systemd-boot.
    SystemdBoot {
        /// Where its FAT partition is mounted, below the sysroot.
        partition: String,
        /// The entries that the firmware's variable `LoaderEntryDefault` chooses.
        default: Option<String>,
    },
    /// Firmware that boots kernels from its own entries.
    Efi(efi::Board),
    /// A Raspberry Pi's firmware.
    Pi(pi::Slots),
}

impl Loader {
    /// Which one it is.
    pub fn kind(&self) -> Kind {
        match self {
            Loader::Grub => Kind::Grub,
            Loader::Greenboot { .. } => Kind::Greenboot,
            Loader::UBoot { .. } => Kind::UBoot,
            Loader::Extlinux => Kind::Extlinux,
            Loader::SystemdBoot { .. } => Kind::SystemdBoot,
            Loader::Efi(_) => Kind::Efi,
            Loader::Pi(_) => Kind::Pi,
        }
    }

    /// What it can and cannot do on this device.
    pub fn promises(&self, sysroot: &Path) -> Result<Promises> {
        Ok(match self {
            // one that cannot be read promises nothing
            Loader::Grub => env::grubenv(sysroot, grub::ENV).map(|_| grub::PROMISES)?,
            Loader::Greenboot { env } => env::grubenv(sysroot, env).map(|_| greenboot::PROMISES)?,
            Loader::UBoot { config } => {
                let uboot = env::UBoot::read(sysroot, config)?;
                let promises = uboot::promises(&uboot.medium());
                match uboot::ready(&uboot.env.vars) {
                    Ok(()) => promises,
                    Err(_) => Promises {
                        loader: "u-boot without altbootcmd",
                        counting: Counting::Never,
                        ..promises
                    },
                }
            }
            Loader::Extlinux => EXTLINUX_PROMISES,
            Loader::SystemdBoot { .. } => sdboot::PROMISES,
            Loader::Efi(board) => efi::promises(board, sysroot)?,
            Loader::Pi(slots) => pi::promises(slots, sysroot)?,
        })
    }

    /// Whether what the firmware reads lies elsewhere, and is made to follow the list after each change.
    pub(super) fn follows(&self) -> bool {
        matches!(self, Loader::Efi(_) | Loader::Pi(_))
    }

    /// The files that change together with the entries; `own` is the first deployment's own uEnv.txt.
    fn files(
        &self,
        sysroot: &Path,
        entries: &[Entry],
        trial: Option<&TrialId>,
        own: &str,
    ) -> Result<Vec<(&'static str, String)>> {
        let extlinux = || (EXTLINUX_MENU, uboot::extlinux(entries, trial.is_some(), 5));
        Ok(match self {
            Loader::Grub => vec![(grub::MENU, grub::menu(entries, trial))],
            Loader::Greenboot { .. } | Loader::SystemdBoot { .. } => Vec::new(),
            Loader::Efi(_) | Loader::Pi(_) => Vec::new(),
            Loader::Extlinux => vec![extlinux()],
            Loader::UBoot { .. } => {
                let text = uboot::uenv(entries, trial.is_some(), own).map_err(refuse)?;
                let mut files = vec![(uboot::UENV, text)];
                files.extend(sysroot.join(EXTLINUX).is_symlink().then(extlinux));
                files
            }
        })
    }
}

/// What a plan refuses is refused here too, in its words.
fn refuse(error: rootling_boot::Error) -> Error {
    Error::refused(error)
}
