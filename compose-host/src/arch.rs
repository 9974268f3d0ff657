//! RPM architectures.

use anyhow::{Result, bail};

/// The base architecture and what may be installed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arch {
    /// `$basearch`, as repositories and manifests name it.
    pub base: &'static str,
    /// `$arch`.
    pub arch: &'static str,
    /// Architectures of packages, `noarch` included.
    pub packages: &'static [&'static str],
}

const ALL: [Arch; 6] = [
    Arch { base: "x86_64", arch: "x86_64", packages: &["x86_64", "noarch"] },
    Arch { base: "aarch64", arch: "aarch64", packages: &["aarch64", "noarch"] },
    Arch { base: "armhfp", arch: "armv7hl", packages: &["armv7hl", "armv7hnl", "armhfp", "noarch"] },
    Arch { base: "riscv64", arch: "riscv64", packages: &["riscv64", "noarch"] },
    Arch { base: "ppc64le", arch: "ppc64le", packages: &["ppc64le", "noarch"] },
    Arch { base: "s390x", arch: "s390x", packages: &["s390x", "noarch"] },
];

impl Arch {
    /// The architecture this program runs on.
    pub fn host() -> Result<Arch> {
        let base = match std::env::consts::ARCH {
            "arm" => "armhfp",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Arch::named(base)
    }

    /// The architecture of a name, `$basearch` or `$arch`; `armv7` is what the device programs call it.
    pub fn named(base: &str) -> Result<Arch> {
        let base = if base == "armv7" { "armhfp" } else { base };
        match ALL.iter().find(|arch| arch.base == base || arch.arch == base) {
            Some(arch) => Ok(*arch),
            None => {
                let known: Vec<_> = ALL.iter().map(|arch| arch.base).collect();
                bail!("architecture {base:?}: expected one of {}", known.join(", "))
            }
        }
    }
}
