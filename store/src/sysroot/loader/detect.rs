//! Which loader a device has: the configuration first, else what is there.
//!
//! Every build looks for the traces of every loader, also of those that it does not have: what it would leave behind
//! could not boot.

use super::family::Family;
use super::{BUILT, Built, EXTLINUX, Loader, refuse, variable};
use crate::error::{Error, Result};
use crate::sysroot::Deployment;
use rootling_boot::bootlink::LINKS;
use rootling_boot::loader::{Kind, Traces};
use rootling_boot::plan::BootVersion;
use rootling_boot::sdboot::variable::GUID;
use rootling_boot::{efi, grub};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The first words of a grub.cfg of ours.
const OURS: &[u8] = b"# Written by rootling";
/// Where the tools of U-Boot look for its environment.
pub(super) const FW_ENV: &str = "etc/fw_env.config";
/// What U-Boot boots, beside the entries it is made of.
pub(super) const UBOOT_LIST: &str = "boot/loader/uEnv.txt";
/// Where distributions keep GRUB's configuration and environment block.
const GRUBS: [&str; 2] = ["boot/grub2", "boot/grub"];
/// What a Raspberry Pi's firmware tells the kernel.
pub(super) const CHOSEN: &str = "proc/device-tree/chosen/bootloader";
/// Where partitions of firmware and systemd-boot are mounted, below the sysroot.
pub(super) const PARTITIONS: [&str; 3] = ["boot", "efi", "boot/efi"];

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
    pub(super) fn names_loader(&self) -> bool {
        self.loader.as_deref().is_some_and(|name| name != "auto")
    }
}

/// Where a loader is looked for.
pub(super) struct Scene<'a> {
    pub(super) sysroot: &'a Path,
    /// Where the running system's `/etc` is.
    pub(super) root: &'a Path,
    pub(super) settings: &'a Settings,
}

impl Loader {
    /// The loader of a sysroot; `root` is where the running system's `/etc` is. `None`: entries are all there is.
    pub fn detect(sysroot: &Path, root: &Path, settings: &Settings) -> Result<Option<Loader>> {
        detect(BUILT, &Scene { sysroot, root, settings })
    }
}

fn detect(built: Built, scene: &Scene<'_>) -> Result<Option<Loader>> {
    let settings = scene.settings;
    if settings.loader.as_deref() == Some("none") {
        return Ok(None);
    }
    let kind = Kind::detect(settings.loader.as_deref(), &traces(scene)?).map_err(refuse)?;
    let Some(kind) = kind else { return Ok(None) };
    if let (Kind::SystemdBoot, Some(partition)) = (kind, &settings.partition) {
        check_place(partition)?;
    }
    let opened = open(built, kind, scene)?;
    if let Some(why) = misleads(kind, scene) {
        crate::warn!("the boot loader is not managed: {why}");
        if !leads_to_list(&scene.sysroot.join(EXTLINUX)) {
            return Ok(None);
        }
        // its menu was taken into use, and without it nothing boots after the next change
        let family = open(built, Kind::Extlinux, scene)??;
        return Ok(Some(Loader { kind: Kind::Extlinux, family }));
    }
    opened.map(|family| Some(Loader { kind, family }))
}

/// Why what was found counts no boots, where nobody says that it does; damage is no such reason.
fn misleads(kind: Kind, scene: &Scene<'_>) -> Option<Error> {
    match kind {
        Kind::UBoot if scene.settings.names_loader() => None,
        #[cfg(feature = "u-boot")]
        Kind::UBoot => super::uboot::unused(scene),
        _ => None,
    }
}

/// A loader as it is there; the outer error is that of a build without it.
fn open(built: Built, kind: Kind, scene: &Scene<'_>) -> Result<Result<Arc<dyn Family>>> {
    match built.iter().find(|(has, _)| *has == kind) {
        Some((_, open)) => Ok(open(scene)),
        None => Err(missing(kind)),
    }
}

