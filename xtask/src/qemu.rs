//! Real boots: the paths of rootling-qemu, with what they need built first.
//!
//! Guests (`target/guest/ARCH`) are made anew when one of the programs in them, or one that makes them, is another.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::machines::musl;
use crate::run::{programs, run, step, watched};
use crate::{guest, place, tools, uboot};

/// What a path takes, by the start of its name: the emulator, firmware, a loader, and what makes a disk.
const TOOLS: &[(&str, tools::Tool)] = &[
    ("", ("mformat", "mtools")),
    ("", ("sfdisk", "fdisk")),
    ("", ("mke2fs", "e2fsprogs")),
    ("", ("ostree", "ostree")),
    ("x86_64/", ("qemu-system-x86_64", "qemu-system-x86")),
    ("x86_64/grub", ("/usr/lib/grub/i386-pc/boot.img", "grub-pc-bin")),
    ("x86_64/grub", ("grub-mkimage", "grub-common")),
    ("x86_64/grub-efi", ("/usr/lib/grub/x86_64-efi/normal.mod", "grub-efi-amd64-bin")),
    ("x86_64/grub-efi", ("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf")),
    ("x86_64/systemd-boot", ("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf")),
    ("x86_64/systemd-boot", ("/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "systemd-boot-efi")),
    ("aarch64/", ("qemu-system-aarch64", "qemu-system-arm")),
    ("aarch64/grub-efi", ("grub-mkimage", "grub-common")),
    ("aarch64/grub-efi", ("/usr/share/AAVMF/AAVMF_CODE.fd", "qemu-efi-aarch64")),
    ("aarch64/systemd-boot", ("/usr/share/AAVMF/AAVMF_CODE.fd", "qemu-efi-aarch64")),
    ("aarch64/u-boot", ("mkenvimage", "u-boot-tools")),
    ("aarch64/extlinux", ("/usr/lib/u-boot/qemu_arm64/u-boot.bin", "u-boot-qemu")),
    ("armv7/", ("qemu-system-arm", "qemu-system-arm")),
    ("armv7/u-boot", ("mkenvimage", "u-boot-tools")),
    ("armv7/extlinux", ("/usr/lib/u-boot/qemu_arm/u-boot.bin", "u-boot-qemu")),
];

/// One scenario for each family of loaders, on two architectures: what every change has to pass.
const CI: &[&str] = &["x86_64/grub:upgrade", "x86_64/systemd-boot:failed-check", "aarch64/u-boot:panic"];

/// Debian with systemd and 12,000 files, by TLS.
const DEBIAN: &[&str] = &["x86_64/systemd-boot:upgrade,failed-check", "x86_64/grub:memory"];

/// Loaders of another architecture than this machine's.
const FOREIGN: &[&str] = &["aarch64/grub-efi", "aarch64/systemd-boot"];

/// Those that count with a U-Boot of ours, and what Debian calls their architecture.
const UBOOT: &[(&str, &str, &str)] =
    &[("aarch64/u-boot", "aarch64", "arm64"), ("armv7/u-boot", "armv7", "arm")];

/// What every path has to show.
const SCENARIOS: &[&str] = &["upgrade", "panic", "failed-check"];

/// What those of them have to show beside it that it is for: a watchdog takes some minutes.
const BESIDE: &[&str] = &["watchdog", "no-kernel"];

/// Boots the paths that are named, those of CI, or all; or Debian.
pub fn qemu(names: &[&str]) -> Result<()> {
    let paths = match names {
        ["ci"] => CI,
        ["debian"] => return debian(),
        names => names,
    };
    step("tools", || tools::ensure(&[&needs(paths)]))?;
    let mut command = validate(paths)?;
    step("boots", || run(&mut command))
}

/// What the paths of CI need.
pub fn ci_tools() -> Vec<tools::Tool> {
    needs(CI)
}

/// Boots the paths of CI; answers whether all passed, with the closing line and a line for each that failed.
pub fn ci() -> Result<(bool, Vec<String>)> {
    let mut command = validate(CI)?;
    step("boots", || watched(&mut command, closing))
}

/// Boots Debian out of the test bed, which brings systemd and a server with TLS.
fn debian() -> Result<()> {
    step("tools", || tools::ensure(&[&needs(DEBIAN), &[("nginx", "nginx-light")]]))?;
    step("programs", programs)?;
    let guest = guest::debian()?;
    let mut command = boot(DEBIAN);
    command.arg("--guest").arg(format!("x86_64={}", guest.display())).args(["--root-size", "2048"]);
    step("boots", || run(&mut command))
}

/// The sum of a report, and the scenarios that failed.
fn closing(line: &str) -> bool {
    line.starts_with("FAILED ") || line.contains(" scenarios, ") && line.ends_with(" CPU seconds")
}

/// The command that boots them, with all it needs made.
fn validate(paths: &[&str]) -> Result<Command> {
    step("programs", programs)?;
    let mut command = boot(paths);
    for arch in archs(paths) {
        let guest = guest::guest(arch)?;
        command.arg("--guest").arg(format!("{arch}={}", guest.display()));
    }
    for (path, arch, debian) in UBOOT {
        if asked(paths, path) {
            command.arg("--uboot").arg(format!("{arch}={}", uboot::uboot(debian)?.display()));
        }
    }
    if FOREIGN.iter().any(|path| asked(paths, path)) {
        command.env("ROOTLING_QEMU_FIRMWARE", step("loaders of aarch64", foreign)?);
    }
    Ok(command)
}

fn boot(paths: &[&str]) -> Command {
    let mut command = Command::new(place::program("debug", "rootling-qemu"));
    command.arg("validate").args(SCENARIOS);
    if paths.contains(&"all") {
        command.args(BESIDE);
    }
    command.args(paths.iter().flat_map(|path| ["--path", path]));
    command.arg("--output").arg(place::root().join("target/qemu"));
    command
}

/// Whether one of the paths, which may have scenarios of its own behind it, begins so.
fn asked(paths: &[&str], start: &str) -> bool {
    paths.iter().any(|path| *path == "all" || path.starts_with(start))
}

fn needs(paths: &[&str]) -> Vec<tools::Tool> {
    let own = TOOLS.iter().filter(|(start, _)| asked(paths, start)).map(|(_, tool)| *tool);
    let uboot = UBOOT.iter().filter(|(path, ..)| asked(paths, path));
    tools::BUILD
        .iter()
        .copied()
        .chain(own)
        .chain(uboot.flat_map(|(.., debian)| uboot::tools(debian)))
        .collect()
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
    ["x86_64", "aarch64", "armv7"].into_iter().filter(|arch| asked(paths, arch)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_guests_that_are_booted_are_asked_for() {
        assert_eq!(archs(&["armv7/u-boot:panic", "x86_64/grub"]), ["x86_64", "armv7"]);
        assert_eq!(archs(&["all"]).len(), 3);
        assert_eq!(archs(CI), ["x86_64", "aarch64"]);
    }

    #[test]
    fn a_path_needs_its_own_tools_alone() {
        let packages =
            |paths: &[&str]| -> Vec<&str> { needs(paths).into_iter().map(|(_, name)| name).collect() };
        for (path, has, lacks) in [
            ("x86_64/grub:upgrade", "grub-pc-bin", "ovmf"),
            ("x86_64/grub-efi", "ovmf", "qemu-system-arm"),
            ("x86_64/systemd-boot", "systemd-boot-efi", "grub-pc-bin"),
            ("aarch64/u-boot:panic", "gcc-aarch64-linux-gnu", "gcc-arm-linux-gnueabihf"),
            ("armv7/u-boot", "gcc-arm-linux-gnueabihf", "qemu-system-x86"),
            ("armv7/extlinux", "u-boot-qemu", "u-boot-tools"),
        ] {
            let packages = packages(&[path]);
            assert!(packages.contains(&has) && !packages.contains(&lacks), "{path}: {packages:?}");
        }
        assert!(TOOLS.iter().all(|(_, (_, package))| packages(&["all"]).contains(package)));
    }

    #[test]
    fn closing_lines_of_a_report_are_told_apart() {
        for (line, kept) in [
            ("3 scenarios, 0 failed, 11 boots, 225 s, 100 CPU seconds", true),
            ("FAILED x86_64/grub            upgrade        2 boots    21.0 s    19.5 CPU s", true),
            ("ok     x86_64/grub            upgrade        2 boots    21.0 s    19.5 CPU s", false),
            ("    expected 3 scenarios, got none", false),
            ("report: target/qemu/index.html", false),
        ] {
            assert_eq!(closing(line), kept, "{line}");
        }
    }
}
