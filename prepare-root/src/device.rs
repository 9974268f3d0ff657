//! The root device, found among the kernel's block devices: there is no udev here.

use crate::cmdline::Wanted;
use crate::error::Error;
use crate::{gpt, mbr, superblock};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

const CLASS: &str = "/sys/class/block";
const PAUSE: Duration = Duration::from_millis(100);

/// Waits for the device; answers its path and the file system on it.
pub fn wait_for(wanted: &Wanted, wait_s: u32) -> Result<(PathBuf, Option<&'static str>), Error> {
    // a look takes time of its own where a device answers late
    let (start, wait) = (Instant::now(), Duration::from_secs(wait_s.into()));
    loop {
        // a node is there before its medium is
        let found = find(wanted).and_then(|path| Some((read(&path, 0, superblock::LOOK)?, path)));
        if let Some((bytes, path)) = found.filter(|(bytes, _)| !bytes.is_empty()) {
            return Ok((path, superblock::decode(&bytes).map(|found| found.kind)));
        }
        if start.elapsed() >= wait {
            return Err(Error::refused(format!("no {wanted:?} after {wait_s} s"), "the root device"));
        }
        sleep(PAUSE);
    }
}

fn find(wanted: &Wanted) -> Option<PathBuf> {
    if let Wanted::Path(path) = wanted {
        return Path::new(path).exists().then(|| path.into());
    }
    let mut names: Vec<String> =
        fs::read_dir(CLASS).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names.iter().find_map(|name| {
        let path = node(name);
        let matches = match wanted {
            Wanted::PartUuid(uuid) => is_partition(&Path::new(CLASS).join(name), uuid)?,
            _ => {
                let found = superblock::decode(&read(&path, 0, superblock::LOOK)?)?;
                match wanted {
                    Wanted::Label(label) => found.label.as_ref() == Some(label),
                    Wanted::Uuid(uuid) => found.uuid.as_ref() == Some(uuid),
                    _ => false,
                }
            }
        };
        matches.then_some(path)
    })
}

/// Whether it is a partition, to which the table of its disk gives this PARTUUID.
fn is_partition(class: &Path, uuid: &str) -> Option<bool> {
    let part = number(&class.join("partition"))?;
    let class = fs::canonicalize(class).ok()?;
    let disk = class.parent()?;
    let sector = number(&disk.join("queue/logical_block_size"))?;
    let path = node(disk.file_name()?.to_str()?);
    let start = read(&path, 0, sector as usize + 512)?;
    let table = gpt::header(start.get(sector as usize..)?, sector.into());
    let named = table
        .and_then(|table| gpt::find(&read(&path, table.start, table.size * table.count)?, table.size, uuid));
    Some(named == Some(part) || mbr::names(&start, part, uuid))
}

/// Where a device of this name in sysfs is: a `/` of its own is a `!` there (the kernel's `device_get_devnode`).
fn node(name: &str) -> PathBuf {
    Path::new("/dev").join(name.replace('!', "/"))
}

/// A number that the kernel says of a device.
fn number(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Some bytes of a device; fewer at its end. To open it does not wait for a medium.
fn read(path: &Path, start: u64, length: usize) -> Option<Vec<u8>> {
    let mut file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut bytes = Vec::with_capacity(length);
    file.take(length as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_in_folders_are_found() {
        assert_eq!(node("cciss!c0d0p1"), Path::new("/dev/cciss/c0d0p1"));
        assert_eq!(node("mmcblk0p2"), Path::new("/dev/mmcblk0p2"));
    }

    #[test]
    fn reads_every_form_of_root() {
        for (text, want) in [
            ("/dev/vda2", Some(Wanted::Path("/dev/vda2".into()))),
            ("LABEL=ROOT", Some(Wanted::Label("ROOT".into()))),
            ("UUID=ABcd", Some(Wanted::Uuid("abcd".into()))),
            ("PARTUUID=ABcd", Some(Wanted::PartUuid("abcd".into()))),
            ("", None),
            ("LABEL=", None),
            ("ROOT", None),
            ("nfs:/x", None),
        ] {
            assert_eq!(Wanted::parse(text).ok(), want, "{text:?}");
        }
    }
}
