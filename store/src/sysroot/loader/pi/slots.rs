//! What the firmware, the kernel and the two partitions say.

use super::super::detect::CHOSEN;
use super::super::refuse;
use super::{FIRMWARE, SLOTS};
use crate::error::{Error, Result};
use rootling_boot::pi::{self, Autoboot, Booted, CONFIG, Slot, Slots};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Where the kernel says what is mounted.
const MOUNTS: &str = "proc/self/mountinfo";

/// Both slots, as they are mounted.
pub(super) fn read(sysroot: &Path) -> Result<Slots> {
    let path = sysroot.join(FIRMWARE).join(pi::PATH);
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let mounts = sysroot.join(MOUNTS);
    let mounts = fs::read_to_string(&mounts).map_err(Error::io("read", &mounts))?;
    let mut mounted = Vec::new();
    for place in SLOTS.into_iter().chain([FIRMWARE]) {
        if let Some(number) = number(sysroot, &mounts, place)? {
            let config = sysroot.join(place).join(CONFIG);
            let config = match fs::read(&config) {
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                bytes => Some(String::from_utf8_lossy(&bytes.map_err(Error::io("read", &config))?).into()),
            };
            mounted.push(Slot { number, place: place.into(), config });
        }
    }
    let at = |error| Error::refused(format_args!("{}: {error}", path.display()));
    Slots::find(Autoboot::parse(&text).map_err(at)?, mounted).map_err(at)
}

/// The number of the partition that is mounted at a place: a folder where none is must not be taken for one.
fn number(sysroot: &Path, mounts: &str, place: &str) -> Result<Option<u32>> {
    let mut here = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(2);
        let device = words.next()?;
        (words.nth(1)?.strip_prefix('/') == Some(place)).then_some(device)
    });
    let Some(device) = here.next_back() else { return Ok(None) };
    let path = sysroot.join(format!("sys/dev/block/{device}/partition"));
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let wrong = |_| Error::refused(format_args!("{}: expected a number, got {text:?}", path.display()));
    text.trim().parse().map(Some).map_err(wrong)
}

/// What the firmware says about this boot.
pub(super) fn booted(sysroot: &Path) -> Result<Booted> {
    let property = |name: &str| {
        let path = sysroot.join(CHOSEN).join(name);
        fs::read(&path).map_err(Error::io("read", &path))
    };
    Booted::decode(&property("partition")?, &property("tryboot")?).map_err(refuse)
}

/// The kernel's id of this boot.
pub(super) fn boot_id(sysroot: &Path) -> String {
    let id = fs::read_to_string(sysroot.join("proc/sys/kernel/random/boot_id")).unwrap_or_default();
    id.trim().to_string()
}

/// Bytes of all files below a folder, or none.
pub(super) fn size(path: &Path) -> Result<u64> {
    let mut total = 0u64;
    for (_, path) in crate::fs::list(path)? {
        let metadata = fs::symlink_metadata(&path).map_err(Error::io("stat", &path))?;
        let more = if metadata.is_dir() { size(&path)? } else { metadata.len() };
        total = total.saturating_add(more);
    }
    Ok(total)
}
