//! What a disk may have after the power was cut, by the log of what was written to it.
//!
//! What came before the last flush of the same disk is there. Of what came after it, any part is: all, some of the writes, or, where a
//! write is longer than a block, some of its blocks.

use super::image::{DISK, Image};
use super::log::{Entry, FLUSH, FUA};
use std::collections::HashSet;

/// A state, and how it came about.
pub struct State {
    /// After which flush, and which of the writes that followed it.
    pub what: String,
    /// The disk.
    pub image: Image,
    /// Nothing that was written is missing.
    pub is_last: bool,
    /// Nothing that was flushed is missing: who wrote may have said that all is done.
    pub is_done: bool,
}

/// Which states, and how many.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// At most so many: of all, or with `every_flush` of those between flushes.
    pub limit: usize,
    /// The disk at each flush, however many there are; else at every n-th, so that half of the states are of other kinds.
    pub every_flush: bool,
    /// Bytes that the disk writes as a whole, which begin at a multiple of it.
    pub block: usize,
    /// Where the random choices begin.
    pub seed: u64,
}

/// What [`states`] found.
pub struct States {
    /// No two of them the same.
    pub states: Vec<State>,
    /// Flushes at which the disk was not taken.
    pub flushes_left_out: usize,
}

/// A fixed sequence, so that a failure can be repeated.
pub struct Random(pub u64);

impl Random {
    /// A number from 0 to before the end.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end.max(1)
    }
}

const ALL: &str = "all that was written";

/// The disk at a flush, and the writes between it and the next.
struct Span<'a> {
    durable: Image,
    writes: Vec<&'a Entry>,
}

fn spans<'a>(base: &Image, log: &'a [Entry]) -> Vec<Span<'a>> {
    let mut spans = vec![Span { durable: base.clone(), writes: Vec::new() }];
    for entry in log {
        if entry.flags & FLUSH != 0 {
            let last = spans.last().unwrap();
            let is_flushed = |write: &&Entry| write.offset / DISK == entry.offset / DISK;
            let (flushed, writes): (Vec<_>, Vec<_>) = last.writes.iter().copied().partition(is_flushed);
            if !flushed.is_empty() {
                let durable = all(&Span { durable: last.durable.clone(), writes: flushed });
                spans.push(Span { durable, writes });
            }
        }
        if entry.data.is_empty() {
            continue;
        }
        spans.last_mut().unwrap().writes.push(entry);
    }
    spans
}

fn all(span: &Span) -> Image {
    let mut image = span.durable.clone();
    span.writes.iter().for_each(|entry| image.write(entry.offset, &entry.data));
    image
}

/// The disk at each flush, or at every n-th, then parts of what came between two of them, as often from one span as from another.
pub fn states(base: &Image, log: &[Entry], ask: Ask) -> States {
    let spans = spans(base, log);
    let (mut seen, mut states, mut random) = (HashSet::new(), Vec::new(), Random(ask.seed));
    let end = spans.len() - 1;
    let mut add = |what: String, at: usize, image: Image| {
        if seen.insert(image.checksum()) {
            let is_last = what == ALL;
            states.push(State { what, image, is_last, is_done: at == end });
        }
        states.len()
    };
    let stride = if ask.every_flush { 1 } else { (spans.len() * 2).div_ceil(ask.limit).max(1) };
    let mut count = add(ALL.into(), end, all(&spans[end]));
    for (at, span) in spans.iter().enumerate().step_by(stride) {
        count = add(format!("flush {at}"), at, span.durable.clone());
    }
    let flushes_left_out = spans.len() - spans.len().div_ceil(stride);
    let limit = if ask.every_flush { count + ask.limit } else { ask.limit };
    let open: Vec<_> = spans.iter().enumerate().filter(|(_, span)| !span.writes.is_empty()).collect();
    // a span of few writes has few parts: it gives up after some that were there before
    for round in 0..ask.limit * 4 / open.len().max(1) + 4 {
        for (at, span) in &open {
            if count >= limit {
                return States { states, flushes_left_out };
            }
            let torn = round % 3 == 2;
            let image = if torn { tear(span, ask.block, &mut random) } else { some(span, &mut random) };
            let how = if torn { "blocks" } else { "writes" };
            let what = format!("flush {at}, some {how} of {}, round {round}", span.writes.len());
            count = add(what, *at, image);
        }
    }
    States { states, flushes_left_out }
}

/// Each write or not, of all that followed the flush or of the first few; one that was to be durable is there.
fn some<'a>(span: &Span<'a>, random: &mut Random) -> Image {
    pick(span, random, |entry| vec![(entry.offset, &entry.data)])
}

/// Each block of each write or not.
fn tear<'a>(span: &Span<'a>, block: usize, random: &mut Random) -> Image {
    pick(span, random, |entry| {
        let first = entry.data.len().min(block - (entry.offset % block as u64) as usize);
        let (first, rest) = entry.data.split_at(first);
        let blocks = std::iter::once(first).chain(rest.chunks(block));
        let mut next = entry.offset;
        let placed = blocks.map(|block| {
            let at = next;
            next += block.len() as u64;
            (at, block)
        });
        placed.collect()
    })
}

