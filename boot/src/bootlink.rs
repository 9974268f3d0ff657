//! The `ostree=` kernel argument: which link of the sysroot the initramfs follows to the deployment.
//!
//! ```text
//! ostree=/ostree/boot.N/STATEROOT/BOOTCSUM/SERIAL
//!                 N         bootversion, 0 or 1; the same as the loader directory's
//!                 BOOTCSUM  checksum over kernel, initramfs and device tree, 64 hex digits
//!                 SERIAL    place among the deployments with this BOOTCSUM, counted from 0
//! ```
//! Source: libostree, `ostree/boot.N` of the sysroot layout.
//!
//! `/ostree/links/CHECKSUM.SERIAL` is a link of ours that means the same deployment as long as there is one: for boot
//! files on a partition that is not written again when the list changes. libostree follows any link too.

use crate::error::Error;
use crate::kargs::KernelArgs;
use rootling_object::Checksum;
use std::fmt;

/// Where links are that no list renumbers, below the sysroot.
pub const LINKS: &str = "ostree/links";
/// A shorter name has no serial.
const CHECKSUM_AND_DOT: usize = 65;

/// The path of the link that a list of kernel arguments names, below the sysroot, where there is one.
pub fn link_path(args: &KernelArgs) -> Result<Option<&str>, Error> {
    let Some(value) = args.last("ostree") else { return Ok(None) };
    if !is_lasting(value) {
        BootLink::parse(value)?;
    }
    Ok(value.strip_prefix('/'))
}

fn is_lasting(value: &str) -> bool {
    let name = value.strip_prefix("/ostree/links/").unwrap_or_default();
    name.len() > CHECKSUM_AND_DOT && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'.')
}

/// The parts of an `ostree=` argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootLink {
    /// 0 or 1.
    pub bootversion: u8,
    /// The stateroot whose deployment is meant.
    pub stateroot: String,
    /// Over the kernel, initramfs and device tree.
    pub bootcsum: Checksum,
    /// Among the deployments with the same `bootcsum`.
    pub serial: u32,
}

impl BootLink {
    /// Reads the value of the argument.
    pub fn parse(value: &str) -> Result<BootLink, Error> {
        read(value).ok_or_else(|| Error::Malformed {
            what: "ostree= argument",
            expected: "/ostree/boot.N/STATEROOT/BOOTCSUM/SERIAL",
            got: value.to_string(),
        })
    }

    /// The link of a list of kernel arguments, where it has one.
    pub fn of(args: &KernelArgs) -> Result<Option<BootLink>, Error> {
        args.last("ostree").map(BootLink::parse).transpose()
    }

    /// The link's path below the sysroot, without a leading slash.
    pub fn path(&self) -> String {
        self.to_string().trim_start_matches('/').to_string()
    }
}

fn read(value: &str) -> Option<BootLink> {
    let mut parts = value.strip_prefix("/ostree/boot.")?.split('/');
    let bootversion = match parts.next()? {
        "0" => 0,
        "1" => 1,
        _ => return None,
    };
    let stateroot = parts.next().filter(|s| is_stateroot(s))?.to_string();
    let bootcsum = Checksum::parse_hex(parts.next()?).ok()?;
    let serial = parts.next()?;
    if parts.next().is_some() || !serial.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(BootLink { bootversion, stateroot, bootcsum, serial: serial.parse().ok()? })
}

/// Whether a name may stand as one path element, and in a kernel argument.
pub fn is_stateroot(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && !name.contains(|c: char| c == '/' || c == '"' || c.is_whitespace() || c.is_control())
}

impl fmt::Display for BootLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BootLink { bootversion, stateroot, bootcsum, serial } = self;
        write!(f, "/ostree/boot.{bootversion}/{stateroot}/{bootcsum}/{serial}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "1bd588c9dc39c1e6795eea5fb0fc66221c78907cbfa9e9556bc9a9fbdb906e80";

    #[test]
    fn reads_what_it_writes() {
        let text = format!("/ostree/boot.1/my-os/{SUM}/12");
        let link = BootLink::parse(&text).unwrap();
        assert_eq!((link.bootversion, link.stateroot.as_str(), link.serial), (1, "my-os", 12));
        assert_eq!(link.to_string(), text);
        assert_eq!(link.path(), text[1..]);
        let args = KernelArgs::parse(&format!("quiet ostree={text}"));
        assert_eq!(BootLink::of(&args).unwrap(), Some(link));
        assert_eq!(BootLink::of(&KernelArgs::parse("quiet")).unwrap(), None);
    }

    #[test]
    fn refuses_other_paths() {
        for text in [
            String::new(),
            format!("/ostree/boot.2/os/{SUM}/0"),
            format!("/ostree/boot.0/../{SUM}/0"),
            format!("/ostree/boot.0//{SUM}/0"),
            format!("/ostree/boot.0/os/{SUM}/0/x"),
            format!("/ostree/boot.0/os/{SUM}/+1"),
            format!("/ostree/boot.0/os/{SUM}/"),
            "/ostree/boot.0/os/abc/0".into(),
            format!("ostree/boot.0/os/{SUM}/0"),
        ] {
            assert!(matches!(BootLink::parse(&text), Err(Error::Malformed { .. })), "{text}");
        }
    }
}
