//! GRUB without grub-install: an image of its core, started by UEFI or by a BIOS.
//!
//! ```text
//! sector 0       boot.img's first 440 bytes; at 0x5c u64 the sector of the core, at 0x64 0xff: the disk it came from
//! bios_grub      core.img; its first sector ends in the block list of the rest, at 500:
//!                u64 sector   u16 sectors   u16 segment to load at (0x820)
//! ```
//! Source: GRUB 2.06 `boot.S`, `diskboot.S` and `grub-setup.c`.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::disk::{Part, Sizes};
use crate::host;
use crate::path::Arch;

const SECTOR: usize = 512;
const MODULES: &[&str] = &[
    "normal",
    "part_gpt",
    "ext2",
    "fat",
    "search",
    "search_label",
    "linux",
    "loadenv",
    "test",
    "configfile",
    "echo",
    "ls",
    "cat",
    "reboot",
    "minicmd",
    "gzio",
];

/// Where `grub.cfg` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The file system with /boot.
    label: &'static str,
    /// GRUB's folder on it.
    folder: &'static str,
}

impl Place {
    /// On a disk with these parts.
    pub fn new(sizes: Sizes) -> Place {
        match sizes.has_boot() {
            true => Place { label: "BOOT", folder: "/grub" },
            false => Place { label: "ROOT", folder: "/boot/grub" },
        }
    }

    /// It is found by the label, wherever the firmware has put the disk.
    fn early(self) -> String {
        let Place { label, folder } = self;
        format!("search.fs_label {label} root\nset prefix=($root){folder}\n")
    }
}

/// GRUB's program for UEFI.
pub fn efi(arch: Arch, place: Place, work: &Path, to: &Path) -> Result<()> {
    let (format, package) = match arch {
        Arch::X86_64 => ("x86_64-efi", "grub-efi-amd64-bin"),
        _ => ("arm64-efi", "grub-efi-arm64-bin"),
    };
    core(format, package, &[], place, work, to)
}

/// Writes GRUB where a BIOS starts it.
pub fn bios(disk: &Path, part: Part, place: Place, work: &Path) -> Result<()> {
    let core_file = work.join("core.img");
    core("i386-pc", "grub-pc-bin", &["biosdisk"], place, work, &core_file)?;
    let boot_file = host::file(&["/usr/lib/grub/i386-pc/boot.img"], "grub-pc-bin")?;
    let boot = fs::read(&boot_file).with_context(|| format!("read {}", boot_file.display()))?;
    let core = fs::read(&core_file).with_context(|| format!("read {}", core_file.display()))?;
    ensure!(
        core.len() as u64 <= part.length,
        "GRUB's core: {} bytes, expected {} at most",
        core.len(),
        part.length
    );
    let first = part.start / SECTOR as u64;
    let file =
        OpenOptions::new().write(true).open(disk).with_context(|| format!("open {}", disk.display()))?;
    file.write_all_at(&boot_code(&boot, first)?, 0)?;
    file.write_all_at(&with_block_list(core, first)?, part.start)?;
    Ok(())
}

fn core(format: &str, package: &str, more: &[&str], place: Place, work: &Path, to: &Path) -> Result<()> {
    let modules = format!("/usr/lib/grub/{format}");
    let mut places = vec![modules];
    if let Ok(folder) = std::env::var("ROOTLING_QEMU_FIRMWARE") {
        places.insert(0, format!("{folder}/usr/lib/grub/{format}"));
    }
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let modules = host::file(&places, package)?;
    let early = work.join("early.cfg");
    fs::write(&early, place.early())?;
    let mut make = host::command("grub-mkimage");
    make.args(["-O", format, "-p", place.folder, "-d"]).arg(modules).arg("-c").arg(&early).arg("-o").arg(to);
    host::output(make.args(MODULES).args(more)).map(drop)
}

/// The code for sector 0; the table behind it stays.
fn boot_code(boot: &[u8], core: u64) -> Result<Vec<u8>> {
    let code =
        boot.get(..440).with_context(|| format!("boot.img: expected 512 bytes, got {}", boot.len()))?;
    let mut code = code.to_vec();
    code[0x5c..0x64].copy_from_slice(&core.to_le_bytes());
    code[0x64] = 0xff;
    Ok(code)
}

/// The core, whose first sector knows where the others are.
fn with_block_list(mut core: Vec<u8>, first: u64) -> Result<Vec<u8>> {
    core.resize(core.len().next_multiple_of(SECTOR), 0);
    let rest = u16::try_from(core.len() / SECTOR).ok().and_then(|all| all.checked_sub(1));
    let rest =
        rest.with_context(|| format!("GRUB's core: {} bytes, expected 1 to 65536 sectors", core.len()))?;
    core[500..508].copy_from_slice(&(first + 1).to_le_bytes());
    core[508..510].copy_from_slice(&rest.to_le_bytes());
    core[510..512].copy_from_slice(&0x820_u16.to_le_bytes());
    Ok(core)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_menu_is_found_on_the_partition_that_has_it() {
        let early = |boot| Place::new(Sizes { esp: 1, boot, root: 1 }).early();
        assert_eq!(early(0), "search.fs_label ROOT root\nset prefix=($root)/boot/grub\n");
        assert_eq!(early(1), "search.fs_label BOOT root\nset prefix=($root)/grub\n");
    }

    #[test]
    fn fields_are_where_grub_reads_them() {
        let code = boot_code(&[0x90; 512], 0x1234).unwrap();
        assert_eq!(code.len(), 440);
        assert_eq!(&code[0x5b..0x66], &[0x90, 0x34, 0x12, 0, 0, 0, 0, 0, 0, 0xff, 0x90]);
        let core = with_block_list(vec![1; 1025], 2048).unwrap();
        assert_eq!(core.len(), 3 * SECTOR);
        assert_eq!(&core[500..512], &[0x01, 0x08, 0, 0, 0, 0, 0, 0, 2, 0, 0x20, 0x08]);
        assert!(boot_code(&[0; 439], 1).is_err() && with_block_list(vec![], 1).is_err());
    }
}
