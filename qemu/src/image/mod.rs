//! A bootable disk from a repo: the sysroot is a folder that the device program itself fills.

pub mod disk;
mod grub;
mod ostree;
mod uboot;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::host;
use crate::path::{self, Arch, Loader};
use disk::{Layout, Sizes};

/// The stateroot of every image.
pub const STATEROOT: &str = "guest";
/// The remote that the deployment follows.
pub const REMOTE: &str = "origin";

/// Who lays out the sysroot and deploys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The device program.
    Agent,
    /// The real `ostree` of this machine.
    Ostree,
}

impl By {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            By::Agent => "rootling",
            By::Ostree => "ostree",
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Machine and loader.
    pub path: path::Path,
    /// Who makes it.
    pub by: By,
    /// A repo in this machine's file system.
    pub repo: PathBuf,
    /// What is deployed.
    pub name: String,
    /// The disk.
    pub disk: PathBuf,
    /// The device program, built for this machine.
    pub agent: PathBuf,
    /// Where the device looks for updates.
    pub url: String,
    /// How it verifies: a flag of `rootling remote add`.
    pub policy: String,
    /// Kernel arguments beside root and console.
    pub kargs: Vec<String>,
    /// How large the parts are.
    pub sizes: Sizes,
}

/// Makes the disk.
pub fn make(options: &Options) -> Result<()> {
    let parent = options.disk.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    let work =
        tempfile::tempdir_in(parent).with_context(|| format!("make a folder in {}", parent.display()))?;
    let (sysroot, esp) = (work.path().join("sysroot"), work.path().join("esp"));
    match options.by {
        By::Agent => deploy(options, &sysroot)?,
        By::Ostree => ostree::deploy(options, &sysroot)?,
    }
    // else nobody could remove the folder again; where it cannot be set it need not be taken back
    let _ = host::output(host::command("chattr").arg("-i").arg(deployment(&sysroot)?));
    take_into_use(options, work.path(), &sysroot)?;
    leave_mount_point(&sysroot.join("efi"), &esp)?;
    let boot = work.path().join("boot");
    if options.sizes.has_boot() {
        leave_mount_point(&sysroot.join("boot"), &boot)?;
        check_room(options.sizes, length(&boot)?)?;
    }
    let layout = Layout::new(options.sizes);
    disk::make(&options.disk, &layout, &esp, &boot, &sysroot)?;
    if options.path.loader == Loader::Grub {
        grub::bios(&options.disk, layout.bios, grub::Place::new(options.sizes), work.path())?;
    }
    Ok(())
}

/// Takes a folder away that is a partition on the disk.
fn leave_mount_point(mounted: &Path, to: &Path) -> Result<()> {
    fs::rename(mounted, to).with_context(|| format!("rename {}", mounted.display()))?;
    fs::create_dir(mounted).with_context(|| format!("create {}", mounted.display()))
}

/// Refuses a partition of /boot that cannot have the boot files of the system and of one update of the same length.
fn check_room(sizes: Sizes, bytes: u64) -> Result<()> {
    // a tenth and some MiB for what ext4 keeps: inodes, its journal
    let expected = (2 * bytes).div_ceil(disk::MIB) * 11 / 10 + 8;
    ensure!(
        sizes.boot >= expected,
        "--boot-size: expected {expected} MiB at least, for two systems with {bytes} bytes in /boot each, got {} MiB",
        sizes.boot
    );
    Ok(())
}

/// The bytes of all files in a folder.
fn length(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        bytes += if kind.is_dir() { length(&path)? } else { kind.len() };
    }
    Ok(bytes)
}

/// Lays out the sysroot and deploys, as on a device.
fn deploy(options: &Options, sysroot: &Path) -> Result<()> {
    let Options { agent, repo, name, url, policy, .. } = options;
    let device = |args: &[&str]| {
        let mut command = host::command(agent);
        command.arg("--sysroot").arg(sysroot).args(["--progress=none"]).args(args);
        host::output(&mut command).map(drop)
    };
    device(&["init", STATEROOT])?;
    if !options.sizes.has_boot() {
        // loaders see /boot as a folder of the root
        let config = sysroot.join("ostree/repo/config");
        let text = fs::read_to_string(&config).with_context(|| format!("read {}", config.display()))?;
        fs::write(&config, text + "[sysroot]\nbootprefix=true\n")?;
    }
    let repo = repo.canonicalize().with_context(|| format!("repo {}", repo.display()))?;
    let repo = repo.to_str().context("repo: expected a name in UTF-8")?;
    device(&["remote", "add", REMOTE, url, policy])?;
    device(&["pull", repo, name, "--remote", REMOTE])?;
    let (refspec, kargs) = (format!("{REMOTE}:{name}"), options.karg_flags());
    let mut args = vec!["deploy", &refspec];
    args.extend(kargs.iter().map(String::as_str));
    device(&args)
}

