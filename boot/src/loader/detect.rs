//! Which loader a device has, from what is on it.
//!
//! The override in the agent's configuration comes first; it is also the only way to a loader that leaves no trace.
//! Of several traces the one wins that says what booted this system: a variable that the loader itself wrote, then
//! files that only it reads.

use crate::Result;
use crate::error::Error;
use std::fmt;

/// The loaders that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GRUB with the configuration of this crate.
    Grub,
    /// GRUB with a configuration that counts for greenboot.
    Greenboot,
    /// systemd-boot.
    SystemdBoot,
    /// U-Boot with its environment within reach.
    UBoot,
    /// A loader that reads extlinux.conf, with no counting.
    Extlinux,
    /// Firmware that boots a kernel itself.
    Efi,
    /// A Raspberry Pi's firmware.
    Pi,
}

/// What a device shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traces {
    /// The firmware variable `LoaderInfo` says systemd-boot.
    pub loader_info_sdboot: bool,
    /// efivarfs is there.
    pub efivars: bool,
    /// `boot/grub/grub.cfg` is ours.
    pub our_grub: bool,
    /// Some grubenv has `boot_success` or `boot_counter`.
    pub greenboot: bool,
    /// `/etc/fw_env.config` is there.
    pub fw_env_config: bool,
    /// An extlinux.conf is there.
    pub extlinux: bool,
    /// The device tree has `/chosen/bootloader`, and deployments boot from partitions that it chooses.
    pub pi_firmware: bool,
    /// The first load option of BootOrder boots a file of a deployment.
    pub efi_boots_kernel: bool,
}

const NAMES: [(&str, Kind); 7] = [
    ("grub", Kind::Grub),
    ("greenboot", Kind::Greenboot),
    ("systemd-boot", Kind::SystemdBoot),
    ("u-boot", Kind::UBoot),
    ("extlinux", Kind::Extlinux),
    ("efi", Kind::Efi),
    ("raspberry-pi", Kind::Pi),
];

impl Kind {
    /// Reads the name that a configuration gives.
    pub fn parse(name: &str) -> Result<Kind> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        let expected = "grub, greenboot, systemd-boot, u-boot, extlinux, efi or raspberry-pi";
        found.map(|(_, kind)| *kind).ok_or_else(|| Error::malformed("boot loader", expected, name))
    }

    /// The name that a configuration gives it.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, kind)| *kind == self).map(|(name, _)| *name).unwrap_or_default()
    }

    /// Chooses by the configuration, else by the traces; `None` for a loader that is not known.
    pub fn detect(configured: Option<&str>, traces: &Traces) -> Result<Option<Kind>> {
        if let Some(name) = configured.filter(|name| *name != "auto") {
            return Kind::parse(name).map(Some);
        }
        let found = [
            (traces.efivars && traces.loader_info_sdboot, Kind::SystemdBoot),
            (traces.pi_firmware, Kind::Pi),
            (traces.our_grub, Kind::Grub),
            (traces.greenboot, Kind::Greenboot),
            (traces.fw_env_config, Kind::UBoot),
            (traces.extlinux, Kind::Extlinux),
            (traces.efivars && traces.efi_boots_kernel, Kind::Efi),
        ];
        Ok(found.into_iter().find(|(seen, _)| *seen).map(|(_, kind)| kind))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_trace_wins() {
        let none = Traces::default();
        for (traces, want) in [
            (none, None),
            (Traces { efivars: true, ..none }, None),
            (Traces { loader_info_sdboot: true, ..none }, None),
            (
                Traces { efivars: true, loader_info_sdboot: true, our_grub: true, ..none },
                Some(Kind::SystemdBoot),
            ),
            (Traces { our_grub: true, greenboot: true, ..none }, Some(Kind::Grub)),
            (Traces { fw_env_config: true, extlinux: true, ..none }, Some(Kind::UBoot)),
            (Traces { extlinux: true, ..none }, Some(Kind::Extlinux)),
            (Traces { pi_firmware: true, extlinux: true, ..none }, Some(Kind::Pi)),
            (Traces { efivars: true, efi_boots_kernel: true, ..none }, Some(Kind::Efi)),
        ] {
            assert_eq!(Kind::detect(None, &traces), Ok(want), "{traces:?}");
            assert_eq!(Kind::detect(Some("auto"), &traces), Ok(want));
            assert_eq!(Kind::detect(Some("u-boot"), &traces), Ok(Some(Kind::UBoot)));
        }
        let error = Kind::detect(Some("lilo"), &none).unwrap_err().to_string();
        assert!(error.contains("systemd-boot") && error.contains("lilo"), "{error}");
    }

    #[test]
    fn every_name_is_read_back() {
        for (name, kind) in NAMES {
            assert_eq!((Kind::parse(name), kind.to_string().as_str()), (Ok(kind), name));
        }
    }
}
