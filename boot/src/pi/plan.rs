//! The plans of a Raspberry Pi: one try by the one-shot flag of its firmware.
//!
//! ```text
//! arm        the files on the partition of [tryboot], sync; then reboot(RESTART2, "0 tryboot")
//! boot       the firmware clears the flag, then starts; a crash or a cut boots [all] again
//! confirm    autoboot.txt with the two numbers swapped, by rename
//! fall back  nothing to write: the next plain reboot does it
//! ```

use super::autoboot::Autoboot;
use crate::Result;
use crate::error::Error;
use crate::loader::{Change, Counting, Promises, Trial};

/// Where the file is, on the first FAT partition.
pub const PATH: &str = "autoboot.txt";

/// What the reboot system call says for a try.
pub const REBOOT_ARGUMENT: &str = "0 tryboot";

/// What tryboot promises.
pub const PROMISES: Promises = Promises {
    loader: "raspberry pi (tryboot)",
    counting: Counting::Once,
    torn: None,
    note: Some(
        "a plain reboot or a power cut before the try boots the confirmed system; a Pi 4 needs an EEPROM of 2023 or later",
    ),
};

/// What the firmware says about this boot, in the device tree below `/chosen/bootloader`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booted {
    /// `partition`.
    pub partition: u32,
    /// `tryboot`.
    pub tryboot: bool,
}

impl Booted {
    /// Reads the two properties: four bytes each, big-endian.
    pub fn decode(partition: &[u8], tryboot: &[u8]) -> Result<Booted> {
        let number = |bytes: &[u8]| -> Result<u32> {
            let four = bytes.try_into();
            let four = four.map_err(|_| {
                Error::malformed("device tree number", "4 bytes", format!("{} bytes", bytes.len()))
            })?;
            Ok(u32::from_be_bytes(four))
        };
        Ok(Booted { partition: number(partition)?, tryboot: number(tryboot)? != 0 })
    }
}

/// Puts the partition of `[tryboot]` to one try; `prepared` writes its files, and answers to which partition.
pub fn arm(autoboot: &Autoboot, partition: u32, prepared: Change) -> Result<Change> {
    let (boot, tried) = (autoboot.partition(false)?, autoboot.partition(true)?);
    if !autoboot.is_a_b() {
        return Err(Error::malformed("autoboot.txt", "tryboot_a_b=1", autoboot.to_string()));
    }
    if tried != partition || boot == partition {
        let got = format!("boot {boot}, tryboot {tried}, new system on {partition}");
        return Err(Error::malformed("autoboot.txt", "the new system's partition for [tryboot] alone", got));
    }
    let mut change = prepared;
    change.sync();
    change.reboot_argument = Some(REBOOT_ARGUMENT);
    Ok(change)
}

/// Makes the partition that was tried the one that boots; `folder` is where the first partition is mounted.
pub fn confirm(autoboot: &Autoboot, booted: Booted, folder: &str) -> Result<Change> {
    let mut change = Change::default();
    if autoboot.partition(false)? == booted.partition {
        return Ok(change);
    }
    if autoboot.partition(true)? != booted.partition {
        let got = format!("booted from {}", booted.partition);
        return Err(Error::malformed("autoboot.txt", "the booted partition for [tryboot]", got));
    }
    change.replace(&format!("{folder}/{PATH}"), autoboot.swapped()?.encode()?);
    Ok(change)
}

/// Has the next boot be the confirmed one, which it is without the flag.
pub fn fall_back() -> Change {
    Change::default()
}

/// How it stands with the partition of `[tryboot]`: the flag shows only while it is tried.
pub fn trial(autoboot: &Autoboot, booted: Booted) -> Result<Trial> {
    Ok(match (booted.tryboot, autoboot.partition(false)? == booted.partition) {
        (_, true) => Trial::Spent,
        (true, false) => Trial::Left(0),
        (false, false) => Trial::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_device_tree() {
        let booted = Booted::decode(&[0, 0, 0, 3], &[0, 0, 0, 1]).unwrap();
        assert_eq!(booted, Booted { partition: 3, tryboot: true });
        assert!(Booted::decode(&[3], &[0, 0, 0, 1]).is_err() && Booted::decode(&[0, 0, 0, 3], &[]).is_err());
    }

    #[test]
    fn arms_only_what_the_firmware_would_try() {
        let autoboot = Autoboot::new(2, 3);
        let change = arm(&autoboot, 3, Change::default()).unwrap();
        assert_eq!(change.reboot_argument, Some("0 tryboot"));
        assert!(
            arm(&autoboot, 2, Change::default()).is_err() && arm(&autoboot, 4, Change::default()).is_err()
        );
        let plain = Autoboot::parse("boot_partition=2\n[tryboot]\nboot_partition=3\n").unwrap();
        assert!(arm(&plain, 3, Change::default()).unwrap_err().to_string().contains("tryboot_a_b=1"));
        assert!(confirm(&autoboot, Booted { partition: 5, tryboot: false }, "efi").is_err());
        assert_eq!(confirm(&autoboot, Booted { partition: 2, tryboot: false }, "efi").unwrap().steps, []);
    }
}
