//! Measures the delta between the changed files of two directories: bytes per stream, and the ratio to a given number.
//!
//! `measure OLD NEW [--ostree BYTES] [--only TEXT] [--every N] [--worst N]`
//!
//! Files are paired by path, after the kernel release in OLD's paths was replaced by NEW's. Every file is decoded
//! again from the packed groups and compared.

use rootling_delta::make::{Coded, code, pack};
use rootling_delta::{Backend, Group};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

struct Pair {
    name: String,
    old: Vec<u8>,
    new: Vec<u8>,
    coded: Coded,
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (old, new) = (args.next().expect("OLD"), args.next().expect("NEW"));
    let rest: Vec<String> = args.collect();
    let option = |name: &str| rest.iter().position(|arg| arg == name).and_then(|at| rest.get(at + 1));
    let number = |name: &str, default: usize| option(name).map_or(default, |text| text.parse().expect("a number"));
    let only = option("--only").cloned().unwrap_or_default();
    let mut pairs = pairs(Path::new(&old), Path::new(&new));
    pairs.retain(|pair| pair.name.contains(&only));
    let pairs: Vec<Pair> = pairs.into_iter().step_by(number("--every", 1)).collect();

    let start = Instant::now();
    let pairs = code_all(pairs);
    let coding = start.elapsed();
    let total: usize = pairs.iter().map(|pair| pair.new.len()).sum();
    println!("{} files, {} bytes new, coded in {:.1} s", pairs.len(), total, coding.as_secs_f64());
    worst(&pairs, number("--worst", 0));
    for backend in [Backend::Lzma, Backend::Deflate] {
        report(backend, &pairs, total, number("--ostree", 0));
    }
}

fn report(backend: Backend, pairs: &[Pair], total: usize, ostree: usize) {
    let mut streams = [(0u64, 0u64); 4];
    let (mut sum, mut memory, mut seconds) = (0, 0, 0.0);
    let groups = groups(pairs);
    for files in &groups {
        let group = pack(backend, files.iter().map(|pair| &pair.coded));
        sum += group.bytes.len();
        memory = memory.max(group.header.memory(backend));
        for (sum, stream) in streams.iter_mut().zip(group.header.streams) {
            *sum = (sum.0 + stream.packed, sum.1 + stream.raw);
        }
        let start = Instant::now();
        let mut decoder = Group::open(backend, &group.header, &group.bytes, 8 << 20).expect("group opens");
        for pair in *files {
            let mut made = Vec::with_capacity(pair.new.len());
            decoder.next_file(&pair.old, pair.new.len() as u64, &mut made).expect(&pair.name);
            assert!(made == pair.new, "{} differs", pair.name);
        }
        decoder.end().expect("group ends");
        seconds += start.elapsed().as_secs_f64();
    }
    println!("{backend:?}: {sum} bytes in {} groups, packed/raw:", groups.len());
    for (name, (packed, raw)) in ["control", "gaps", "values", "inserts"].iter().zip(streams) {
        println!("  {name:8} {packed:9} {raw:9}");
    }
    let speed = total as f64 / 1e6 / seconds;
    println!("  decoded in {seconds:.2} s, {speed:.1} MB/s; back end memory of the largest group {memory}");
    if ostree > 0 {
        println!("  ratio {:.4}", sum as f64 / ostree as f64);
    }
}

/// Consecutive files whose tokens reach a megabyte.
fn groups(pairs: &[Pair]) -> Vec<&[Pair]> {
    let mut groups = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (at, pair) in pairs.iter().enumerate() {
        let coded = &pair.coded;
        size += coded.control.len() + coded.gaps.len() + coded.values.len() + coded.inserts.len();
        if size > 1 << 20 || at + 1 == pairs.len() {
            groups.push(&pairs[start..=at]);
            (start, size) = (at + 1, 0);
        }
    }
    groups
}

fn worst(pairs: &[Pair], count: usize) {
    let cost = |pair: &&Pair| {
        let group = pack(Backend::Lzma, [&pair.coded]);
        group.bytes.len()
    };
    if count == 0 {
        return;
    }
    let mut by_cost: Vec<(usize, &Pair)> = pairs.iter().map(|pair| (cost(&pair), pair)).collect();
    by_cost.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
    for (cost, pair) in by_cost.iter().take(count) {
        let group = pack(Backend::Lzma, [&pair.coded]);
        let streams = group.header.streams.map(|stream| format!("{}/{}", stream.packed, stream.raw)).join(" ");
        println!("{cost:8} {:9} m{} {streams} {}", pair.new.len(), pair.coded.control[0], pair.name);
    }
}

fn code_all(pairs: Vec<Pair>) -> Vec<Pair> {
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<Pair>> = pairs.into_iter().map(Mutex::new).collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(slot) = slots.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut pair = slot.lock().unwrap();
                    pair.coded = code(&pair.old, &pair.new).expect("codes");
                }
            });
        }
    });
    slots.into_iter().map(|slot| slot.into_inner().unwrap()).collect()
}

fn pairs(old: &Path, new: &Path) -> Vec<Pair> {
    let (old_files, new_files) = (files(old), files(new));
    let releases = release(&old_files).zip(release(&new_files));
    let mut pairs = Vec::new();
    for (name, path) in &new_files {
        let before = match &releases {
            Some((old, new)) => name.replace(new.as_str(), old),
            None => name.clone(),
        };
        let bytes = std::fs::read(path).expect("readable");
        let old = old_files.get(&before).or_else(|| old_files.iter().find(|(old, _)| stem(old) == stem(name)).map(|(_, path)| path));
        let old = old.map(|path| std::fs::read(path).expect("readable")).unwrap_or_default();
        if old != bytes {
            pairs.push(Pair { name: name.clone(), old, new: bytes, coded: Coded::default() });
        }
    }
    pairs.sort_by_key(|pair| (pair.new.get(..4) == Some(b"\x7fELF"), pair.name.clone()));
    pairs
}

/// A path without its digits.
fn stem(path: &str) -> String {
    path.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn release(files: &BTreeMap<String, PathBuf>) -> Option<String> {
    let name = files.keys().find_map(|name| name.split_once("lib/modules/"))?.1;
    name.split('/').next().map(str::to_owned)
}

fn files(root: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
            let kind = entry.file_type().expect("a type");
            if kind.is_dir() {
                dirs.push(entry.path());
            } else if kind.is_file() {
                let path = entry.path();
                let name = path.strip_prefix(root).expect("inside").to_string_lossy().into_owned();
                found.insert(name, path);
            }
        }
    }
    found
}
