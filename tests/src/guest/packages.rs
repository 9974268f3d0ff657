//! The RPMs of a guest.

use std::fs;

use anyhow::{Context, Result};
use rpm::{FileOptions, Package, PackageBuilder};

use super::Options;
use crate::testbed::kernel::reshape;
use crate::testbed::{AptRoot, Arch, Deb, DebFile, Distilled, build_config, convert, rpm_arch};

/// Build time of those made from nothing, seconds since 1970.
const BUILT: u32 = 1_700_000_000;

/// The modules of a guest; what they need has to be here too, or composing fails by name.
const MODULES: &str = include_str!("files/modules");
/// Programs of busybox that get a name of their own.
const APPLETS: &str = include_str!("files/applets");

/// The package of a kernel with the driver of a watchdog that QEMU has; that for virtual machines has none of a device.
pub const WATCHED: &str = "kernel-watched";

/// Path and text of files, 0755 below `/usr/lib/guest` and `/etc/init.d`, and else 0644.
const BASE: [(&str, &str); 7] = [
    ("/etc/passwd", "root::0:0:root:/root:/bin/sh\n"),
    ("/etc/group", "root:x:0:\n"),
    ("/etc/inittab", include_str!("files/inittab")),
    // as it ships
    ("/etc/init.d/rootling", include_str!("../../../agent/units/rootling.init")),
    ("/usr/lib/guest/boot", include_str!("files/boot")),
    ("/usr/lib/guest/commands", include_str!("files/commands")),
    ("/usr/lib/guest/stop", include_str!("files/stop")),
];

/// All packages; `names` are the commits, each with a release of its own.
pub fn all(apt: &AptRoot, options: &Options, names: &[&str]) -> Result<Vec<Package>> {
    let mut all = vec![kernel(apt, options.arch)?, busybox(apt)?, base()?];
    if options.arch == Arch::Amd64 {
        all.push(converted(apt, "linux-image-amd64", Some(WATCHED))?);
    }
    all.push(programs("rootling", options)?.build()?);
    all.push(program("rootling-dead", options, b"this is no program\n")?.build()?);
    let mut init = builder("guest-init", "noarch");
    link(&mut init, "/usr/sbin/init", "../bin/busybox")?;
    all.push(init.build()?);
    let mut ends = builder("guest-init-ends", "noarch");
    file(&mut ends, "/usr/sbin/init", b"#!/bin/sh\necho ROOTLING-GUEST init ends\nexit 1\n", 0o755)?;
    all.push(ends.build()?);
    let mut fails = builder("guest-check-fails", "noarch");
    let check = b"#!/bin/sh\necho this check fails\nexit 1\n";
    file(&mut fails, "/usr/lib/greenboot/check/required.d/50-fails.sh", check, 0o755)?;
    all.push(fails.build()?);
    for name in names {
        let mut release = builder(&format!("guest-release-{name}"), "noarch");
        let text = format!(
            "ID=guest\nNAME=Guest\nVERSION={name}\nVERSION_ID={name}\nPRETTY_NAME=\"Guest {name}\"\n"
        );
        file(&mut release, "/usr/lib/os-release", text.as_bytes(), 0o644)?;
        link(&mut release, "/etc/os-release", "../usr/lib/os-release")?;
        all.push(release.build()?);
    }
    Ok(all)
}

/// The device programs.
pub fn programs(name: &str, options: &Options) -> Result<PackageBuilder> {
    let agent = fs::read(&options.agent).with_context(|| options.agent.display().to_string())?;
    program(name, options, &agent)
}

fn program(name: &str, options: &Options, agent: &[u8]) -> Result<PackageBuilder> {
    let prepare =
        fs::read(&options.prepare_root).with_context(|| options.prepare_root.display().to_string())?;
    let mut package = builder(name, rpm_arch(options.arch.debian())?);
    file(&mut package, "/usr/bin/rootling", agent, 0o755)?;
    file(&mut package, "/usr/lib/rootling/rootling-prepare-root", &prepare, 0o755)?;
    Ok(package)
}

/// The kernel with the modules of a guest, and without what only a developer reads.
fn kernel(apt: &AptRoot, arch: Arch) -> Result<Package> {
    let meta = match arch {
        Arch::Amd64 => "linux-image-cloud-amd64",
        Arch::Arm64 => "linux-image-cloud-arm64",
        Arch::Armhf => "linux-image-armmp",
    };
    converted(apt, meta, None)
}

