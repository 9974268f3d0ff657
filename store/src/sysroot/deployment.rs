//! One deployment: a stateroot, a commit and a serial, with its boot entry and its origin.

use super::origin::Origin;
use rootling_boot::{Entry, EntryName, KernelArgs};
use rootling_object::Checksum;

/// A deployment that a boot entry refers to, or that is about to get one.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// The stateroot it belongs to.
    pub stateroot: String,
    /// Its commit.
    pub checksum: Checksum,
    /// Tells deployments of the same commit apart.
    pub serial: u32,
    /// Over its kernel, initramfs and device trees.
    pub bootcsum: Checksum,
    /// Its boot entry.
    pub entry: Entry,
    /// The entry's name on disk.
    pub entry_name: Option<EntryName>,
    /// Where it came from.
    pub origin: Origin,
}

impl Deployment {
    /// The name of its folder: `CHECKSUM.SERIAL`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.checksum, self.serial)
    }

    /// Its folder, relative to the sysroot.
    pub fn path(&self) -> String {
        format!("ostree/deploy/{}/deploy/{}", self.stateroot, self.name())
    }

    /// Its origin file, relative to the sysroot.
    pub fn origin_path(&self) -> String {
        format!("{}.origin", self.path())
    }

    /// Whether cleaning up leaves it alone.
    pub fn is_pinned(&self) -> bool {
        self.origin.is_pinned()
    }

    /// Its kernel arguments, without `ostree=`.
    pub fn kernel_args(&self) -> KernelArgs {
        KernelArgs::parse(self.entry.get("options").unwrap_or_default()).without_boot_args()
    }

    /// Whether both are the same folder.
    pub fn is(&self, other: &Deployment) -> bool {
        self.stateroot == other.stateroot && self.checksum == other.checksum && self.serial == other.serial
    }
}

/// Reads the name of a deployment's folder.
pub(super) fn parse_name(name: &str) -> Option<(Checksum, u32)> {
    let (checksum, serial) = name.split_once('.')?;
    let digits = serial.bytes().all(|b| b.is_ascii_digit());
    let serial = serial.parse().ok().filter(|_| digits)?;
    Some((Checksum::parse_hex(checksum).ok()?, serial))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_checksum_and_a_serial() {
        let sum = "43c0232cb1193de5accccb48bd728403801c0b614047a5851a8d06da6b24d675";
        assert_eq!(parse_name(&format!("{sum}.12")), Some((Checksum::parse_hex(sum).unwrap(), 12)));
        for bad in
            [sum.to_string(), format!("{sum}."), format!("{sum}.+1"), format!("{sum}.0.origin"), "x.0".into()]
        {
            assert_eq!(parse_name(&bad), None, "{bad}");
        }
    }
}
