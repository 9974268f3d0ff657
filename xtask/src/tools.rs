//! What must be installed beside Rust, and installing it where we may.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{place, run};

/// A program, and the Debian package that brings it.
pub type Tool = (&'static str, &'static str);

/// What building needs: the C compiler is for ring, SQLite and the compressors of the build host.
pub const BUILD: &[Tool] = &[("cc", "gcc"), ("/usr/include/stdio.h", "libc6-dev")];

/// What composing from the test bed needs.
pub const COMPOSE: &[Tool] = &[("bwrap", "bubblewrap"), ("depmod", "kmod"), ("newuidmap", "uidmap")];

/// The real programs that tests compare with.
pub const ORACLES: &[Tool] = &[
    ("ostree", "ostree"),
    ("dnf", "dnf"),
    ("rpm", "rpm"),
    ("createrepo_c", "createrepo-c"),
    ("nginx", "nginx-light"),
    ("openssl", "openssl"),
    ("strace", "strace"),
    ("setfattr", "attr"),
    ("getcap", "libcap2-bin"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
    ("bzip2", "bzip2"),
    ("cpio", "cpio"),
    ("curl", "curl"),
    ("grub-editenv", "grub-common"),
    ("grub-emu", "grub-emu"),
    ("mke2fs", "e2fsprogs"),
    ("mkfs.xfs", "xfsprogs"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("mkfs.f2fs", "f2fs-tools"),
    ("sfdisk", "fdisk"),
    ("mkenvimage", "u-boot-tools"),
    ("fw_setenv", "libubootenv-tool"),
    ("systemd-analyze", "systemd"),
    ("efibootmgr", "efibootmgr"),
    ("efivar", "efivar"),
    ("/usr/lib/systemd/boot/efi/linuxx64.efi.stub", "systemd-boot-efi"),
    ("objcopy", "binutils"),
];

/// What the replay of power cuts to a FAT boot partition needs beside [`REPLAY`].
pub const FAT: &[Tool] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf"),
    ("/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "systemd-boot-efi"),
    ("mformat", "mtools"),
    ("fsck.fat", "dosfstools"),
    ("sfdisk", "fdisk"),
    ("/usr/lib/grub/i386-pc/boot.img", "grub-pc-bin"),
    ("grub-mkimage", "grub-common"),
    ("mkenvimage", "u-boot-tools"),
    ("strace", "strace"),
];

/// What the replay of power cuts needs; `qemu-storage-daemon` came to Debian with `qemu-system-common`.
pub const REPLAY: &[Tool] = &[
    ("qemu-storage-daemon", "qemu-system-common"),
    ("grub-fstest", "grub-common"),
    ("losetup", "mount"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("mkfs.f2fs", "f2fs-tools"),
];

/// Installs what is missing as root; an ordinary user is told what to type.
pub fn ensure(sets: &[&[Tool]]) -> Result<()> {
    let missing = missing(sets);
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !root() {
        bail!(
            "missing: {packages}\nas root: apt-get update && apt-get install --no-install-recommends {packages}"
        );
    }
    eprintln!("   installing {packages}");
    apt("-o DPkg::Lock::Timeout=300 update -q")?;
    apt(&format!("-o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends {packages}"))?;
    let still = self::missing(sets);
    if !still.is_empty() {
        bail!(
            "apt-get installed {packages}, but these bring no program of the expected name: {}",
            still.join(" ")
        );
    }
    Ok(())
}

/// Debian's bootctl, for tests of any processor.
pub fn bootctl() -> Result<PathBuf> {
    unpacked("systemd-boot", "usr/bin/bootctl")
}

/// A program of a package that would change this machine if it were installed: `systemd-boot` puts the loader into its ESP.
fn unpacked(package: &str, program: &str) -> Result<PathBuf> {
    let folder = place::root().join("target/unpacked").join(package);
    let file = folder.join("root").join(program);
    if file.exists() {
        return Ok(file);
    }
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let download = || {
        let mut command = Command::new("apt-get");
        run::run(command.args(["-q", "download", package]).current_dir(&folder))
    };
    if download().is_err() {
        apt("-o DPkg::Lock::Timeout=300 update -q")?;
        download()?;
    }
    let names = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let deb = names.filter(|name| name.extension().is_some_and(|ending| ending == "deb")).max();
    let deb = deb.with_context(|| format!("{package}: nothing was downloaded"))?;
    run::run(Command::new("dpkg-deb").arg("-x").arg(deb).arg(folder.join("root")))?;
    ensure!(file.exists(), "{package}: expected {program} in it");
    Ok(file)
}

/// Packages whose program is not there.
pub fn missing(sets: &[&[Tool]]) -> Vec<&'static str> {
    let tools = sets.iter().flat_map(|set| set.iter());
    tools.filter(|(program, _)| !there(program)).map(|(_, package)| *package).collect()
}

/// Whether we may install packages.
pub fn root() -> bool {
    run::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn apt(args: &str) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(args.split_whitespace()).env("DEBIAN_FRONTEND", "noninteractive");
    run::run(&mut command)
}

/// Whether a program (or, with a slash, a file) is there; ordinary users often lack sbin in their PATH.
pub fn there(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/sbin", "/usr/local/sbin"]);
    program.starts_with('/') && Path::new(program).exists()
        || !program.starts_with('/') && folders.into_iter().any(|dir| Path::new(dir).join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_package_of_what_is_missing() {
        let set: &[Tool] = &[("sh", "dash"), ("no-such-program", "no-such-package"), ("/etc/passwd", "x")];
        assert_eq!(missing(&[set]), ["no-such-package"]);
    }
}
