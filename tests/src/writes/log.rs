//! The log of a block device's writes, in the format of the kernel's dm-log-writes.
//!
//! ```text
//! sector 0    u64 magic, u64 version, u64 number of entries, u32 bytes in a sector
//! then each   u64 sector, u64 sectors, u64 flags, u64 length, to the end of a sector; the data, if it has any
//! ```
//! All numbers are little-endian. Source: `Documentation/admin-guide/device-mapper/log-writes.rst` of Linux.

use super::image::DISK;
use std::ops::Range;

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

/// Reads as many entries as the log counts.
pub fn read(log: &[u8]) -> Vec<Entry> {
    let (sector, count) = (sector(log), number(log, 16));
    let mut at = sector;
    let next = |number| {
        let (end, entry) =
            record(log, at, sector).unwrap_or_else(|| panic!("entry {number} of {count} ends early"));
        at = end;
        entry
    };
    (0..count).map(next).collect()
}

fn number(log: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(log[at..at + 8].try_into().unwrap())
}

/// Bytes in a sector of a log.
fn sector(log: &[u8]) -> usize {
    assert_eq!(number(log, 0), MAGIC, "no log of writes");
    u32::from_le_bytes(log[24..28].try_into().unwrap()) as usize
}

/// The entry that begins here and where it ends, if all of it is there.
fn record(log: &[u8], at: usize, sector: usize) -> Option<(usize, Entry)> {
    let start = at + sector;
    if start > log.len() {
        return None;
    }
    let (offset, sectors, flags) = (number(log, at), number(log, at + 8) as usize, number(log, at + 16));
    // a discard has no data, and what was there may stay
    let length = if flags & DISCARD == 0 { sectors * sector } else { 0 };
    let data = log.get(start..start + length)?.to_vec();
    Some((start + length, Entry { offset: offset * sector as u64, flags, data }))
}

/// Each entry that is whole in the log, with the bytes of the log that are its own; whatever the first sector counts.
///
/// qemu-storage-daemon handles several requests at a time, and the older count may be written last.
pub fn records(log: &[u8]) -> Vec<(Range<u64>, Entry)> {
    let sector = sector(log);
    let mut at = sector;
    let mut records = Vec::new();
    while let Some((end, entry)) = record(log, at, sector) {
        records.push((at as u64..end as u64, entry));
        at = end;
    }
    records
}

/// The entries of several logs in the order in which they were made, each disk's at its multiple of [`DISK`].
///
/// `order` is what was written to the logs themselves, `place` bytes from one to the next. An entry is made when the
/// last of it was written: before that no request is answered, so that what waited for the answer comes later. Left
/// out is what was not whole after the first `cut` writes.
pub fn merge(order: &[Entry], cut: usize, place: u64, logs: &[Vec<(Range<u64>, Entry)>]) -> Vec<Entry> {
    let mut made = Vec::new();
    for (log, records) in (0..).zip(logs) {
        for (bytes, entry) in records {
            let (start, end) = (log * place + bytes.start, log * place + bytes.end);
            let is_part =
                |write: &Entry| write.offset < end && write.offset + write.data.len() as u64 > start;
            let last = order.iter().rposition(is_part).expect("an entry that was written");
            made.push((last, Entry { offset: log * DISK + entry.offset, ..entry.clone() }));
        }
    }
    made.retain(|(last, _)| *last < cut);
    made.sort_by_key(|(last, _)| *last);
    made.into_iter().map(|(_, entry)| entry).collect()
}

#[test]
fn merges_by_when_the_last_byte_was_written() {
    let entry = |offset, flags| Entry { offset, flags, data: vec![7; 512] };
    let flush = Entry { offset: 0, flags: FLUSH, data: vec![] };
    let count = |log: u64| Entry { offset: log * 4096, flags: 0, data: vec![0; 512] };
    let part = |offset, length| Entry { offset, flags: 0, data: vec![0; length] };
    let (first, second) = (entry(512, 0), entry(1024, 0));
    let logs = [
        vec![(512..1536, first.clone()), (1536..2048, flush.clone()), (2048..3072, second.clone())],
        vec![(512..1536, first.clone())],
    ];
    // of the first entry one half comes late, after the other disk's; the counts, of which one is old, say nothing
    let order = [
        part(512, 512),
        part(4608, 1024),
        count(1),
        part(1024, 512),
        flush.clone(),
        part(1536, 512),
        count(0),
        part(2048, 1024),
    ];
    let all = [entry(DISK + 512, 0), first, flush, second];
    assert_eq!(merge(&order, order.len(), 4096, &logs), all);
    assert_eq!(merge(&order, 7, 4096, &logs), all[..3], "the last is not whole yet");
    assert_eq!(merge(&order, 3, 4096, &logs), all[..1]);
}

/// A log of so many sectors of 512 bytes, with numbers at places in it.
#[cfg(test)]
fn log_with(sectors: usize, numbers: &[(usize, &[u64])]) -> Vec<u8> {
    let mut log = vec![0u8; 512 * sectors];
    for (at, numbers) in numbers {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        log[*at..*at + bytes.len()].copy_from_slice(&bytes);
    }
    log
}

#[test]
fn reads_writes_and_flushes() {
    let mut log = log_with(
        5,
        &[
            (0, &[MAGIC, 1, 3, 512]),
            (512, &[2, 1, 0, 0]),
            (1536, &[0, 0, FLUSH, 0]),
            (2048, &[7, 1, DISCARD, 0]),
        ],
    );
    log[1024..1536].fill(9);
    let entry = |offset, flags, data| Entry { offset, flags, data };
    assert_eq!(
        read(&log),
        [entry(1024, 0, vec![9; 512]), entry(0, FLUSH, vec![]), entry(3584, DISCARD, vec![])]
    );
}

#[test]
fn records_are_what_is_whole() {
    // the count is too small
    let log = log_with(4, &[(0, &[MAGIC, 1, 0, 512]), (512, &[0, 0, FLUSH, 0]), (1024, &[2, 1, 0, 0])]);
    let ends = |log: &[u8]| records(log).into_iter().map(|(range, _)| range.end).collect::<Vec<_>>();
    assert_eq!(ends(&log), [1024, 2048]);
    assert_eq!(ends(&log[..2047]), [1024]);
    assert!(ends(&log[..1023]).is_empty());
    assert!(read(&log).is_empty());
}
