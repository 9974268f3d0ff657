//! Real boots: the paths of rootling-qemu, with what they need built first.
//!
//! Guests (`target/guest/ARCH`) are made anew when one of the programs in them, or one that makes them, is another.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::machines::musl;
use crate::run::{run, step};
use crate::{guest, place, tools, uboot};

/// The emulators of PCs, their firmware and the loaders.
const TOOLS: &[tools::Tool] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf"),
    ("/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "systemd-boot-efi"),
    ("/usr/lib/grub/i386-pc/boot.img", "grub-pc-bin"),
    ("/usr/lib/grub/x86_64-efi/normal.mod", "grub-efi-amd64-bin"),
    ("grub-mkimage", "grub-common"),
    ("mformat", "mtools"),
    ("sfdisk", "fdisk"),
    ("mke2fs", "e2fsprogs"),
    ("ostree", "ostree"),
];

/// And of ARM.
const ARM_TOOLS: &[tools::Tool] = &[
    ("qemu-system-aarch64", "qemu-system-arm"),
    ("/usr/share/AAVMF/AAVMF_CODE.fd", "qemu-efi-aarch64"),
    ("/usr/lib/u-boot/qemu_arm64/u-boot.bin", "u-boot-qemu"),
    ("mkenvimage", "u-boot-tools"),
];

/// One scenario for each family of loaders, on two architectures: what a change should pass.
const CI: &[&str] = &["x86_64/grub:upgrade", "x86_64/systemd-boot:failed-check", "aarch64/u-boot:panic"];

/// What `cargo xtask test` can afford: two families of loaders, with nothing built for another architecture.
const TEST: &[&str] = &["x86_64/grub:upgrade", "x86_64/systemd-boot:failed-check"];

const FOREIGN: &[&str] = &["aarch64/grub-efi", "aarch64/systemd-boot"];

/// What every path has to show.
const SCENARIOS: &[&str] = &["upgrade", "panic", "failed-check"];

/// Boots the paths that are named, those of CI, those of `cargo xtask test`, or all.
pub fn qemu(names: &[&str]) -> Result<()> {
    let paths = match names {
        ["ci"] => CI,
        ["test"] => TEST,
        names => names,
    };
    let arm = if archs(paths).iter().any(|arch| *arch != "x86_64") { ARM_TOOLS } else { &[] };
    step("tools", || tools::ensure(&[tools::BUILD, TOOLS, arm]))?;
    step("programs", guest::programs)?;
    let mut command = Command::new(place::program("debug", "rootling-qemu"));
    command.arg("validate").args(SCENARIOS).args(paths.iter().flat_map(|path| ["--path", path]));
    for arch in archs(paths) {
        let guest = guest::guest(arch)?;
        command.arg("--guest").arg(format!("{arch}={}", guest.display()));
        let debian = if arch == "aarch64" { "arm64" } else { "arm" };
        if arch != "x86_64" && paths.iter().any(|path| *path == "all" || path.contains("u-boot")) {
            command.arg("--uboot").arg(format!("{arch}={}", uboot::uboot(debian)?.display()));
        }
    }
    if paths.iter().any(|path| *path == "all" || FOREIGN.iter().any(|foreign| path.starts_with(foreign))) {
        command.env("ROOTLING_QEMU_FIRMWARE", step("loaders of aarch64", foreign)?);
    }
    step("boots", || run(command.arg("--output").arg(place::root().join("target/qemu"))))
}

/// Loaders that are programs of another architecture: unpacked, not installed.
fn foreign() -> Result<PathBuf> {
    let folder = place::root().join("target/loaders");
    for (package, file) in [
        ("systemd-boot-efi", "usr/lib/systemd/boot/efi/systemd-bootaa64.efi"),
        ("grub-efi-arm64-bin", "usr/lib/grub/arm64-efi/normal.mod"),
    ] {
        if !folder.join("root").join(file).exists() {
            musl::unpack(package, "arm64", &folder)?;
        }
    }
    Ok(folder.join("root"))
}

fn archs(paths: &[&str]) -> Vec<&'static str> {
    let named = |arch: &&str| paths.iter().any(|path| *path == "all" || path.starts_with(*arch));
    ["x86_64", "aarch64", "armv7"].into_iter().filter(named).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_the_guests_that_are_booted_are_asked_for() {
        assert_eq!(super::archs(&["armv7/u-boot:panic", "x86_64/grub"]), ["x86_64", "armv7"]);
        assert_eq!(super::archs(&["all"]).len(), 3);
        assert_eq!(super::archs(super::CI), ["x86_64", "aarch64"]);
    }
}
