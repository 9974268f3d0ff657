//! Applies a delta as a device does, to see what it takes: `apply OLD FILE`.
//!
//! OLD is the directory that `measure` made FILE from. Every object is verified and dropped. Prints the peak of resident memory
//! before and after.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "here the I/O is done that the crate does not do"
)]

use rootling_delta::header::PRELUDE;
use rootling_delta::{Error, Header, Prelude, ReadAt, Result};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;
use trees::{Discard, From, Trees};

mod trees;

fn main() {
    let mut args = std::env::args().skip(1);
    let (old, delta) = (args.next().expect("OLD"), args.next().expect("FILE"));
    let mut trees = Trees::default();
    let from = trees.commit_dir(Path::new(&old));
    let before = peak();
    let start = Instant::now();
    let file = std::fs::File::open(delta).expect("readable");
    let mut bytes = vec![0; PRELUDE];
    file.read_exact_at(&mut bytes, 0).expect("a prelude");
    let prelude = Prelude::decode(&bytes).expect("a prelude");
    bytes.resize(prelude.header.packed as usize, 0);
    file.read_exact_at(&mut bytes, PRELUDE as u64).expect("a header");
    let header = Header::decode(&prelude, &bytes, 8 << 20).expect("a header");
    let old = From(&trees, from);
    let plan = rootling_delta::plan(&header, &old).expect("a plan");
    let mut new = Discard(0);
    rootling_delta::apply_symlinks(&plan, &mut new).expect("symlinks");
    for number in 0..header.groups.len() {
        let (start, size) = header.range_of(&prelude, number);
        let part = Part { file: &file, start, size };
        rootling_delta::apply_group(&header, prelude.backend, &plan, number, &part, 8 << 20, &old, &mut new)
            .expect("a group");
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{} bytes made in {seconds:.2} s; peak of memory {before} before, {} after", new.0, peak());
}

/// A group in the file.
struct Part<'a> {
    file: &'a std::fs::File,
    start: u64,
    size: u64,
}

impl ReadAt for Part<'_> {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(into, self.start + offset).map_err(|err| Error::io(err.to_string()))
    }
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux system");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.trim_start_matches("VmHWM:").trim().to_owned()
}
