//! Which loader a device has: the configuration first, else what is there.

use super::env::UBoot;
use super::{EXTLINUX, Loader, UENV, efi, fat, flash, pi, refuse};
use crate::error::{Error, Result};
use rootling_boot::grub;
use rootling_boot::loader::{Kind, Traces};
use rootling_boot::sdboot::variable;
use rootling_boot::uboot::{self, EnvConfig};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The first words of a grub.cfg of ours.
const OURS: &str = "# Written by rootling";
/// Where the tools of U-Boot look for its environment.
const FW_ENV: &str = "etc/fw_env.config";
/// Where distributions keep their environment block.
const GRUBENVS: [&str; 2] = ["boot/grub2/grubenv", "boot/grub/grubenv"];

/// What the agent's configuration says about the loader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Its name, `auto` for what is there, `none` for entries only.
    pub loader: Option<String>,
    /// The environment block of greenboot's GRUB, below the sysroot.
    pub grubenv: Option<String>,
    /// Where systemd-boot's partition is mounted, below the sysroot.
    pub partition: Option<String>,
}

impl Settings {
    fn names_loader(&self) -> bool {
        self.loader.as_deref().is_some_and(|name| name != "auto")
    }
}

impl Loader {
    /// The loader of a sysroot; `root` is where the running system's `/etc` is. `None`: entries are all there is.
    pub fn detect(sysroot: &Path, root: &Path, settings: &Settings) -> Result<Option<Loader>> {
        let configured = settings.loader.as_deref();
        if configured == Some("none") {
            return Ok(None);
        }
        let entries = fat::find(sysroot)?.is_some();
        let traces = Traces {
            our_grub: fs::read(sysroot.join(grub::CONFIG)).is_ok_and(|b| b.starts_with(OURS.as_bytes())),
            greenboot: find_grubenv(sysroot, settings).is_some(),
            fw_env_config: root.join(FW_ENV).is_file(),
            loader_info_sdboot: entries
                || booted_by_sdboot(root) && !sysroot.join("boot/loader").is_symlink(),
            efivars: true,
            extlinux: sysroot.join(EXTLINUX).is_symlink(),
            efi_boots_kernel: efi::installed(sysroot).is_some(),
            pi_firmware: pi::installed(sysroot),
        };
        let kind = Kind::detect(configured, &traces).map_err(refuse)?;
        if let (Some(Kind::SystemdBoot), Some(partition)) = (kind, &settings.partition) {
            fat::check_place(partition)?;
        }
        match kind.map(|kind| open(sysroot, root, settings, kind)).transpose() {
            // what nobody asked for must not stand in the way of everything
            Err(error) if !settings.names_loader() && !matches!(kind, Some(Kind::Efi | Kind::Pi)) => {
                log::warn!("the boot loader is not managed: {error}");
                // its menu was taken into use, and without it nothing boots after the next change
                Ok(leads_to_list(&sysroot.join(EXTLINUX)).then_some(Loader::Extlinux))
            }
            loader => loader,
        }
    }
}

fn open(sysroot: &Path, root: &Path, settings: &Settings, kind: Kind) -> Result<Loader> {
    match kind {
        Kind::Grub => Ok(Loader::Grub),
        Kind::Greenboot => {
            let env = settings.grubenv.clone().or_else(|| find_grubenv(sysroot, settings));
            let env = env.ok_or_else(|| {
                Error::not_found("a grubenv with boot_success or boot_counter", sysroot.join("boot"))
            })?;
            Ok(Loader::Greenboot { env })
        }
        Kind::UBoot => {
            let fw_env = root.join(FW_ENV);
            let text = fs::read_to_string(&fw_env).map_err(Error::io("read", &fw_env))?;
            let mut config = EnvConfig::parse(&text).map_err(refuse)?;
            for area in [Some(&mut config.first), config.second.as_mut()].into_iter().flatten() {
                let device = area.device.clone();
                if flash::is_flash(&device) {
                    flash::check(&device)?;
                }
                if !device.starts_with("/dev/") {
                    area.device = device.trim_start_matches('/').to_string();
                }
            }
            if !settings.names_loader() && !leads_to_list(&sysroot.join(UENV)) {
                // the file alone says little: the environment may never have been saved, or never fall back
                uboot::ready(&UBoot::read(sysroot, &config)?.env.vars).map_err(refuse)?;
            }
            Ok(Loader::UBoot { config })
        }
        Kind::Extlinux => Ok(Loader::Extlinux),
        Kind::SystemdBoot => {
            let partition = settings.partition.clone().or_else(|| fat::installed(sysroot));
            let partition = partition.ok_or_else(|| {
                Error::not_found("systemd-boot's partition, mounted at boot, efi or boot/efi", sysroot)
            })?;
            Ok(Loader::SystemdBoot { partition, default: chosen_entry(root) })
        }
        Kind::Efi => efi::open(sysroot, settings.partition.as_deref()),
        Kind::Pi => pi::open(sysroot),
    }
}

/// Whether a path is a link to a file that changes with the list of deployments.
pub(in crate::sysroot) fn leads_to_list(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target.components().any(|part| part.as_os_str() == "loader"))
}

/// Whether the loader that wrote `LoaderInfo` says that it is systemd-boot, in UTF-16.
fn booted_by_sdboot(root: &Path) -> bool {
    let info = fs::read(variable_path(root, &format!("LoaderInfo-{}", variable::GUID)));
    let wanted: Vec<u8> = "systemd-boot".bytes().flat_map(|byte| [byte, 0]).collect();
    info.is_ok_and(|info| info.windows(wanted.len()).any(|part| part == wanted))
}

/// The entries that the firmware chooses; what cannot be read is no pattern of ours, so that nothing is armed.
fn chosen_entry(root: &Path) -> Option<String> {
    match fs::read(variable_path(root, &variable::default_name())) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        file => Some(variable::default_pattern(&file.unwrap_or_default())),
    }
}

fn variable_path(root: &Path, name: &str) -> PathBuf {
    root.join("sys/firmware/efi/efivars").join(name)
}

/// The environment block that greenboot's variables are in.
fn find_grubenv(sysroot: &Path, settings: &Settings) -> Option<String> {
    let given = settings.grubenv.as_deref();
    let places = given.map_or(&GRUBENVS[..], |_| &[]).iter().copied().chain(given);
    let counts = |place: &&str| {
        let bytes = fs::read(sysroot.join(place)).unwrap_or_default();
        let env = rootling_boot::grub::GrubEnv::decode(&bytes);
        env.is_ok_and(|env| env.get("boot_success").or(env.get("boot_counter")).is_some())
    };
    places.into_iter().find(counts).map(String::from)
}
