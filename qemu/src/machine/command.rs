//! QEMU's command line for each path.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::host;
use crate::path::{Arch, Loader, Path as BootPath};

/// What runs the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// QEMU itself.
    Tcg,
    /// The kernel.
    Kvm,
}

/// What stands at the other end of the serial port: standard input and output, in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// A program, or somebody who only looks: Ctrl-C ends QEMU.
    Plain,
    /// A terminal: the guest gets Ctrl-C too, and Ctrl-A X ends QEMU.
    Terminal,
}

/// What a machine is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Machine and loader.
    pub path: BootPath,
    /// The disk, which is written.
    pub disk: PathBuf,
    /// Memory in MiB.
    pub memory: u32,
    /// What runs the processor.
    pub accel: Accel,
    /// A U-Boot that counts boots.
    pub uboot: Option<PathBuf>,
    /// What stands at the other end of the serial port.
    pub console: Console,
    /// A log of what is written to the disk, in the format of the kernel's dm-log-writes.
    pub writes: Option<PathBuf>,
    /// Another disk, whose writes are always logged.
    pub second: Option<Second>,
    /// A device that resets the machine when nobody has written to it for a while.
    pub watchdog: bool,
}

/// A disk beside the one that is booted: `/dev/vdb`.
#[derive(Debug, Clone)]
pub struct Second {
    /// The disk, which is written.
    pub disk: PathBuf,
    /// The log of that.
    pub writes: PathBuf,
}

/// The command; its serial port is standard input and output.
pub fn command(options: &Options) -> Result<Command> {
    let Options { path, memory, .. } = options;
    let (program, machine, cpu) = match path.arch {
        Arch::X86_64 => ("qemu-system-x86_64", "q35,smm=off,graphics=off", "max"),
        Arch::Aarch64 => ("qemu-system-aarch64", "virt", "cortex-a53"),
        Arch::Armv7 => ("qemu-system-arm", "virt,highmem=off", "cortex-a15"),
    };
    let (accel, cpu) = match options.accel {
        Accel::Tcg => ("tcg", cpu),
        Accel::Kvm => ("kvm", "host"),
    };
    let mut command = host::command(program);
    command.args(["-M", machine, "-accel", accel, "-cpu", cpu, "-m", &memory.to_string()]);
    command.args(["-display", "none", "-monitor", "none", "-nodefaults"]);
    match options.console {
        Console::Plain => command.args(["-serial", "stdio"]),
        Console::Terminal => {
            command.args(["-chardev", "stdio,id=terminal,mux=on,signal=off", "-serial", "chardev:terminal"])
        }
    };
    match path.loader {
        Loader::Grub => {}
        Loader::GrubEfi | Loader::SystemdBoot => {
            let (code, vars) = uefi(path.arch)?;
            let own = variables(&options.disk);
            if !own.exists() {
                fs::copy(&vars, &own).with_context(|| format!("copy {}", vars.display()))?;
            }
            command.arg("-drive").arg(format!("if=pflash,format=raw,readonly=on,file={}", code.display()));
            command.arg("-drive").arg(format!("if=pflash,format=raw,file={}", own.display()));
        }
        Loader::UBoot => {
            let uboot =
                options.uboot.as_ref().context("no U-Boot that counts boots: cargo xtask uboot makes one")?;
            command.arg("-bios").arg(uboot).args(["-global", "virtio-mmio.force-legacy=false"]);
        }
        Loader::Extlinux => {
            command.arg("-bios").arg(stock_uboot(path.arch)?);
        }
    }
    let disk = options.disk.display();
    match &options.writes {
        None => {
            command.arg("-drive").arg(format!("file={disk},format=raw,if=none,id=disk,cache=writeback"));
        }
        Some(log) => logged(&mut command, &options.disk, log, "disk"),
    }
    // U-Boot reads its environment before it knows of PCI
    let bus = match path.loader {
        Loader::UBoot | Loader::Extlinux => ["virtio-blk-device,drive=disk", "virtio-net-device,netdev=net"],
        _ => ["virtio-blk-pci,drive=disk,bootindex=0", "virtio-net-pci,netdev=net,romfile="],
    };
    command.args(["-device", bus[0], "-netdev", "user,id=net", "-device", bus[1]]);
    if options.watchdog {
        command.args(["-device", "i6300esb", "-action", "watchdog=reset"]);
    }
    if let Some(Second { disk, writes }) = &options.second {
        logged(&mut command, disk, writes, "second");
        command.args(["-device", "virtio-blk-pci,drive=second"]);
    }
    Ok(command)
}