/// What a meta package of a kernel leads to, by Fedora's name of it or another one.
fn converted(apt: &AptRoot, meta: &str, name: Option<&str>) -> Result<Package> {
    let mut deb = read(&apt.kernel(meta)?)?;
    deb.entries.retain(|entry| {
        let Some((_, below)) = entry.path.split_once("/kernel/") else {
            return !entry.path.ends_with("/kernel");
        };
        let name = below.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or_default();
        MODULES.split_whitespace().any(|module| module == name.replace('-', "_"))
    });
    let mut remove = Vec::new();
    for entry in &deb.entries {
        if let Some(version) = entry.path.strip_prefix("/boot/System.map-") {
            remove = ["System.map", "config", "dtb"]
                .map(|name| format!("/usr/lib/modules/{version}/{name}"))
                .into();
        }
    }
    remove.push("/usr/share".to_owned());
    let mut distilled = Distilled { forget: vec!["*".to_owned()], remove, ..Distilled::default() };
    if let Some(name) = name {
        distilled.ghosts = reshape(&mut deb)?;
        deb.control.insert("Package".to_owned(), name.to_owned());
    }
    convert(deb, &distilled)
}

pub fn busybox(apt: &AptRoot) -> Result<Package> {
    debian(apt, "busybox-static", &["/usr/share"])
}

/// A package of Debian without what it depends on, and without some of its folders.
pub fn debian(apt: &AptRoot, name: &str, without: &[&str]) -> Result<Package> {
    let deb = read(&apt.only(name)?)?;
    let distilled = Distilled {
        forget: vec!["*".to_owned()],
        remove: without.iter().map(|folder| (*folder).to_owned()).collect(),
        ..Distilled::default()
    };
    convert(deb, &distilled)
}

fn read(file: &DebFile) -> Result<Deb> {
    let bytes = fs::read(&file.path).with_context(|| file.path.display().to_string())?;
    Deb::read(&bytes).with_context(|| file.path.display().to_string())
}

/// Folders, the links of the merged `/usr`, the names of busybox, and what runs at boot.
fn base() -> Result<Package> {
    let mut base = builder("guest-base", "noarch");
    for path in [
        "/boot",
        "/dev",
        "/efi",
        "/etc",
        "/etc/default",
        "/etc/init.d",
        "/proc",
        "/run",
        "/sys",
        "/tmp",
        "/usr",
        "/usr/bin",
        "/usr/lib",
        "/usr/sbin",
        "/var",
    ] {
        base.with_dir_entry(FileOptions::dir(path).permissions(0o755).user("root").group("root"))?;
    }
    for name in ["bin", "sbin", "lib"] {
        link(&mut base, &format!("/{name}"), &format!("usr/{name}"))?;
    }
    for applet in APPLETS.split_whitespace() {
        link(&mut base, &format!("/usr/bin/{applet}"), "busybox")?;
    }
    for (path, text) in BASE {
        let mode = if is_program(path) { 0o755 } else { 0o644 };
        file(&mut base, path, text.as_bytes(), mode)?;
    }
    Ok(base.build()?)
}

fn is_program(path: &str) -> bool {
    ["/usr/lib/guest/", "/etc/init.d/"].iter().any(|folder| path.starts_with(folder))
}

pub fn builder(name: &str, arch: &str) -> PackageBuilder {
    let mut builder = PackageBuilder::new(name, "1", "MIT", arch, "Part of a guest");
    builder
        .using_config(build_config(name, BUILT))
        .release("1")
        .vendor("Rootling test bed")
        .build_host("testbed");
    builder
}

pub fn file(builder: &mut PackageBuilder, path: &str, bytes: &[u8], mode: u16) -> Result<()> {
    let options = FileOptions::new(path).permissions(mode).user("root").group("root");
    builder.with_file_contents(bytes, options.modified_at(rpm::Timestamp(BUILT)))?;
    Ok(())
}

pub fn link(builder: &mut PackageBuilder, path: &str, target: &str) -> Result<()> {
    builder.with_symlink(FileOptions::symlink(path, target).permissions(0o777).user("root").group("root"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_shell_and_can_be_run() {
        let base = base().expect("builds");
        let files = base.metadata.get_file_entries().expect("files");
        for (path, text) in BASE.iter().filter(|(path, _)| is_program(path)) {
            let entry = files.iter().find(|entry| entry.path().to_str() == Some(*path)).expect(path);
            assert_eq!(entry.mode().raw_mode() & 0o7777, 0o755, "{path}");
            let checked = std::process::Command::new("sh").args(["-n", "-c", text]).status().expect("sh");
            assert!(checked.success(), "{path}");
        }
        assert!(files.iter().any(|entry| entry.path().to_str() == Some("/usr/bin/mount")));
    }
}
