//! The machines a device program is built for.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// As people call it, and as in `size-budget.toml`.
    pub name: &'static str,
    /// As rustc calls it.
    pub triple: &'static str,
    /// Debian's architecture, whose `musl-dev` is linked.
    pub debian: &'static str,
    /// The folder of musl below `usr/lib` and `usr/include`.
    pub musl: &'static str,
    /// The C compiler, for ring.
    pub cc: (&'static str, &'static str),
    /// Runs its programs on another machine: program and package.
    pub emulator: (&'static str, &'static str),
    /// Flags that only this one has.
    pub flags: &'static str,
}

/// All of them. armv5te serves ARMv6 as well; riscv64gc has no musl in Debian 12 and needs zig.
pub const TARGETS: &[Target] = &[
    Target {
        name: "x86_64",
        triple: "x86_64-unknown-linux-musl",
        debian: "amd64",
        musl: "x86_64-linux-musl",
        cc: ("gcc", "gcc"),
        emulator: ("qemu-x86_64-static", "qemu-user-static"),
        flags: "-Clink-arg=-zmax-page-size=4096",
    },
    Target {
        name: "aarch64",
        triple: "aarch64-unknown-linux-musl",
        debian: "arm64",
        musl: "aarch64-linux-musl",
        cc: ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
        emulator: ("qemu-aarch64-static", "qemu-user-static"),
        flags: "",
    },
    Target {
        name: "armv7",
        triple: "armv7-unknown-linux-musleabihf",
        debian: "armhf",
        musl: "arm-linux-musleabihf",
        cc: ("arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf"),
        emulator: ("qemu-arm-static", "qemu-user-static"),
        // its pages have 4 KiB on every kernel; lld pads for 64
        flags: "-Ctarget-feature=+thumb-mode -Clink-arg=-zmax-page-size=4096",
    },
    Target {
        name: "armv5te",
        triple: "armv5te-unknown-linux-musleabi",
        debian: "armel",
        musl: "arm-linux-musleabi",
        cc: ("arm-linux-gnueabi-gcc", "gcc-arm-linux-gnueabi"),
        emulator: ("qemu-arm-static", "qemu-user-static"),
        flags: "-Clink-arg=-zmax-page-size=4096",
    },
    Target {
        name: "i686",
        triple: "i686-unknown-linux-musl",
        debian: "i386",
        musl: "i386-linux-musl",
        cc: ("i686-linux-gnu-gcc", "gcc-i686-linux-gnu"),
        emulator: ("qemu-i386-static", "qemu-user-static"),
        flags: "",
    },
];

/// The target of a name; the error lists the names.
pub fn target(name: &str) -> anyhow::Result<&'static Target> {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        anyhow::anyhow!("target {name:?}: expected one of {}", names.join(" "))
    })
}
