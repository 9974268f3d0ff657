//! Measures the delta between two directories: bytes per stream, and the ratio to a given number of bytes.
//!
//! `measure OLD NEW [--profile N] [--ostree BYTES] [--only TEXT] [--worst N] [--save FILE]`
//!
//! Both become trees of files owned by root without xattrs; the delta is made, planned and applied as on a device, and
//! every object must hash to its name. All bytes that a client fetches are counted, the header included.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "here the I/O is done that the crate does not do"
)]

use rootling_delta::header::PROFILE;
use rootling_delta::make::{Made, Objects, Options, Workers, make};
use rootling_delta::{Backend, Error, Header, Prelude, Result};
use rootling_object::{Checksum, FileHeader};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use trees::{Discard, From, Trees};

mod trees;

fn main() {
    let mut args = std::env::args().skip(1);
    let (old, new) = (args.next().expect("OLD"), args.next().expect("NEW"));
    let rest: Vec<String> = args.collect();
    let option = |name: &str| rest.iter().position(|arg| arg == name).and_then(|at| rest.get(at + 1));
    let number = |name: &str| option(name).map_or(0, |text| text.parse().expect("a number"));
    let mut trees = Trees { only: option("--only").cloned().unwrap_or_default(), ..Trees::default() };
    let from = trees.commit_dir(Path::new(&old));
    let to = trees.commit_dir(Path::new(&new));
    for backend in [Backend::Lzma, Backend::Deflate] {
        let start = Instant::now();
        let profile = option("--profile").map_or(PROFILE, |text| text.parse().expect("a number"));
        let options = Options { backend, profile, ..Options::default() };
        let made = make(&trees, Some(from), to, &options, &Threads).expect("a delta");
        println!("{backend:?}: made in {:.1} s", start.elapsed().as_secs_f64());
        report(&made, number("--ostree"), number("--worst"));
        decode(&trees, from, &made, backend);
        if let Some(path) = option("--save") {
            let all = made.head.iter().chain(made.groups.iter().flatten());
            std::fs::write(format!("{path}.{backend:?}"), all.copied().collect::<Vec<u8>>())
                .expect("written");
        }
    }
}

fn report(made: &Made, ostree: usize, worst: usize) {
    let total = made.head.len() + made.groups.iter().map(Vec::len).sum::<usize>();
    let files = made.files.len();
    let several = made.files.iter().filter(|file| file.sources > 1).count();
    println!(
        "  {total} bytes: header {}, {} groups, {files} files, {several} of several old ones",
        made.head.len(),
        made.groups.len()
    );
    for (at, name) in ["control", "gaps", "values", "inserts"].iter().enumerate() {
        let streams = made.header.groups.iter().map(|group| group.streams[at]);
        let (packed, raw) = streams.fold((0, 0), |sum, stream| (sum.0 + stream.packed, sum.1 + stream.raw));
        println!("  {name:8} {packed:9} {raw:9}");
    }
    if ostree > 0 {
        println!("  ratio {:.4}", total as f64 / ostree as f64);
    }
    let mut files: Vec<_> = made.files.iter().collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.tokens.iter().sum::<usize>()));
    for file in files.iter().take(worst) {
        println!("  {:?} {:9} of {} {}", file.tokens, file.size, file.sources, file.path);
    }
}

fn decode(trees: &Trees, from: Checksum, made: &Made, backend: Backend) {
    let start = Instant::now();
    let prelude = Prelude::decode(&made.head).expect("a prelude");
    let header =
        Header::decode(&prelude, &made.head[rootling_delta::header::PRELUDE..], 8 << 20).expect("a header");
    let plan = rootling_delta::plan(&header, &From(trees, from)).expect("a plan");
    let mut new = Discard(0);
    rootling_delta::apply_symlinks(&plan, &mut new).expect("symlinks");
    for (number, bytes) in made.groups.iter().enumerate() {
        let old = From(trees, from);
        rootling_delta::apply_group(&header, backend, &plan, number, bytes, 8 << 20, &old, &mut new)
            .expect("a group");
    }
    let seconds = start.elapsed().as_secs_f64();
    let memory = header.memory(backend);
    println!(
        "  applied in {seconds:.2} s, {:.1} MB/s, back end memory {memory}",
        new.0 as f64 / 1e6 / seconds
    );
}

impl Objects for Trees {
    fn commit(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.find(checksum)
    }
    fn detached(&self, _: &Checksum) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
    fn dirtree(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.find(checksum)
    }
    fn dirmeta(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.find(checksum)
    }
    fn content(&self, checksum: &Checksum) -> Result<(FileHeader, Vec<u8>)> {
        let (header, path) = self.files.get(checksum).ok_or_else(|| Error::io("no object".into()))?;
        let bytes = if header.is_symlink() { Vec::new() } else { std::fs::read(path).expect("readable") };
        Ok((header.clone(), bytes))
    }
}

/// Two threads.
struct Threads;

impl Workers for Threads {
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        match next.fetch_add(1, Ordering::Relaxed) {
                            at if at < count => work(at),
                            _ => return,
                        }
                    }
                });
            }
        });
    }
}
