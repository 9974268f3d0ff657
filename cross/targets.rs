//! The machines a device program is built for, and what is in it for each.
//!
//! A program that ships has the boot loaders that boards with its processor have, and the rules of static deltas for the programs
//! that run there. Anything else is a build of one's own: every row of `agent/Cargo.toml` may be added to it.
//!
//! | machine | loaders | seen on | rules of deltas |
//! |---|---|---|---|
//! | armv7, armv5te | U-Boot, extlinux | boards and SoMs; GRUB and systemd-boot only by U-Boot's UEFI, which is rare | `arm` |
//! | aarch64 | all four | U-Boot on boards, GRUB and systemd-boot on servers and on boards with UEFI | `aarch64`, and `arm` for 32-bit programs |
//! | x86_64 | GRUB, systemd-boot | PCs, by BIOS or UEFI | `x86` |
//! | i686 | GRUB, systemd-boot | the same, and UEFI of 32 bits | `i386`, which has `x86` in it |
//! | riscv64 | U-Boot, extlinux, GRUB | U-Boot on every board; distributions start GRUB from its UEFI | none are there; without any no delta is read, so `aarch64` |

use std::path::Path;
use std::process::Command;

use super::recipe::{PROGRAMS, Program, Set};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// As people call it, and as in `size-budget.toml`.
    pub name: &'static str,
    /// As rustc calls it.
    pub triple: &'static str,
    /// Where its C library comes from.
    pub libc: Libc,
    /// The folder of musl below `usr/lib` and `usr/include`.
    pub musl: &'static str,
    /// The linker: program and package.
    pub linker: (&'static str, &'static str),
    /// The C compiler, for ring.
    pub cc: (&'static str, &'static str),
    /// Runs its programs on another machine: program and package.
    pub emulator: (&'static str, &'static str),
    /// Processors that the emulator is to be besides its own choice.
    pub cpus: &'static [&'static str],
    /// Flags that only this one has.
    pub flags: &'static str,
    /// Features of the agent: the rules of static deltas.
    pub rules: &'static str,
    /// Features of the agent: the boot loaders.
    pub loaders: &'static str,
    /// Programs that lie at a fixed address, since they would be too large else (decision 0027).
    pub fixed: &'static [Program],
    /// Whether programs are shipped for it; else it is there to test on.
    pub ships: bool,
}

