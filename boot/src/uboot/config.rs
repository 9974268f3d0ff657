//! `/etc/fw_env.config`: where U-Boot's environment lies.
//!
//! ```text
//! # device      offset    size   [sector size  [sectors  [disable lock]]]
//! /dev/mtd1     0x0000  0x4000         0x4000
//! /dev/mtd2     0x0000  0x4000         0x4000            a second line: two copies
//! /boot/uboot.env    0  0x4000                           a plain file
//! ```
//! A size is hexadecimal, with `0x` or without. An offset is decimal, hexadecimal after `0x`, octal after `0`; a negative
//! one counts from the end of the device. What follows the size is not needed and not read. Source: the `%ms %lli %lx` of
//! U-Boot 2023.01 `tools/env/fw_env.c` and libubootenv 0.3.2, whose YAML form is refused by name.

use crate::Result;
use crate::error::Error;

const WHAT: &str = "fw_env.config";
const LIMIT: u64 = 1 << 20;

/// Where an area begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Bytes from the start of the device or file.
    FromStart(u64),
    /// Bytes back from the end of the device.
    FromEnd(u64),
}

impl Start {
    /// The first byte on a device of this length.
    pub fn on(self, length: u64) -> u64 {
        match self {
            Start::FromStart(at) => at,
            Start::FromEnd(back) => length.saturating_sub(back),
        }
    }
}

/// One copy of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// A device, a UBI volume or a file.
    pub device: String,
    /// Where it begins.
    pub start: Start,
    /// Its length in bytes.
    pub size: usize,
}

/// One copy, or two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvConfig {
    /// The only copy, or the first.
    pub first: Area,
    /// The second, where there are two.
    pub second: Option<Area>,
}

impl EnvConfig {
    /// Reads the file.
    pub fn parse(text: &str) -> Result<EnvConfig> {
        let mut areas = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if line.ends_with(':') {
                return Err(Error::malformed(
                    WHAT,
                    "lines of DEVICE OFFSET SIZE (the YAML form is not read)",
                    line,
                ));
            }
            areas.push(area(line)?);
        }
        let mut areas = areas.into_iter();
        match (areas.next(), areas.next(), areas.next()) {
            (Some(first), second, None) => {
                if second.as_ref().is_some_and(|second| second.size != first.size) {
                    return Err(Error::malformed(WHAT, "two copies of one size", text));
                }
                let config = EnvConfig { first, second };
                // those that begin from the same end do on a device of any length
                config.check(u64::MAX).map(|()| config)
            }
            (None, ..) => Err(Error::malformed(WHAT, "a line of DEVICE OFFSET SIZE", "none")),
            (Some(_), ..) => Err(Error::malformed(WHAT, "two lines at most", "more")),
        }
    }

    /// Refuses two copies that overlap on a device of this length.
    pub fn check(&self, length: u64) -> Result<()> {
        let Some(second) = self.second.as_ref().filter(|second| second.device == self.first.device) else {
            return Ok(());
        };
        let apart = self.first.start.on(length).abs_diff(second.start.on(length));
        match u64::try_from(second.size).is_ok_and(|size| apart >= size) {
            true => Ok(()),
            false => Err(Error::malformed(WHAT, "two copies that do not overlap", second.device.clone())),
        }
    }
}

fn area(line: &str) -> Result<Area> {
    let bad = |expected| Error::malformed(WHAT, expected, line);
    let mut words = line.split_whitespace();
    let (Some(device), Some(offset), Some(size)) = (words.next(), words.next(), words.next()) else {
        return Err(bad("DEVICE OFFSET SIZE"));
    };
    let start = match offset.strip_prefix('-') {
        Some(back) => Start::FromEnd(number(back, None).ok_or_else(|| bad("an offset"))?),
        None => Start::FromStart(number(offset, None).ok_or_else(|| bad("an offset"))?),
    };
    let size = number(size, Some(16)).filter(|size| (16..=LIMIT).contains(size));
    let size =
        size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| bad("a size of 16 bytes to 1 MiB"))?;
    Ok(Area { device: device.into(), start, size })
}

/// A number to a base, or to that which its first characters say.
fn number(text: &str, base: Option<u32>) -> Option<u64> {
    let (digits, base) = match (text.strip_prefix("0x").or(text.strip_prefix("0X")), base) {
        (Some(digits), _) => (digits, 16),
        (None, Some(base)) => (text, base),
        (None, None) => (text, if text.starts_with('0') { 8 } else { 10 }),
    };
    let plain = digits.chars().all(|c| c.is_digit(base));
    u64::from_str_radix(digits, base).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_form() {
        let config =
            EnvConfig::parse("# c\n\n/dev/mtd1\t0x0 0x4000 0x10000\n /dev/mtd2 0 4000 x # y\n").unwrap();
        let area = |device: &str| Area { device: device.into(), start: Start::FromStart(0), size: 16384 };
        assert_eq!(config, EnvConfig { first: area("/dev/mtd1"), second: Some(area("/dev/mtd2")) });
        let config = EnvConfig::parse("/dev/mmcblk0 -0x20000 0x2000\n").unwrap();
        assert_eq!(config.first.start, Start::FromEnd(0x20000));
        let config = EnvConfig::parse("/dev/x -040 16384\n").unwrap();
        assert_eq!((config.first.start, config.first.size), (Start::FromEnd(32), 0x16384));
        assert!(EnvConfig::parse("/dev/mmcblk0 0x2000 0x2000\n/dev/mmcblk0 0x4000 0x2000").is_ok());
    }

    #[test]
    fn refuses_what_it_cannot_mean() {
        for (text, reason) in [
            ("", "a line of"),
            ("# only\n", "a line of"),
            ("/dev/x 0\n", "DEVICE OFFSET SIZE"),
            ("/dev/x y 0x4000\n", "an offset"),
            ("/dev/x --1 0x4000\n", "an offset"),
            ("/dev/x 0 0\n", "a size of"),
            ("/dev/x 0 0x100001\n", "a size of"),
            ("/dev/x 0 99999999999999999999\n", "a size of"),
            ("/dev/x 0 0x\n", "a size of"),
            ("/dev/x 0 +16\n", "a size of"),
            ("/dev/x 08 64\n", "an offset"),
            ("/dev/x 0 64z\n", "a size of"),
            ("/dev/x 0 64\n/dev/y 0 64\n/dev/z 0 64\n", "two lines"),
            ("/dev/x 0 64\n/dev/y 0 128\n", "one size"),
            ("/dev/x 0 64\n/dev/x 32 64\n", "do not overlap"),
            ("/dev/x -64 64\n/dev/x -32 64\n", "do not overlap"),
            ("uboot:\n  size: 0x4000\n", "YAML"),
        ] {
            let error = EnvConfig::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_length_of_a_device_says_whether_copies_overlap() {
        let config = EnvConfig::parse("/dev/x 0x10 40\n/dev/x -0x40 40\n").unwrap();
        for (length, fits) in [(0x90, true), (0x8f, false), (0x10, false), (u64::MAX, true)] {
            assert_eq!(config.check(length).is_ok(), fits, "{length:#x}");
        }
        assert!(EnvConfig::parse("/dev/x 0 40\n/dev/y 0 40\n").unwrap().check(0x40).is_ok());
    }
}