/// A node of this name whose writes are logged.
fn logged(command: &mut Command, disk: &Path, log: &Path, name: &str) {
    // the next QEMU goes on in it
    let append = fs::metadata(log).is_ok_and(|log| log.len() > 0);
    let append = if append { "on" } else { "off" };
    for node in [
        format!("driver=file,filename={},node-name={name}-file", disk.display()),
        format!("driver=raw,file={name}-file,node-name={name}-raw"),
        format!("driver=file,filename={},node-name={name}-log", log.display()),
        format!(
            "driver=blklogwrites,file={name}-raw,log={name}-log,log-append={append},\
             log-super-update-interval=1,node-name={name}"
        ),
    ] {
        command.args(["-blockdev", &node]);
    }
}

/// Where the variables of a disk's firmware are kept over restarts of QEMU.
pub fn variables(disk: &Path) -> PathBuf {
    disk.with_extension("efivars.fd")
}

/// The firmware, and the variables that it starts with.
fn uefi(arch: Arch) -> Result<(PathBuf, PathBuf)> {
    match arch {
        Arch::X86_64 => Ok((
            host::file(&["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd"], "ovmf")?,
            host::file(&["/usr/share/OVMF/OVMF_VARS_4M.fd", "/usr/share/OVMF/OVMF_VARS.fd"], "ovmf")?,
        )),
        _ => Ok((
            host::file(&["/usr/share/AAVMF/AAVMF_CODE.fd"], "qemu-efi-aarch64")?,
            host::file(&["/usr/share/AAVMF/AAVMF_VARS.fd"], "qemu-efi-aarch64")?,
        )),
    }
}

fn stock_uboot(arch: Arch) -> Result<PathBuf> {
    let name = match arch {
        Arch::Aarch64 => "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
        _ => "/usr/lib/u-boot/qemu_arm/u-boot.bin",
    };
    host::file(&[name], "u-boot-qemu")
}

/// A copy of an image; holes stay holes.
pub fn copy(base: &Path, to: &Path) -> Result<()> {
    let mut copy = host::command("cp");
    host::output(copy.args(["--sparse=always", "--reflink=auto"]).arg(base).arg(to)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_alone_has_standard_input() {
        for console in [Console::Plain, Console::Terminal] {
            let options = Options {
                path: "x86_64/grub".parse().unwrap(),
                disk: "disk.img".into(),
                memory: 64,
                accel: Accel::Tcg,
                uboot: None,
                console,
                writes: None,
                second: None,
                watchdog: false,
            };
            let line = host::line(&command(&options).unwrap());
            // every -serial is another port, and QEMU refuses a second user of stdio
            assert_eq!(line.matches("-serial ").count(), 1, "{line}");
            assert_eq!(line.matches("stdio").count(), 1, "{line}");
            assert_eq!(line.contains("signal=off"), console == Console::Terminal, "{line}");
        }
    }

    #[test]
    fn disks_in_one_folder_have_variables_of_their_own() {
        // those of ARM's firmware have another length than those of a PC's
        assert_eq!(variables(Path::new("a/pc.img")), Path::new("a/pc.efivars.fd"));
        assert_ne!(variables(Path::new("pc.img")), variables(Path::new("arm.img")));
    }
}
