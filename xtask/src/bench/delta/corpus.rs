//! What is compared: which packages, which of their files, and what issue 4 asks of the result.

/// One pair of trees.
#[derive(Debug)]
pub struct Corpus {
    /// As on the command line and in folder names.
    pub name: &'static str,
    /// As in tables.
    pub title: &'static str,
    /// Debian's architecture.
    pub arch: &'static str,
    /// Where the files come from.
    pub content: Content<'static>,
    /// Bytes as a ratio to `ostree static-delta generate`: above it the benchmark fails.
    pub must: Option<f64>,
    /// What is hoped for.
    pub aim: f64,
}

/// Which files of which packages.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// All files of these packages but documentation and translations, lowest and highest version.
    Packages(&'a [&'a str]),
    /// Single files: package and path, lowest and highest version.
    Files(&'a [(&'a str, &'a str)]),
    /// The modules of one step of the kernel, with the kernel itself or without.
    Kernel {
        /// `cloud-amd64`.
        flavour: &'a str,
        /// Whether the Image comes along.
        image: bool,
    },
}

/// The ABI numbers of the kernel step for which the bounds were set; where the archive has them no longer, the last two.
pub const KERNELS: [u32; 2] = [53, 54];
/// The kernel's version before its ABI number.
pub const KERNEL: &str = "6.1.0";

const USERLAND: &[&str] = &[
    "curl",
    "libc-bin",
    "libc6",
    "libcurl4",
    "libexpat1",
    "libglib2.0-0",
    "libssl3",
    "libsystemd0",
    "libudev1",
    "libxml2",
    "openssh-client",
    "openssh-server",
    "openssl",
    "sudo",
    "systemd",
    "tzdata",
    "udev",
];

/// All of them, in the order of issue 4.
pub const ALL: &[Corpus] = &[
    Corpus {
        name: "amd64",
        title: "amd64 userland",
        arch: "amd64",
        content: Content::Packages(USERLAND),
        must: Some(0.21),
        aim: 0.14,
    },
    Corpus {
        name: "arm64",
        title: "arm64 userland",
        arch: "arm64",
        content: Content::Packages(USERLAND),
        must: Some(0.43),
        aim: 0.22,
    },
    Corpus {
        name: "armhf",
        title: "armhf userland",
        arch: "armhf",
        content: Content::Packages(USERLAND),
        must: None,
        aim: 0.30,
    },
    Corpus {
        name: "modules",
        title: "amd64 kernel modules",
        arch: "amd64",
        content: Content::Kernel { flavour: "cloud-amd64", image: false },
        must: Some(0.70),
        aim: 0.50,
    },
    Corpus {
        name: "kernel",
        title: "arm64 Image and modules",
        arch: "arm64",
        content: Content::Kernel { flavour: "cloud-arm64", image: true },
        must: Some(0.60),
        aim: 0.40,
    },
    Corpus {
        name: "programs",
        title: "three large programs",
        arch: "amd64",
        content: Content::Files(&[
            ("libnode108", "usr/lib/x86_64-linux-gnu/libnode.so.108"),
            ("qemu-system-x86", "usr/bin/qemu-system-x86_64"),
            ("containerd", "usr/bin/containerd-shim"),
        ]),
        must: Some(0.05),
        aim: 0.025,
    },
];
