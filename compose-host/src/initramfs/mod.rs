//! `initramfs: rootling`: an initramfs of one program, a list of modules, and nothing else.
//!
//! | path in the archive | what |
//! |---|---|
//! | `init` | a static `rootling-prepare-root` |
//! | `dev/console`, `dev/null` | what init has for its streams: the kernel takes the one, a program that was given none the other |
//! | `lib/modules/KVER/...` | modules that storage needs, as they lie in the tree, not compressed |
//! | `lib/rootling/modules.load` | their absolute paths, one a line, in the order in which they are loaded |
//! | `lib/firmware/...` | what those modules name, as far as the tree has it |
//!
//! | file | noun or verb |
//! |---|---|
//! | `modinfo` | what a module says about itself |
//! | `depmod` | the lists of a tree that has no depmod |
//! | `modules` | those lists, and what to load for a name |
//! | `archive`, `compress` | the bytes |
//! | `program` | whether a program can be `init` |
//!
//! **Invariant:** the bytes depend on the tree and the manifest alone: fixed order, owner, time and inode numbers.

mod archive;
mod compress;
mod depmod;
mod modinfo;
mod modules;
mod program;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::root::Root;
use archive::Archive;
pub use compress::Compression;
pub use modinfo::Modinfo;
pub use modules::Modules;

const MODULES: &str = "usr/lib/modules";
const FIRMWARE: &str = "usr/lib/firmware";
const LOAD: &str = "lib/rootling/modules.load";
/// Where a tree has prepare-root unless the manifest says otherwise.
pub const PROGRAM: &str = "/usr/lib/rootling/rootling-prepare-root";

/// What finds and mounts a root on common machines, and efivarfs, by which prepare-root knows a try of systemd-boot; a
/// kernel that lacks one of these is not asked for it.
pub const STORAGE: [&str; 25] = [
    "virtio_pci",
    "virtio_mmio",
    "virtio_blk",
    "virtio_scsi",
    "sd_mod",
    "ahci",
    "ahci_platform",
    "nvme",
    "mmc_block",
    "sdhci_pci",
    "sdhci_acpi",
    "sdhci_iproc",
    "sdhci_of_arasan",
    "sdhci_esdhc_imx",
    "bcm2835",
    "dw_mmc_pltfm",
    "xhci_pci",
    "xhci_plat_hcd",
    "ehci_pci",
    "usb_storage",
    "uas",
    "ext4",
    "vfat",
    "overlay",
    "efivarfs",
];

/// Where `init` comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A path in the tree.
    Tree(String),
    /// A file on the build host.
    Host(PathBuf),
}

/// Who makes the initramfs: `initramfs` in the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Maker {
    /// `rootling`: [`make`].
    Rootling(Options),
    /// `dracut`: the tree's own, with these arguments more (`initramfs-args`).
    Dracut(Vec<String>),
}

/// The manifest's part in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `initramfs-modules`: beside those for storage; each must be known to the kernel.
    pub modules: Vec<String>,
    /// `initramfs-program`.
    pub program: Program,
    /// `initramfs-compression`.
    pub compression: Compression,
    /// The tree's base architecture, which the program must be for.
    pub basearch: String,
}

/// Makes the archive for kernel `version`; a tree without depmod's lists is given them.
pub fn make(tree: &Root, version: &str, options: &Options) -> Result<Vec<u8>> {
    let folder = format!("{MODULES}/{version}");
    if !tree.exists(&format!("{folder}/modules.dep"))? {
        depmod::write(tree, &folder)?;
    }
    let modules = Modules::read(tree, &folder)?;
    let mut order = Vec::new();
    for name in STORAGE {
        modules.load(name, &mut order);
    }
    for name in &options.modules {
        if !modules.load(name, &mut order) {
            bail!("initramfs-modules: {name}: expected a module of kernel {version}, got none of this name");
        }
    }
    let mut archive = Archive::default();
    archive.file("init", &init(tree, options)?, 0o755);
    for folder in ["dev", "proc", "run", "sys", "sysroot"] {
        archive.folder(folder);
    }
    archive.device("dev/console", 0o600, (5, 1));
    archive.device("dev/null", 0o666, (1, 3));
    let (mut load, mut firmware) = (String::new(), Vec::new());
    for path in order {
        let from = format!("{folder}/{path}");
        let bytes =
            tree.read(&from)?.with_context(|| format!("{from}: named in modules.dep, expected a file"))?;
        let bytes = compress::plain(&bytes).with_context(|| from.clone())?;
        firmware.extend(Modinfo::decode(&bytes).with_context(|| from.clone())?.firmware);
        let to = modules::plain_name(from.trim_start_matches("usr/"));
        load.push_str(&format!("/{to}\n"));
        archive.file(to, &bytes, 0o644);
    }
    archive.file(LOAD, load.as_bytes(), 0o644);
    firmware.sort();
    firmware.dedup();
    let mut lacking = Vec::new();
    for name in firmware {
        if !add_firmware(tree, &name, &mut archive)? {
            lacking.push(name);
        }
    }
    if !lacking.is_empty() {
        log::warn!("initramfs: {FIRMWARE} lacks what modules name: {}", lacking.join(" "));
    }
    options.compression.apply(&archive.finish())
}

fn init(tree: &Root, options: &Options) -> Result<Vec<u8>> {
    let (name, bytes) = match &options.program {
        Program::Tree(path) => {
            let bytes = tree.read(path)?;
            (
                path.clone(),
                bytes.with_context(|| format!("initramfs-program: {path}: nothing there in the tree"))?,
            )
        }
        Program::Host(path) => {
            let name = path.display().to_string();
            let bytes = std::fs::read(path).with_context(|| format!("initramfs-program: {name}"))?;
            (name, bytes)
        }
    };
    program::check(&bytes, &options.basearch).with_context(|| format!("initramfs-program: {name}"))?;
    Ok(bytes)
}

/// Firmware that a tree does not have is no error: modules name more than one machine needs.
/// Whether the tree has it.
fn add_firmware(tree: &Root, name: &str, archive: &mut Archive) -> Result<bool> {
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Ok(false);
    }
    for ending in ["", ".zst", ".xz"] {
        let path = format!("{FIRMWARE}/{name}{ending}");
        if let Some(bytes) = tree.read(&path)? {
            archive.file(path.trim_start_matches("usr/"), &bytes, 0o644);
            return Ok(true);
        }
    }
    Ok(false)
}
