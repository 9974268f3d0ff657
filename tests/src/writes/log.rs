//! The log of a block device's writes, in the format of the kernel's dm-log-writes.
//!
//! ```text
//! sector 0    u64 magic, u64 version, u64 number of entries, u32 bytes in a sector
//! then each   u64 sector, u64 sectors, u64 flags, u64 length, to the end of a sector; the data, if it has any
//! ```
//! All numbers are little-endian. Source: `Documentation/admin-guide/device-mapper/log-writes.rst` of Linux.

use super::image::DISK;

const MAGIC: u64 = 0x006a_7366_7773_6872;
/// All before it is durable.
pub const FLUSH: u64 = 1;
/// What this writes is durable at once.
pub const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// One write or flush.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// [`FLUSH`]: all before it is durable; [`FUA`]: it is durable itself.
    pub flags: u64,
    /// What is written.
    pub data: Vec<u8>,
}

/// Reads a whole log.
pub fn read(log: &[u8]) -> Vec<Entry> {
    let number = |at: usize| u64::from_le_bytes(log[at..at + 8].try_into().unwrap());
    assert_eq!(number(0), MAGIC, "no log of writes");
    let sector = u32::from_le_bytes(log[24..28].try_into().unwrap()) as usize;
    let mut at = sector;
    let mut entries = Vec::new();
    for _ in 0..number(16) {
        let (offset, sectors, flags) = (number(at), number(at + 8) as usize, number(at + 16));
        at += sector;
        // a discard has no data, and what was there may stay
        let length = if flags & DISCARD == 0 { sectors * sector } else { 0 };
        let data = log[at..at + length].to_vec();
        at += length;
        entries.push(Entry { offset: offset * sector as u64, flags, data });
    }
    entries
}

/// The entries of several logs in the order in which they were made, each disk's at its multiple of [`DISK`].
///
/// `order` is the log of what was written to the logs themselves, `place` bytes from one to the next: whoever writes
/// them says after each entry, in the first sector, how many there are.
pub fn merge(order: &[Entry], place: u64, logs: &[Vec<Entry>]) -> Vec<Entry> {
    let mut merged = Vec::new();
    let mut taken = vec![0; logs.len()];
    for entry in order.iter().filter(|entry| entry.offset % place == 0 && entry.data.len() >= 24) {
        let log = entry.offset / place;
        let (all, taken) = (&logs[log as usize], &mut taken[log as usize]);
        let count = u64::from_le_bytes(entry.data[16..24].try_into().unwrap()) as usize;
        for next in &all[*taken..count.max(*taken)] {
            merged.push(Entry { offset: log * DISK + next.offset, ..next.clone() });
        }
        *taken = count.max(*taken);
    }
    let all: usize = logs.iter().map(Vec::len).sum();
    assert_eq!(merged.len(), all, "entries in the logs, and in the order in which they came");
    merged
}

#[test]
fn merges_by_the_order_of_counts() {
    let entry = |offset, flags| Entry { offset, flags, data: vec![7; 512] };
    let count = |log: u64, count: u64| Entry {
        offset: log * 4096,
        flags: 0,
        data: [&[0; 16][..], &count.to_le_bytes()].concat(),
    };
    let logs = [vec![entry(512, 0), entry(0, FLUSH)], vec![entry(1024, 0)]];
    let flush = Entry { offset: 0, flags: FLUSH, data: vec![] };
    let order = [entry(512, 0), count(0, 1), entry(4608, 0), count(1, 1), flush, count(0, 2)];
    assert_eq!(merge(&order, 4096, &logs), [entry(512, 0), entry(DISK + 1024, 0), entry(0, FLUSH)]);
}

#[test]
fn reads_writes_and_flushes() {
    let mut log = vec![0u8; 512 * 5];
    let mut put = |at: usize, numbers: &[u64]| {
        for (place, number) in numbers.iter().enumerate() {
            log[at + place * 8..][..8].copy_from_slice(&number.to_le_bytes());
        }
    };
    put(0, &[MAGIC, 1, 3, 512]);
    put(512, &[2, 1, 0, 0]);
    put(1536, &[0, 0, FLUSH, 0]);
    put(2048, &[7, 1, DISCARD, 0]);
    log[1024..1536].fill(9);
    let entry = |offset, flags, data| Entry { offset, flags, data };
    assert_eq!(
        read(&log),
        [entry(1024, 0, vec![9; 512]), entry(0, FLUSH, vec![]), entry(3584, DISCARD, vec![])]
    );
}