/// Names the loader, what shows that it is there, and the feature that is missing.
fn missing(kind: Kind) -> Error {
    let (feature, trace) = match kind {
        Kind::Grub => ("grub", grub::CONFIG),
        Kind::Greenboot => ("grub", "boot_success or boot_counter in a grubenv"),
        Kind::SystemdBoot => ("systemd-boot", "loader/entries of a partition, or LoaderInfo"),
        Kind::UBoot => ("u-boot", FW_ENV),
        Kind::Extlinux => ("extlinux", EXTLINUX),
        Kind::Efi => ("efi", efi::FOLDER),
        Kind::Pi => ("pi", LINKS),
    };
    Error::unsupported(format_args!(
        "boot loader {kind} (by {trace}, or by its name) in a build without the feature {feature}"
    ))
}

fn traces(scene: &Scene<'_>) -> Result<Traces> {
    let sysroot = scene.sysroot;
    let is_esp = |place: &str| place != "boot" && sysroot.join(place).join(efi::FOLDER).is_dir();
    Ok(Traces {
        our_grub: fs::read(sysroot.join(grub::CONFIG)).is_ok_and(|bytes| bytes.starts_with(OURS)),
        greenboot: find_grubenv(scene).is_some(),
        // a list that it reads is its own, whatever became of the configuration
        fw_env_config: sysroot.join(UBOOT_LIST).is_file() || is_configured(&scene.root.join(FW_ENV)),
        loader_info_sdboot: entries_without_links(sysroot)?.is_some()
            || booted_by_sdboot(scene.root) && !sysroot.join("boot/loader").is_symlink(),
        efivars: true,
        extlinux: sysroot.join(EXTLINUX).is_symlink(),
        efi_boots_kernel: PARTITIONS.iter().any(|place| is_esp(place)),
        pi_firmware: sysroot.join(LINKS).is_dir() && sysroot.join(CHOSEN).is_dir(),
    })
}

/// The partition that has the entries of deployments, instead of `boot/loader`.
pub(in crate::sysroot) fn entries_without_links(sysroot: &Path) -> Result<Option<&'static str>> {
    for place in PARTITIONS {
        if has_loader(sysroot, place) {
            let entries = crate::fs::list(&sysroot.join(place).join("loader/entries"))?;
            if entries.iter().any(|(name, path)| is_entry(name) && path.is_file()) {
                return Ok(Some(place));
            }
        }
    }
    Ok(None)
}

/// What the entries on a partition say, by the loader that reads them.
pub(in crate::sysroot) fn read_entries(
    sysroot: &Path,
    partition: &str,
) -> Result<Option<(BootVersion, Vec<Deployment>)>> {
    let settings = Settings { partition: Some(partition.into()), ..Settings::default() };
    let scene = Scene { sysroot, root: sysroot, settings: &settings };
    open(BUILT, Kind::SystemdBoot, &scene)??.list(sysroot)
}

fn is_entry(name: &str) -> bool {
    name.starts_with("ostree-") && name.ends_with(".conf")
}

/// A folder, where other layouts have a link or nothing.
pub(super) fn has_loader(sysroot: &Path, place: &str) -> bool {
    let loader = sysroot.join(place).join("loader");
    fs::symlink_metadata(loader).is_ok_and(|there| there.is_dir())
}

/// Refuses a place where nobody would look for the list afterwards.
fn check_place(place: &str) -> Result<()> {
    match PARTITIONS.contains(&place) {
        true => Ok(()),
        false => Err(Error::refused(format_args!(
            "partition of systemd-boot: expected one that is mounted at {}, got {place:?}",
            PARTITIONS.join(", ")
        ))),
    }
}

/// Whether a path is a link to a file that changes with the list of deployments.
pub(in crate::sysroot) fn leads_to_list(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target.components().any(|part| part.as_os_str() == "loader"))
}

