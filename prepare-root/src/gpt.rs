//! The PARTUUIDs of a disk with a GUID partition table.
//!
//! ```text
//! sector 1: "EFI PART", at 72 u64 first sector of the entries, at 80 u32 their number, at 84 u32 size of each
//! entry:    type GUID (16), PARTUUID (16: the first three fields little-endian), ...; a type of zeros: unused
//! ```
//! Source: UEFI specification 5.3. The checksums are not looked at: this only finds a device that is asked for.

/// The most entries that are looked at.
const LIMIT: usize = 128;

/// Where the entries are: first byte, size of each, their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entries {
    /// Bytes from the start of the disk.
    pub start: u64,
    /// Bytes of one.
    pub size: usize,
    /// At most 128.
    pub count: usize,
}

/// Reads the header, which is the second sector of a disk.
pub fn header(sector: &[u8], sector_size: u64) -> Option<Entries> {
    let number = |at: usize, length: usize| {
        let bytes = sector.get(at..)?.get(..length)?;
        Some(bytes.iter().rev().fold(0u64, |all, byte| all << 8 | u64::from(*byte)))
    };
    if sector.get(..8)? != b"EFI PART" {
        return None;
    }
    let size = usize::try_from(number(84, 4)?).ok().filter(|size| (128..=4096).contains(size))?;
    let count = usize::try_from(number(80, 4)?).ok()?.min(LIMIT);
    Some(Entries { start: number(72, 8)?.checked_mul(sector_size)?, size, count })
}

/// The number of the partition with a PARTUUID, counted from 1.
pub fn find(entries: &[u8], size: usize, partuuid: &str) -> Option<u32> {
    let place = entries.chunks(size).position(|entry| {
        let used = entry.get(..16).is_some_and(|kind| kind != [0; 16]);
        used && entry.get(16..32).and_then(text).is_some_and(|text| text.eq_ignore_ascii_case(partuuid))
    });
    u32::try_from(place?).ok()?.checked_add(1)
}

fn text(guid: &[u8]) -> Option<String> {
    let mut bytes: [u8; 16] = guid.try_into().ok()?;
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    Some(super::superblock::dashed(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_partition_by_its_uuid() {
        let mut sector = vec![0; 512];
        sector[..8].copy_from_slice(b"EFI PART");
        sector[72] = 2;
        sector[80] = 128;
        sector[84] = 128;
        assert_eq!(header(&sector, 512), Some(Entries { start: 1024, size: 128, count: 128 }));
        assert_eq!(header(&sector, 4096).unwrap().start, 8192);
        sector[83] = 0xff;
        assert_eq!(header(&sector, 512).unwrap().count, 128, "a header that lies is bounded");
        sector[84] = 0;
        assert_eq!((header(&sector, 512), header(&[], 512), header(&[0; 512], 512)), (None, None, None));

        let mut entries = vec![0; 3 * 128];
        entries[2 * 128] = 1;
        entries[2 * 128 + 16..][..16]
            .copy_from_slice(&[4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(find(&entries, 128, "01020304-0506-0708-090A-0b0c0d0e0f10"), Some(3));
        assert_eq!(find(&entries, 128, "00000000-0000-0000-0000-000000000000"), None);
    }
}