impl Options {
    /// Kernel arguments, as both programs take them.
    fn karg_flags(&self) -> Vec<String> {
        let console = format!("console={}", self.path.arch.console());
        let own = ["root=LABEL=ROOT", "rw", &console];
        own.into_iter()
            .chain(self.path.arch.kargs().iter().copied())
            .chain(self.kargs.iter().map(String::as_str))
            .map(|arg| format!("--karg={arg}"))
            .collect()
    }
}

/// Puts the loader and its settings where they belong, and has the agent take it into use.
fn take_into_use(options: &Options, work: &Path, sysroot: &Path) -> Result<()> {
    let (arch, loader) = (options.path.arch, options.path.loader);
    let esp = sysroot.join("efi");
    fs::create_dir_all(&esp).with_context(|| format!("create {}", esp.display()))?;
    let etc = deployment(sysroot)?.join("etc");
    let started = esp.join(match arch {
        Arch::X86_64 => "EFI/BOOT/BOOTX64.EFI",
        _ => "EFI/BOOT/BOOTAA64.EFI",
    });
    if loader.is_efi() {
        fs::create_dir_all(esp.join("EFI/BOOT"))?;
    }
    match loader {
        Loader::Grub | Loader::Extlinux => {}
        Loader::GrubEfi => grub::efi(arch, grub::Place::new(options.sizes), work, &started)?,
        Loader::SystemdBoot => {
            let binary = systemd_boot(arch)?;
            fs::create_dir_all(esp.join("EFI/systemd"))?;
            fs::copy(&binary, &started).with_context(|| format!("copy {}", binary.display()))?;
            let name = binary.file_name().context("systemd-boot has a name")?;
            fs::copy(&binary, esp.join("EFI/systemd").join(name))?;
            fs::create_dir_all(esp.join("loader"))?;
            fs::write(esp.join("loader/loader.conf"), "timeout 0\n")?;
        }
        Loader::UBoot => {
            uboot::make(arch, work, &esp)?;
            fs::write(etc.join("fw_env.config"), uboot::FW_ENV)?;
        }
    }
    fs::write(etc.join("fstab"), fstab(options.sizes))?;
    fs::create_dir_all(etc.join("rootling"))?;
    fs::write(etc.join("rootling/agent.conf"), "[boot]\ntimeout=0\n")?;
    if options.by == By::Ostree {
        return ostree::grub_menu(options, sysroot);
    }
    let mut install = host::command(&options.agent);
    install.arg("--sysroot").arg(sysroot).args(["boot", "install", loader.agent_name()]);
    host::output(&mut install).map(drop)
}

/// What the running system mounts; the initramfs needs the root alone.
fn fstab(sizes: Sizes) -> String {
    let boot = if sizes.has_boot() { "LABEL=BOOT /boot ext4 defaults 0 0\n" } else { "" };
    format!("{boot}LABEL=ESP /efi vfat defaults 0 0\n")
}

fn systemd_boot(arch: Arch) -> Result<PathBuf> {
    let name = match arch {
        Arch::X86_64 => "systemd-bootx64.efi",
        _ => "systemd-bootaa64.efi",
    };
    let installed = format!("/usr/lib/systemd/boot/efi/{name}");
    let unpacked = std::env::var("ROOTLING_QEMU_FIRMWARE").map(|folder| format!("{folder}{installed}"));
    let places: Vec<&str> = [unpacked.as_deref().ok(), Some(&*installed)].into_iter().flatten().collect();
    host::file(&places, "systemd-boot-efi (of the guest's architecture)")
}

/// The folder of the only deployment.
fn deployment(sysroot: &Path) -> Result<PathBuf> {
    let folder = sysroot.join("ostree/deploy").join(STATEROOT).join("deploy");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        found.extend(path.is_dir().then_some(path));
    }
    ensure!(found.len() == 1, "{}: expected one deployment, got {}", folder.display(), found.len());
    found.pop().context("there is one")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { esp: 96, boot: 128, root: 768 };

    #[test]
    fn what_is_a_partition_is_mounted() {
        assert_eq!(fstab(Sizes { boot: 0, ..SIZES }), "LABEL=ESP /efi vfat defaults 0 0\n");
        assert!(fstab(SIZES).starts_with("LABEL=BOOT /boot ext4 defaults 0 0\nLABEL=ESP /efi "));
    }

    #[test]
    fn a_partition_without_room_for_an_update_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("ostree")).unwrap();
        fs::write(dir.path().join("ostree/vmlinuz"), vec![0; 3 << 20]).unwrap();
        std::os::unix::fs::symlink(".", dir.path().join("boot")).unwrap();
        let bytes = length(dir.path()).unwrap();
        assert_eq!(bytes, (3 << 20) + 1);
        assert!(check_room(Sizes { boot: 15, ..SIZES }, bytes).is_ok());
        let error = check_room(Sizes { boot: 14, ..SIZES }, bytes).unwrap_err().to_string();
        assert!(
            error.starts_with("--boot-size: expected 15 MiB at least") && error.ends_with("got 14 MiB"),
            "{error}"
        );
    }
}
