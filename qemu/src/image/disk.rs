//! The disk: a partition table, a FAT and an ext4 file system, with no mount and no root.
//!
//! ```text
//! MiB 1          1    bios_grub   GRUB's core for a BIOS
//! MiB 2          ESP  FAT         label ESP: loaders of UEFI, what systemd-boot reads, U-Boot's environment
//! MiB 2+ESP      BOOT ext4        label BOOT: /boot, where that was asked for
//! after those    ROOT ext4        label ROOT: the sysroot, with /boot where that is no partition
//! last MiB                        the second copy of the table
//! ```

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::host;

/// Bytes.
pub const MIB: u64 = 1 << 20;
const SECTOR: u64 = 512;
/// Bytes of a cluster, so of a new folder: room for a hundred short names.
const CLUSTER: u64 = 4096;
/// What a FAT of 16 bits can number, with some to spare.
const FAT16_CLUSTERS: u64 = 65_000;

/// How large the parts are, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// The FAT file system.
    pub esp: u64,
    /// The partition of /boot; 0: a folder of the root.
    pub boot: u64,
    /// The root.
    pub root: u64,
}

impl Sizes {
    /// Whether /boot is a partition.
    pub fn has_boot(self) -> bool {
        self.boot > 0
    }
}

/// One partition: its first byte and its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
}

/// Where everything lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Partition 1.
    pub bios: Part,
    /// Partition 2.
    pub esp: Part,
    /// Partition 3, if /boot is one.
    pub boot: Option<Part>,
    /// The last partition.
    pub root: Part,
    /// The whole disk in bytes.
    pub length: u64,
}

impl Layout {
    /// Parts one after the other, on whole MiB.
    pub fn new(sizes: Sizes) -> Layout {
        let part = |start, length| Part { start: start * MIB, length: length * MIB };
        Layout {
            bios: part(1, 1),
            esp: part(2, sizes.esp),
            boot: sizes.has_boot().then(|| part(2 + sizes.esp, sizes.boot)),
            root: part(2 + sizes.esp + sizes.boot, sizes.root),
            length: (3 + sizes.esp + sizes.boot + sizes.root) * MIB,
        }
    }