/// Whether the loader that wrote `LoaderInfo` says that it is systemd-boot, in UTF-16.
fn booted_by_sdboot(root: &Path) -> bool {
    let info = fs::read(variable::path(root, &format!("LoaderInfo-{GUID}")));
    info.is_ok_and(|info| contains(&info, b"s\0y\0s\0t\0e\0m\0d\0-\0b\0o\0o\0t\0"))
}

/// The environment block that greenboot's variables are in: the one that is configured, else one that has them, else that of
/// a configuration which counts by them, for a block that is damaged may have lost them.
pub(super) fn find_grubenv(scene: &Scene<'_>) -> Option<String> {
    if let Some(given) = &scene.settings.grubenv {
        return Some(given.clone());
    }
    let has = |file: &str, words: &[&[u8]]| {
        let there = |folder: &&&str| has_words(&scene.sysroot.join(folder).join(file), words);
        GRUBS.iter().find(there).map(|folder| format!("{folder}/grubenv"))
    };
    has("grubenv", &[b"\nboot_success=", b"\nboot_counter="]).or_else(|| has("grub.cfg", &[b"boot_counter"]))
}

/// Whether a file has more than comments: images bring those for boards to fill in.
fn is_configured(path: &Path) -> bool {
    let is_comment = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    path.is_file() && !fs::read_to_string(path).is_ok_and(|text| text.lines().all(is_comment))
}

/// Whether a file has any of these; one that cannot be read has none.
fn has_words(path: &Path, words: &[&[u8]]) -> bool {
    fs::read(path).is_ok_and(|bytes| words.iter().any(|word| contains(&bytes, word)))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|there| there == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_loader_that_a_build_does_not_have_is_refused_by_name_and_feature() {
        let grubenv = [grub::SIGNATURE, b"boot_success=1\n", &[b'#'; grub::SIZE]].concat();
        let ours = [OURS, b"; x\n"].concat();
        for (file, bytes, kind, feature) in [
            ("boot/grub/grub.cfg", &ours[..], "grub", "grub"),
            ("boot/grub2/grubenv", &grubenv[..grub::SIZE], "greenboot", "grub"),
            ("boot/loader/entries/ostree-1.conf", b"title x\n", "systemd-boot", "systemd-boot"),
            ("boot/efi/loader/entries/ostree-1+2.conf", b"title x\n", "systemd-boot", "systemd-boot"),
            ("etc/fw_env.config", b"/boot/uboot.env 0 0x2000\n", "u-boot", "u-boot"),
            ("boot/extlinux/extlinux.conf", b"", "extlinux", "extlinux"),
            ("efi/EFI/rootling/os/vmlinuz", b"", "efi", "efi"),
            ("ostree/links/x.0", b"", "raspberry-pi", "pi"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let look = |built: Built, loader: Option<&str>| {
                let settings = Settings { loader: loader.map(String::from), ..Settings::default() };
                let scene = Scene { sysroot: dir.path(), root: dir.path(), settings: &settings };
                let text = |loader: Option<Loader>| loader.map(|loader| loader.kind().to_string());
                detect(built, &scene).map(text).map_err(|error| error.to_string())
            };
            assert_eq!(look(&[], None), Ok(None), "{file}");
            let want = format!("in a build without the feature {feature}");
            let asked = look(&[], Some(kind)).unwrap_err();
            assert!(asked.contains(&format!("boot loader {kind} (")) && asked.contains(&want), "{asked}");

            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if kind == "raspberry-pi" {
                assert_eq!(look(&[], None), Ok(None), "links alone");
                fs::create_dir_all(dir.path().join(CHOSEN)).unwrap();
            }
            match kind {
                "extlinux" => symlink("../loader/extlinux.conf", &path).unwrap(),
                _ => fs::write(&path, bytes).unwrap(),
            }
            let found = look(&[], None).unwrap_err();
            assert_eq!(found, asked, "{file}");
            assert_eq!(look(&[], Some("none")), Ok(None));
            assert!(!look(BUILT, None).is_err_and(|error| error.contains(&want)), "{file}");
        }
    }
}
