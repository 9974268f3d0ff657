//! `autoboot.txt`: which partition the firmware boots.
//!
//! ```text
//! [all]
//! tryboot_a_b=1
//! boot_partition=2
//! [tryboot]
//! boot_partition=3
//! ```
//! A `[filter]` holds for the lines up to the next; `[all]` and the start of the file for every boot, `[tryboot]`
//! for a boot with the one-shot flag, `[none]` for none. The firmware reads 512 bytes. Source: Raspberry Pi
//! documentation of autoboot.txt. Lines that a change does not concern are kept.

use crate::Result;
use crate::error::Error;
use std::fmt;

/// What the firmware reads of the file.
pub const MAX_SIZE: usize = 512;

const WHAT: &str = "autoboot.txt";

/// The lines of the file, each with its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Autoboot {
    lines: Vec<String>,
}

impl Autoboot {
    /// A file with two partitions, the one that boots and the one that is tried.
    pub fn new(boot: u32, tried: u32) -> Autoboot {
        let text =
            format!("[all]\ntryboot_a_b=1\nboot_partition={boot}\n[tryboot]\nboot_partition={tried}\n");
        Autoboot { lines: text.split_inclusive('\n').map(String::from).collect() }
    }

    /// Reads the file.
    pub fn parse(text: &str) -> Result<Autoboot> {
        if text.len() > MAX_SIZE {
            return Err(Error::NoRoom { what: WHAT, limit: MAX_SIZE, needs: text.len() });
        }
        Ok(Autoboot { lines: text.split_inclusive('\n').map(String::from).collect() })
    }

    /// The file; what is longer than the firmware reads is refused.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let bytes = self.to_string().into_bytes();
        match bytes.len() > MAX_SIZE {
            true => Err(Error::NoRoom { what: WHAT, limit: MAX_SIZE, needs: bytes.len() }),
            false => Ok(bytes),
        }
    }

    /// What a setting comes to for a boot with or without the one-shot flag: the last line that holds.
    pub fn get(&self, tryboot: bool, key: &str) -> Option<&str> {
        self.holding(tryboot).filter_map(|(_, line)| value_of(line, key)).last()
    }

    /// The partition of a boot with or without the one-shot flag.
    pub fn partition(&self, tryboot: bool) -> Result<u32> {
        let text = self.get(tryboot, "boot_partition").unwrap_or_default();
        text.parse().map_err(|_| Error::malformed(WHAT, "boot_partition=NUMBER for this boot", text))
    }

    /// Whether a boot with the one-shot flag takes another partition at all.
    pub fn is_a_b(&self) -> bool {
        self.get(false, "tryboot_a_b") == Some("1")
    }

    /// The file with these two partitions; all else stays.
    ///
    /// Numbers of as many digits as before leave every other byte where it is.
    pub fn assign(&self, boot: u32, tried: u32) -> Result<Autoboot> {
        // a file that was cut off is refused, not completed
        self.partition(false).and(self.partition(true))?;
        let mut assigned = self.clone();
        for (tryboot, value) in [(true, tried), (false, boot)] {
            let at =
                self.holding(tryboot).filter(|(_, line)| value_of(line, "boot_partition").is_some()).last();
            if let Some(line) = at.and_then(|(at, _)| assigned.lines.get_mut(at)) {
                let end = line.get(line.trim_end().len()..).unwrap_or_default();
                *line = format!("boot_partition={value}{end}");
            }
        }
        match (assigned.partition(false), assigned.partition(true)) == (Ok(boot), Ok(tried)) {
            true => Ok(assigned),
            false => Err(Error::malformed(
                WHAT,
                "one boot_partition for [all], one for [tryboot]",
                self.to_string(),
            )),
        }
    }

    /// Lines whose filter holds, with their places.
    fn holding(&self, tryboot: bool) -> impl Iterator<Item = (usize, &String)> {
        let mut holds = true;
        self.lines.iter().enumerate().filter(move |(_, line)| {
            match line.trim() {
                "[all]" => holds = true,
                "[tryboot]" => holds = tryboot,
                filter if filter.starts_with('[') => holds = false,
                _ => return holds,
            }
            false
        })
    }
}

fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    Some(line.trim().strip_prefix(key)?.strip_prefix('=')?.trim())
}

impl fmt::Display for Autoboot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| f.write_str(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_filters_as_the_firmware_does() {
        for (text, boot, tried) in [
            ("[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n", Some(2), Some(3)),
            ("boot_partition=2\r\n[tryboot]\r\nboot_partition=3\r\n", Some(2), Some(3)),
            ("[tryboot]\nboot_partition=3\n[all]\nboot_partition=2\n", Some(2), Some(2)),
            ("[none]\nboot_partition=9\n[tryboot]\nboot_partition=3\n", None, Some(3)),
            ("boot_partition=x\n", None, None),
            ("[pi4]\nboot_partition=2\n", None, None),
            ("# boot_partition=1\n boot_partition=2 \n", Some(2), Some(2)),
        ] {
            let autoboot = Autoboot::parse(text).unwrap();
            assert_eq!(
                (autoboot.partition(false).ok(), autoboot.partition(true).ok()),
                (boot, tried),
                "{text:?}"
            );
        }
    }

    #[test]
    fn assigns_two_numbers_and_keeps_the_rest() {
        let text =
            "# mine\n[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n[none]\nx=1\n";
        let autoboot = Autoboot::parse(text).unwrap();
        let swapped = autoboot.assign(3, 2).unwrap();
        assert_eq!(swapped.to_string(), text.replace("=2", "=X").replace("=3", "=2").replace("=X", "=3"));
        assert_eq!(swapped.assign(2, 3).unwrap(), autoboot);
        let foreign = Autoboot::parse(&text.replace('\n', "\r\n")).unwrap();
        assert_eq!(foreign.assign(3, 2).unwrap().to_string(), swapped.to_string().replace('\n', "\r\n"));
        for bad in ["", "boot_partition=2\n", "[tryboot]\nboot_partition=3\n[all]\nboot_partition=2\n"] {
            assert!(
                Autoboot::parse(bad)
                    .unwrap()
                    .assign(3, 2)
                    .is_err_and(|e| e.to_string().contains("boot_partition")),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn keeps_to_what_the_firmware_reads() {
        let long = format!("#{}\n", "x".repeat(511));
        assert!(matches!(Autoboot::parse(&long), Err(Error::NoRoom { .. })));
        let full = Autoboot::parse(&long[1..]).unwrap();
        assert_eq!(full.encode().unwrap().len(), 512);
    }
}
