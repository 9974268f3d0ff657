//! `/etc/fw_env.config`: where U-Boot's environment lies.
//!
//! ```text
//! # device      offset    size   [sector size  [sectors  [disable lock]]]
//! /dev/mtd1     0x0000  0x4000         0x4000
//! /dev/mtd2     0x0000  0x4000         0x4000            a second line: two copies
//! /boot/uboot.env    0  0x4000                           a plain file
//! ```
//! Numbers are decimal, or hexadecimal after `0x`; a negative offset counts from the end of the device. Source: the
//! U-Boot tools and libubootenv; its YAML form is refused by name.

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

/// One copy of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// A device, a UBI volume or a file.
    pub device: String,
    /// Where it begins.
    pub start: Start,
    /// Its length in bytes.
    pub size: usize,
    /// Bytes that flash erases at once, where the line says so.
    pub sector_size: Option<u64>,
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
                if second.as_ref().is_some_and(|second| overlap(&first, second)) {
                    return Err(Error::malformed(WHAT, "two copies that do not overlap", text));
                }
                Ok(EnvConfig { first, second })
            }
            (None, ..) => Err(Error::malformed(WHAT, "a line of DEVICE OFFSET SIZE", "none")),
            (Some(_), ..) => Err(Error::malformed(WHAT, "two lines at most", "more")),
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
        Some(back) => Start::FromEnd(number(back).ok_or_else(|| bad("an offset"))?),
        None => Start::FromStart(number(offset).ok_or_else(|| bad("an offset"))?),
    };
    let size = number(size).filter(|size| (16..=LIMIT).contains(size));
    let size =
        size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| bad("a size of 16 bytes to 1 MiB"))?;
    let mut more = [None; 3];
    for place in &mut more {
        *place =
            words.next().map(|word| number(word).ok_or_else(|| bad("numbers after the size"))).transpose()?;
    }
    if words.next().is_some() {
        return Err(bad("six words at most"));
    }
    Ok(Area { device: device.into(), start, size, sector_size: more.first().copied().flatten() })
}

fn overlap(a: &Area, b: &Area) -> bool {
    let (Start::FromStart(at_a) | Start::FromEnd(at_a), Start::FromStart(at_b) | Start::FromEnd(at_b)) =
        (a.start, b.start);
    let comparable = matches!(
        (a.start, b.start),
        (Start::FromStart(_), Start::FromStart(_)) | (Start::FromEnd(_), Start::FromEnd(_))
    );
    a.device == b.device && comparable && at_a.abs_diff(at_b) < u64::try_from(a.size).unwrap_or(u64::MAX)
}

fn number(text: &str) -> Option<u64> {
    let digits = |text: &str, radix: u32| text.chars().all(|c| c.is_digit(radix));
    match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(hex) if digits(hex, 16) => u64::from_str_radix(hex, 16).ok(),
        None if digits(text, 10) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_form() {
        let config =
            EnvConfig::parse("# c\n\n/dev/mtd1\t0x0 0x4000 0x10000\n /dev/mtd2 0 16384 65536 2 1\n").unwrap();
        let area = |device: &str| Area {
            device: device.into(),
            start: Start::FromStart(0),
            size: 16384,
            sector_size: Some(65536),
        };
        assert_eq!(config, EnvConfig { first: area("/dev/mtd1"), second: Some(area("/dev/mtd2")) });
        let config = EnvConfig::parse("/dev/mmcblk0 -0x20000 0x2000\n").unwrap();
        assert_eq!((config.first.start, config.first.sector_size), (Start::FromEnd(0x20000), None));
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
            ("/dev/x 0 64 z\n", "numbers after"),
            ("/dev/x 0 64 1 1 1 1\n", "six words"),
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
}
