//! What a kernel module says about itself: the section `.modinfo`, `KEY=VALUE` texts that end with NUL.
//!
//! | key | value |
//! |---|---|
//! | `depends` | modules whose symbols it uses, separated by commas |
//! | `softdep` | `pre: NAME... post: NAME...`, loaded before and after it where they exist |
//! | `alias` | another name; `firmware` a file it may ask for |
//!
//! Source: `MODULE_INFO` in Linux' `include/linux/module.h`.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use anyhow::{Context as _, Result, ensure};
use elf::ElfBytes;
use elf::endian::AnyEndian;

/// The keys that decide what is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modinfo {
    /// `depends`.
    pub depends: Vec<String>,
    /// `softdep`, the whole values.
    pub softdeps: Vec<String>,
    /// `alias`.
    pub aliases: Vec<String>,
    /// `firmware`.
    pub firmware: Vec<String>,
}

impl Modinfo {
    /// Reads a module that is not compressed.
    pub fn decode(module: &[u8]) -> Result<Modinfo> {
        let file = ElfBytes::<AnyEndian>::minimal_parse(module).context("expected an ELF file")?;
        let section = file.section_header_by_name(".modinfo").context("sections")?;
        let section = section.context("expected a section .modinfo, got none")?;
        let (bytes, compressed) = file.section_data(&section).context(".modinfo")?;
        ensure!(compressed.is_none(), ".modinfo: expected plain bytes, got a compressed section");
        Ok(Modinfo::parse(bytes))
    }

    fn parse(section: &[u8]) -> Modinfo {
        let mut info = Modinfo::default();
        for text in section.split(|byte| *byte == 0) {
            let Some((key, value)) = std::str::from_utf8(text).ok().and_then(|text| text.split_once('='))
            else {
                continue;
            };
            // these values become lines of a list
            if value.is_empty() || value.contains(char::is_control) {
                continue;
            }
            match key {
                "depends" => {
                    info.depends.extend(value.split(',').filter(|name| !name.is_empty()).map(str::to_owned))
                }
                "softdep" => info.softdeps.push(value.to_owned()),
                "alias" => info.aliases.push(value.to_owned()),
                "firmware" => info.firmware.push(value.to_owned()),
                _ => {}
            }
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_keys_it_knows() {
        let section =
            b"license=GPL\0\0softdep=pre: crc32c\0depends=jbd2,mbcache\0alias=fs-ext4\0alias=ext3\0\
                        firmware=a/b.bin\0firmware=x\ny\0depends=\0";
        let info = Modinfo::parse(section);
        assert_eq!(info.depends, ["jbd2", "mbcache"]);
        assert_eq!(info.softdeps, ["pre: crc32c"]);
        assert_eq!(info.aliases, ["fs-ext4", "ext3"]);
        assert_eq!(info.firmware, ["a/b.bin"]);
        assert!(Modinfo::decode(b"\x7fELF").is_err() && Modinfo::decode(b"").is_err());
    }
}
