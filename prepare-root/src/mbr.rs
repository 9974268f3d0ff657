//! The PARTUUIDs of a disk with an MBR: `SIGNATURE-NUMBER`, 8 and 2 hex digits, as the kernel and blkid print them.
//!
//! ```text
//! sector 0: at 440 u32 little-endian, the disk's signature; at 450 the first partition's type, ee beside a GPT; at 510 55 aa
//! ```
//! Source: Linux, `block/partitions/msdos.c`. The number is the kernel's own, so logical partitions have theirs from 5.

use super::superblock::dashed;

/// Whether a PARTUUID, in lower case, names the partition with a number on the disk that starts with these bytes.
pub fn names(start: &[u8], number: u32, partuuid: &str) -> bool {
    match start.get(440..512) {
        Some([d, c, b, a, _, _, _, _, _, _, kind, .., 0x55, 0xaa]) if *kind != 0xee => {
            u8::try_from(number).is_ok_and(|number| dashed(&[*a, *b, *c, *d, number]) == partuuid)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_has_the_signature_of_its_disk() {
        let mut start = vec![0; 512];
        start[440..444].copy_from_slice(&[0x78, 0x56, 0x34, 0x02]);
        assert!(!names(&start, 2, "02345678-02"), "no MBR");
        start[510..].copy_from_slice(&[0x55, 0xaa]);
        for (partuuid, number, want) in [
            ("02345678-02", 2, true),
            ("02345678-0f", 15, true),
            ("02345678-02", 3, false),
            ("02345678-02", 258, false),
            ("02345679-02", 2, false),
            ("78563402-02", 2, false),
            ("2345678-02", 2, false),
            ("02345678", 2, false),
            ("02345678-0506-0708-090a-0b0c0d0e0f10", 5, false),
        ] {
            assert_eq!(names(&start, number, partuuid), want, "{partuuid}");
        }
        start[450] = 0xee;
        assert!(!names(&start, 2, "02345678-02"), "a GPT's");
        start[450] = 0x83;
        assert!(names(&start, 2, "02345678-02"));
        assert!(!names(&start[..511], 2, "02345678-02") && !names(&[], 2, "02345678-02"));
    }
}