/// Where the C library of a target comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libc {
    /// `musl-dev` of Debian's architecture of this name.
    Debian(&'static str),
    /// Compiled for size from Debian's source, for this architecture of Debian, by the target's own C compiler.
    Source(&'static str),
    /// zig builds it for its target of this name.
    Zig(&'static str),
}

const LLD: (&str, &str) = ("ld.lld", "lld");
/// The first lld that knows these machines well enough is younger than Debian's own.
const YOUNG_LLD: (&str, &str) = ("ld.lld-22", "lld-22");

/// All of them. armv5te serves ARMv6 as well; s390x is a big-endian machine to test on.
pub const TARGETS: &[Target] = &[
    Target {
        name: "x86_64",
        triple: "x86_64-unknown-linux-musl",
        libc: Libc::Source("amd64"),
        musl: "x86_64-linux-musl",
        linker: LLD,
        cc: ("gcc", "gcc"),
        emulator: ("qemu-x86_64-static", "qemu-user-static"),
        cpus: &[],
        flags: "-Clink-arg=-zmax-page-size=4096",
        rules: "x86",
        loaders: "grub,systemd-boot",
        fixed: &[
            Program { package: "rootling", set: Set::Plain },
            Program { package: "rootling", set: Set::Deltas },
        ],
        ships: true,
    },
    Target {
        name: "aarch64",
        triple: "aarch64-unknown-linux-musl",
        libc: Libc::Debian("arm64"),
        musl: "aarch64-linux-musl",
        linker: LLD,
        cc: ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
        emulator: ("qemu-aarch64-static", "qemu-user-static"),
        cpus: &[],
        flags: "",
        rules: "aarch64,arm",
        loaders: "grub,systemd-boot,u-boot,extlinux",
        fixed: &[],
        ships: true,
    },
    Target {
        name: "armv7",
        triple: "armv7-unknown-linux-musleabihf",
        libc: Libc::Debian("armhf"),
        musl: "arm-linux-musleabihf",
        linker: LLD,
        cc: ("arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf"),
        emulator: ("qemu-arm-static", "qemu-user-static"),
        cpus: &[],
        // its pages have 4 KiB on every kernel; lld pads for 64
        flags: "-Ctarget-feature=+thumb-mode -Clink-arg=-zmax-page-size=4096",
        rules: "arm",
        loaders: "u-boot,extlinux",
        fixed: &[],
        ships: true,
    },
    Target {
        name: "armv5te",
        triple: "armv5te-unknown-linux-musleabi",
        libc: Libc::Debian("armel"),
        musl: "arm-linux-musleabi",
        linker: LLD,
        cc: ("arm-linux-gnueabi-gcc", "gcc-arm-linux-gnueabi"),
        emulator: ("qemu-arm-static", "qemu-user-static"),
        cpus: &["arm926"],
        flags: "-Clink-arg=-zmax-page-size=4096",
        rules: "arm",
        loaders: "u-boot,extlinux",
        fixed: &[],
        ships: true,
    },
    Target {
        name: "i686",
        triple: "i686-unknown-linux-musl",
        libc: Libc::Debian("i386"),
        musl: "i386-linux-musl",
        linker: LLD,
        cc: ("i686-linux-gnu-gcc", "gcc-i686-linux-gnu"),
        emulator: ("qemu-i386-static", "qemu-user-static"),
        cpus: &[],
        flags: "",
        rules: "i386",
        loaders: "grub,systemd-boot",
        fixed: PROGRAMS,
        ships: true,
    },
    Target {
        name: "riscv64",
        triple: "riscv64gc-unknown-linux-musl",
        libc: Libc::Zig("riscv64-linux-musl"),
        musl: "riscv64-linux-musl",
        linker: YOUNG_LLD,
        cc: ("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu"),
        emulator: ("qemu-riscv64-static", "qemu-user-static"),
        cpus: &[],
        flags: "",
        rules: "aarch64",
        loaders: "u-boot,extlinux,grub",
        fixed: &[],
        ships: true,
    },
    Target {
        name: "s390x",
        triple: "s390x-unknown-linux-musl",
        libc: Libc::Debian("s390x"),
        musl: "s390x-linux-musl",
        linker: YOUNG_LLD,
        cc: ("s390x-linux-gnu-gcc", "gcc-s390x-linux-gnu"),
        emulator: ("qemu-s390x-static", "qemu-user-static"),
        cpus: &[],
        flags: "",
        rules: "delta",
        loaders: "loaders",
        fixed: &[],
        ships: false,
    },
];

/// The boot loaders of the table above, as features of the agent.
pub const LOADERS: [&str; 4] = ["grub", "systemd-boot", "u-boot", "extlinux"];

impl Target {
    /// Whether the agent has a boot loader here.
    pub fn has(&self, loader: &str) -> bool {
        self.loaders.split(',').any(|has| has == loader)
    }

    /// Whether zig builds its C library.
    pub fn needs_zig(&self) -> bool {
        matches!(self.libc, Libc::Zig(_))
    }

    /// Whether its programs run here without one.
    pub fn native(&self) -> bool {
        self.triple.starts_with(&format!("{}-", std::env::consts::ARCH))
    }

    /// A program under the emulator, which is the processor `cpu` or its own choice.
    pub fn run(&self, cpu: Option<&str>, program: &Path) -> Command {
        let mut command = Command::new(self.emulator.0);
        command.args(cpu.iter().flat_map(|cpu| ["-cpu", cpu])).arg(program);
        command
    }
}

/// The target of a name; the error lists the names.
pub fn target(name: &str) -> anyhow::Result<&'static Target> {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        anyhow::anyhow!("target {name:?}: expected one of {}", names.join(" "))
    })
}
