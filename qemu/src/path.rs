//! A path: a machine, its firmware and the boot loader that starts the system.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};

/// What the processor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// A PC of 64 bits.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM with hardware floating point.
    Armv7,
}

/// What reads the boot entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loader {
    /// GRUB, started by a BIOS.
    Grub,
    /// GRUB, started by UEFI.
    GrubEfi,
    /// systemd-boot.
    SystemdBoot,
    /// U-Boot that counts boots.
    UBoot,
    /// A stock U-Boot that reads extlinux.conf, and counts nothing.
    Extlinux,
}

/// Both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The machine.
    pub arch: Arch,
    /// The loader.
    pub loader: Loader,
}

/// Every path that there is an image for. systemd-boot 252 on 32-bit ARM loses the names of entries, so it is none.
pub const PATHS: &[Path] = &[
    Path { arch: Arch::X86_64, loader: Loader::Grub },
    Path { arch: Arch::X86_64, loader: Loader::GrubEfi },
    Path { arch: Arch::X86_64, loader: Loader::SystemdBoot },
    Path { arch: Arch::Aarch64, loader: Loader::GrubEfi },
    Path { arch: Arch::Aarch64, loader: Loader::SystemdBoot },
    Path { arch: Arch::Aarch64, loader: Loader::UBoot },
    Path { arch: Arch::Aarch64, loader: Loader::Extlinux },
    Path { arch: Arch::Armv7, loader: Loader::UBoot },
    Path { arch: Arch::Armv7, loader: Loader::Extlinux },
];

impl Arch {
    /// As in the names of paths and of `cargo xtask cross`.
    pub fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
            Arch::Armv7 => "armv7",
        }
    }

    /// The kernel's name of the serial port.
    pub fn console(self) -> &'static str {
        match self {
            Arch::X86_64 => "ttyS0",
            _ => "ttyAMA0",
        }
    }

    /// What the kernel has to be told of an emulated machine: on a busy host the timer of x86 comes late, and its check at the start
    /// ends in a panic (`IO-APIC + timer doesn't work`) that says nothing of the system.
    pub fn kargs(self) -> &'static [&'static str] {
        match self {
            Arch::X86_64 => &["no_timer_check"],
            _ => &[],
        }
    }
}

impl Loader {
    /// As in the names of paths.
    pub fn name(self) -> &'static str {
        match self {
            Loader::Grub => "grub",
            Loader::GrubEfi => "grub-efi",
            Loader::SystemdBoot => "systemd-boot",
            Loader::UBoot => "u-boot",
            Loader::Extlinux => "extlinux",
        }
    }

    /// What `rootling boot install` calls it.
    pub fn agent_name(self) -> &'static str {
        match self {
            Loader::Grub | Loader::GrubEfi => "grub",
            other => other.name(),
        }
    }

    /// Whether the firmware is UEFI.
    pub fn is_efi(self) -> bool {
        matches!(self, Loader::GrubEfi | Loader::SystemdBoot)
    }

    /// Whether it falls back by itself.
    pub fn counts(self) -> bool {
        self != Loader::Extlinux
    }
}

impl Path {
    /// A path that there is an image for.
    pub fn new(arch: &str, loader: &str) -> Result<Path> {
        let found = PATHS.iter().find(|path| path.arch.name() == arch && path.loader.name() == loader);
        let Some(found) = found else {
            let names: Vec<String> = PATHS.iter().map(Path::to_string).collect();
            bail!("path {arch}/{loader}: expected one of {}", names.join(" "));
        };
        Ok(*found)
    }
}

impl FromStr for Path {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Path> {
        let (arch, loader) = text.split_once('/').unwrap_or((text, ""));
        Path::new(arch, loader)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.arch.name(), self.loader.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for path in PATHS {
            assert_eq!(path.to_string().parse::<Path>().unwrap(), *path);
        }
        for text in ["", "x86_64", "x86_64/u-boot", "armv7/systemd-boot", "x86_64/grub/"] {
            let error = text.parse::<Path>().unwrap_err().to_string();
            assert!(error.contains("expected one of x86_64/grub "), "{text:?}: {error}");
        }
    }
}
