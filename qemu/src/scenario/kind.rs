//! Which scenarios there are, and what each asks of the machine.

use std::str::FromStr;

use anyhow::{Result, bail};

use crate::image::By;
use crate::path::{Arch, Loader, Path};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// A good update is tried, confirmed and stays.
    Upgrade,
    /// An update whose kernel panics.
    Panic,
    /// An update whose kernel the loader cannot load.
    NoKernel,
    /// An update that boots and fails a health check.
    FailedCheck,
    /// An update in which the device program does not start.
    DeadAgent,
    /// An update in which nothing acts but a watchdog.
    Watchdog,
    /// Back to the previous system by hand.
    Rollback,
    /// An old system, a newer one, and one newer still.
    Chain,
    /// The power goes in the middle of updates.
    PowerCut,
    /// No room for the update, and then room.
    FullDisk,
    /// An update on a machine with little memory, of which it may take little.
    Memory,
    /// A device that libostree made.
    TakeOver,
    /// An environment of U-Boot that is a file on a FAT is replaced, its disk's writes logged.
    FatEnv,
    /// As before, by a kernel that exchanges no names.
    FatEnvRenamed,
}

/// In the order of the report.
pub const ALL: &[Scenario] = &[
    Scenario::Upgrade,
    Scenario::Panic,
    Scenario::NoKernel,
    Scenario::FailedCheck,
    Scenario::DeadAgent,
    Scenario::Watchdog,
    Scenario::Rollback,
    Scenario::Chain,
    Scenario::PowerCut,
    Scenario::FullDisk,
    Scenario::Memory,
    Scenario::TakeOver,
    Scenario::FatEnv,
    Scenario::FatEnvRenamed,
];

impl Scenario {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Upgrade => "upgrade",
            Scenario::Panic => "panic",
            Scenario::NoKernel => "no-kernel",
            Scenario::FailedCheck => "failed-check",
            Scenario::DeadAgent => "dead-agent",
            Scenario::Watchdog => "watchdog",
            Scenario::Rollback => "rollback",
            Scenario::Chain => "chain",
            Scenario::PowerCut => "power-cut",
            Scenario::FullDisk => "full-disk",
            Scenario::Memory => "memory",
            Scenario::TakeOver => "take-over",
            Scenario::FatEnv => "fat-env",
            Scenario::FatEnvRenamed => "fat-env-renamed",
        }
    }

    /// Whether it can be played there: libostree's menu for GRUB is made here, those for other loaders are not; GRUB alone
    /// falls back from a kernel that it cannot load with no restart; a device in a folder needs no more than one machine,
    /// and that of this one's programs.
    pub fn fits(self, path: Path) -> bool {
        match self {
            Scenario::TakeOver | Scenario::NoKernel => matches!(path.loader, Loader::Grub | Loader::GrubEfi),
            Scenario::Watchdog => path.arch == Arch::X86_64,
            Scenario::FatEnv | Scenario::FatEnvRenamed => {
                path == Path { arch: Arch::X86_64, loader: Loader::Grub }
            }
            _ => true,
        }
    }

    /// Whether it has a disk of its own for U-Boot's environment.
    pub fn has_env(self) -> bool {
        matches!(self, Scenario::FatEnv | Scenario::FatEnvRenamed)
    }

    /// Who makes its disk.
    pub fn by(self) -> By {
        if self == Scenario::TakeOver { By::Ostree } else { By::Agent }
    }

    /// MiB of memory, where it is not what was asked for.
    pub fn memory(self, path: Path) -> Option<u32> {
        match (self, path.arch, path.loader) {
            // the packaged U-Boot puts the initramfs right behind the first 64
            (Scenario::Memory, Arch::Armv7, Loader::Extlinux) => Some(128),
            (Scenario::Memory, Arch::Armv7, _) => Some(64),
            _ => None,
        }
    }
}

impl FromStr for Scenario {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Scenario> {
        let found = ALL.iter().find(|scenario| scenario.name() == text);
        let Some(found) = found else {
            let names: Vec<&str> = ALL.iter().map(|scenario| scenario.name()).collect();
            bail!("scenario {text:?}: expected one of {}", names.join(" "));
        };
        Ok(*found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for scenario in ALL {
            assert_eq!(scenario.name().parse::<Scenario>().unwrap(), *scenario);
        }
        let error = "panics".parse::<Scenario>().unwrap_err().to_string();
        assert!(error.starts_with("scenario \"panics\": expected one of upgrade panic "), "{error}");
    }

    #[test]
    fn what_a_scenario_asks_of_the_machine() {
        let path = |name: &str| name.parse::<Path>().unwrap();
        for (name, taken_over, memory) in [
            ("x86_64/grub", true, None),
            ("aarch64/grub-efi", true, None),
            ("x86_64/systemd-boot", false, None),
            ("armv7/u-boot", false, Some(64)),
            ("armv7/extlinux", false, Some(128)),
        ] {
            assert_eq!(Scenario::TakeOver.fits(path(name)), taken_over, "{name}");
            assert_eq!(Scenario::NoKernel.fits(path(name)), taken_over, "{name}");
            assert_eq!(Scenario::Memory.memory(path(name)), memory, "{name}");
            assert_eq!(Scenario::Watchdog.fits(path(name)), name.starts_with("x86_64/"), "{name}");
            assert_eq!(Scenario::FatEnv.fits(path(name)), name == "x86_64/grub", "{name}");
            assert_eq!(Scenario::Upgrade.memory(path(name)), None, "{name}");
        }
        assert_eq!((Scenario::TakeOver.by(), Scenario::Upgrade.by()), (By::Ostree, By::Agent));
    }
}
