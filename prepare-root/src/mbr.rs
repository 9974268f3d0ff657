//! The PARTUUIDs of a disk with an MBR: `SIGNATURE-NUMBER`, 8 and 2 hex digits, as the kernel and blkid print them.
//!
//! ```text
//! sector 0: at 440 u32 little-endian, the disk's signature; at 450 the first partition's type, ee beside a GPT; at 510 55 aa
//! ```
//! Source: Linux, `block/partitions/msdos.c`. The number is the kernel's own, so logical partitions have theirs from 5.

/// The number in a PARTUUID, where its signature is that of the disk that starts with these bytes.
pub fn find(start: &[u8], partuuid: &str) -> Option<u32> {
    let (signature, number) = partuuid.split_once('-')?;
    let found = u32::from_le_bytes(start.get(440..444)?.try_into().ok()?);
    let is_mbr = start.get(510..512)? == [0x55, 0xaa] && start[450] != 0xee;
    let is_asked = is_mbr && u32::from_str_radix(signature, 16) == Ok(found);
    u32::from_str_radix(number, 16).ok().filter(|_| is_asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_partition_by_the_signature_of_its_disk() {
        let mut start = vec![0; 512];
        start[440..444].copy_from_slice(&[0x78, 0x56, 0x34, 0x02]);
        assert_eq!(find(&start, "02345678-02"), None, "no MBR");
        start[510..].copy_from_slice(&[0x55, 0xaa]);
        for (partuuid, want) in [
            ("02345678-02", Some(2)),
            ("02345678-0f", Some(15)),
            ("02345679-02", None),
            ("78563402-02", None),
            ("02345678", None),
            ("02345678-", None),
            ("02345678-0506-0708-090a-0b0c0d0e0f10", None),
        ] {
            assert_eq!(find(&start, partuuid), want, "{partuuid}");
        }
        start[450] = 0xee;
        assert_eq!(find(&start, "02345678-02"), None, "a GPT's");
        start[450] = 0x83;
        assert_eq!((find(&start[..511], "02345678-02"), find(&[], "02345678-02")), (None, None));
    }
}