    /// The table, as a script for sfdisk. The partition with /boot has the bit by which U-Boot's scan finds it.
    pub fn script(&self) -> String {
        const FOUND: &str = ", attrs=LegacyBIOSBootable";
        let mut text = "label: gpt\nunit: sectors\nfirst-lba: 34\n".to_owned();
        // XBOOTLDR of the UAPI group's Discoverable Partitions Specification
        let boot = self.boot.map(|boot| (boot, "BC13C2FF-59E6-4262-A352-B275FD6F7172", "BOOT", FOUND));
        let root = if self.boot.is_none() { FOUND } else { "" };
        let parts = [
            (self.bios, "21686148-6449-6E6F-744E-656564454649", "BIOS", ""),
            (self.esp, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ESP", ""),
        ];
        let root = (self.root, "0FC63DAF-8483-4772-8E79-3D69D8477DE4", "ROOT", root);
        for (part, kind, name, more) in parts.into_iter().chain(boot).chain([root]) {
            text.push_str(&format!(
                "start={}, size={}, type={kind}, name={name}{more}\n",
                part.start / SECTOR,
                part.length / SECTOR
            ));
        }
        text
    }
}

/// Makes the disk, its parts filled from a folder each.
pub fn make(disk: &Path, layout: &Layout, esp: &Path, boot: &Path, root: &Path) -> Result<()> {
    let file = File::create(disk).with_context(|| format!("create {}", disk.display()))?;
    file.set_len(layout.length).with_context(|| format!("make {} longer", disk.display()))?;
    drop(file);
    partition(disk, layout)?;
    fat(disk, layout.esp, "ESP", esp)?;
    if let Some(part) = layout.boot {
        ext4(disk, part, "BOOT", boot)?;
    }
    ext4(disk, layout.root, "ROOT", root)
}

fn partition(disk: &Path, layout: &Layout) -> Result<()> {
    let mut command = host::command("sfdisk");
    command.args(["--quiet", "--no-reread", "--no-tell-kernel"]).arg(disk);
    let line = host::line(&command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {line}; install it with: apt-get install fdisk"))?;
    child.stdin.take().context("sfdisk has no input")?.write_all(layout.script().as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{line}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}

/// A FAT with this label and what a folder has.
pub fn fat(disk: &Path, part: Part, label: &str, from: &Path) -> Result<()> {
    let image = format!("{}@@{}", disk.display(), part.start);
    let sectors = (part.length / SECTOR).to_string();
    let mut format = host::command("mformat");
    // a folder that grows while the firmware renames an entry in it can be lost with the power
    format.args(["-i", &image, "-T", &sectors, "-c", &(CLUSTER / SECTOR).to_string(), "-v", label]);
    if part.length / CLUSTER > FAT16_CLUSTERS {
        format.arg("-F");
    }
    host::output(format.arg("::"))?;
    let mut names = Vec::new();
    for entry in fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        names.push(entry?.path());
    }
    names.sort();
    if names.is_empty() {
        return Ok(());
    }
    let mut copy = host::command("mcopy");
    // -m keeps the times, -s takes folders
    host::output(copy.args(["-i", &image, "-s", "-m", "-Q"]).args(&names).arg("::/")).map(drop)
}

fn ext4(disk: &Path, part: Part, label: &str, from: &Path) -> Result<()> {
    let offset = format!("offset={},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0", part.start);
    let mut command = host::command("mke2fs");
    // GRUB 2.06 and U-Boot 2023.01 cannot read what is switched off
    command.args(["-q", "-F", "-t", "ext4", "-L", label, "-O", "^metadata_csum_seed,^orphan_file"]);
    command.args(["-E", &offset, "-d"]).arg(from).arg(disk);
    host::output(command.arg(format!("{}k", part.length / 1024))).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_and_leave_room_for_both_tables() {
        for boot in [0, 128] {
            let layout = Layout::new(Sizes { esp: 64, boot, root: 512 });
            assert_eq!(layout.bios.start + layout.bios.length, layout.esp.start);
            let mut end = layout.esp.start + layout.esp.length;
            assert_eq!(layout.boot.is_some(), boot > 0);
            if let Some(part) = layout.boot {
                assert_eq!((part.start, part.length), (end, 128 * MIB));
                end += part.length;
            }
            assert_eq!(end, layout.root.start);
            assert!(layout.bios.start >= 34 * SECTOR);
            assert!(layout.root.start + layout.root.length + 33 * SECTOR <= layout.length);
        }
    }

    #[test]
    fn sfdisk_reads_back_what_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let disk = dir.path().join("disk.img");
        for (boot, found) in [(0, "ROOT"), (4, "BOOT")] {
            let layout = Layout::new(Sizes { esp: 3, boot, root: 5 });
            File::create(&disk).unwrap().set_len(layout.length).unwrap();
            partition(&disk, &layout).unwrap();
            let text = host::output(host::command("sfdisk").arg("--dump").arg(&disk)).unwrap();
            let lines: Vec<&str> = text.lines().filter(|line| line.contains("start=")).collect();
            let parts: Vec<Part> = [Some(layout.bios), Some(layout.esp), layout.boot, Some(layout.root)]
                .into_iter()
                .flatten()
                .collect();
            assert_eq!(lines.len(), parts.len(), "{text}");
            for (line, part) in lines.iter().zip(parts) {
                let wanted = format!("start={:>12}, size={:>12}", part.start / SECTOR, part.length / SECTOR);
                assert!(line.contains(&wanted), "{wanted}\n{text}");
            }
            // U-Boot's scan takes what has the bit; its environment names the third partition
            assert_eq!(text.matches("LegacyBIOSBootable").count(), 1, "{text}");
            assert!(lines[2].ends_with(&format!("name=\"{found}\", attrs=\"LegacyBIOSBootable\"")), "{text}");
        }
    }
}