fn pick<'a>(
    span: &Span<'a>,
    random: &mut Random,
    parts: impl Fn(&'a Entry) -> Vec<(u64, &'a [u8])>,
) -> Image {
    let mut image = span.durable.clone();
    // few of them as well as most
    let (share, count) = (1 + random.below(9), span.writes.len() as u64);
    let end = if random.below(2) == 0 { count } else { 1 + random.below(count) };
    for entry in &span.writes[..end as usize] {
        for (offset, part) in parts(entry) {
            if entry.flags & FUA != 0 || random.below(10) < share {
                image.write(offset, part);
            }
        }
    }
    image
}

#[cfg(test)]
use super::image::BLOCK;

#[cfg(test)]
const ASK: Ask = Ask { limit: 100, every_flush: false, block: BLOCK, seed: 1 };

/// A disk of zeros.
#[cfg(test)]
fn empty(blocks: usize) -> Image {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len((blocks * BLOCK) as u64).unwrap();
    Image::read(file.path())
}

#[test]
fn every_flush_is_taken_where_it_is_asked_for() {
    let write = |at: u64| Entry { offset: at * 2 * BLOCK as u64, flags: 0, data: vec![1; 2 * BLOCK] };
    let flush = Entry { offset: 0, flags: FLUSH, data: Vec::new() };
    let log: Vec<_> = (0..40).flat_map(|at| [write(at), flush.clone()]).collect();
    let count = |ask: Ask| {
        let found = states(&empty(80), &log, ask);
        let random = found.states.iter().filter(|state| state.what.contains(',')).count();
        (found.states.len() - random, random, found.flushes_left_out)
    };
    // 41 with the first; what is last has its own name
    assert_eq!(count(Ask { limit: 5, every_flush: true, ..ASK }), (41, 5, 0));
    assert_eq!(count(Ask { limit: 10, ..ASK }), (6, 4, 36));
}

#[test]
fn what_follows_the_last_flush_is_not_needed() {
    let write = |block: u64| Entry { offset: block * BLOCK as u64, flags: 0, data: vec![1; BLOCK] };
    let flush = Entry { offset: 0, flags: FLUSH, data: Vec::new() };
    let done = |log: &[Entry]| -> Vec<bool> {
        states(&empty(3), log, ASK).states.iter().map(|state| state.is_done).collect()
    };
    // all, before, at the flush
    assert_eq!(done(&[write(0), flush.clone(), write(1)]), [true, false, true]);
    assert!(done(&[write(0), write(1)]).iter().all(|is_done| *is_done));
}

#[test]
fn a_write_is_torn_at_the_blocks_of_the_disk() {
    let log = [Entry { offset: 512, flags: 0, data: vec![1; 1024] }];
    let whole = states(&empty(1), &log, ASK).states.len();
    assert_eq!(whole, 2, "a block of 4096 bytes is written or not");
    let torn = states(&empty(1), &log, Ask { block: 512, ..ASK }).states.len();
    assert_eq!(torn, 4);
}

#[test]
fn a_flush_is_of_one_disk() {
    let write = |disk: u64, block: u64| Entry {
        offset: disk * DISK + block * BLOCK as u64,
        flags: 0,
        data: vec![1; BLOCK],
    };
    let flush = |disk: u64| Entry { offset: disk * DISK, flags: FLUSH, data: Vec::new() };
    let log = [write(0, 0), write(1, 0), flush(1), write(1, 1), flush(0)];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    let mut found = HashSet::new();
    std::fs::write(&path, vec![0; 2 * BLOCK]).unwrap();
    let base = Image::join(&[Image::read(&path), Image::read(&path)]);
    for state in states(&base, &log, ASK).states {
        let [first, second] = [0, 1].map(|disk| {
            state.image.save_one(disk, 2 * BLOCK as u64, &path);
            std::fs::read(&path).unwrap()
        });
        found.insert([first[0], second[0], second[BLOCK]]);
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort();
    let wanted = [[0, 0, 0], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]];
    assert_eq!(found, wanted);
}

#[test]
fn what_was_flushed_is_there_and_the_rest_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    std::fs::write(&path, vec![0; 8 * BLOCK]).unwrap();
    let base = Image::read(&path);
    let write = |block: u64, flags| Entry { offset: block * BLOCK as u64, flags, data: vec![1; BLOCK] };
    let flush = Entry { offset: 0, flags: FLUSH, data: Vec::new() };
    let log = [write(0, 0), flush.clone(), write(1, 0), write(2, FUA), write(3, 0), flush, write(4, 0)];
    let mut found = HashSet::new();
    for state in states(&base, &log, ASK).states {
        state.image.save(&path);
        let bytes = std::fs::read(&path).unwrap();
        found.insert([0, 1, 2, 3, 4].map(|block| bytes[block * BLOCK]));
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort();
    let wanted = [
        [0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [1, 0, 1, 0, 0],
        [1, 0, 1, 1, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
    ];
    assert_eq!(found, wanted);
}
