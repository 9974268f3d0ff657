//! Broken deltas: an error that says what is wrong, never a panic, never a wrong object.

use crate::elf::{Machine, Random, library};
use crate::repo::{two_trees, two_trees_of_profile_3};
use crate::tree::{apply, delta, delta_of};
use rootling_delta::backend::{self, StreamHeader};
use rootling_delta::make::{code, pack};
use rootling_delta::{Backend, ErrorKind, Group, Prelude, Result};

/// Decodes a group without its checksum, as if an attacker had made the header as well.
fn decode(
    backend: Backend,
    header: &rootling_delta::GroupHeader,
    bytes: &[u8],
    old: &[u8],
    size: u64,
) -> Result<Vec<u8>> {
    let mut made = Vec::new();
    let mut header = *header;
    let short = (header.size() as usize).saturating_sub(bytes.len()) as u64;
    header.streams[3].packed = header.streams[3].packed.saturating_sub(short);
    let mut group = Group::open(backend, &header, &bytes, 8 << 20)?;
    group.next_file(&[Box::new(old)], size, &mut made)?;
    group.end()?;
    Ok(made)
}

#[test]
fn flipped_bits_in_a_group_end_in_an_error_or_in_other_bytes() {
    let mut random = Random(3);
    for machine in [Machine::X86, Machine::Aarch64, Machine::Thumb] {
        let (old, new) = (library(machine, 60, &[]), library(machine, 60, &[5, 6, 30]));
        let coded = code(&old, &new).unwrap();
        for backend in [Backend::Lzma, Backend::Deflate] {
            let packed = pack(backend, [&coded]);
            for _ in 0..1500 {
                let mut bytes = packed.bytes.clone();
                let bit = random.below(bytes.len() as u64 * 8);
                bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
                if let Ok(made) = decode(backend, &packed.header, &bytes, &old, new.len() as u64) {
                    assert_eq!(made.len(), new.len());
                }
            }
        }
    }
}

#[test]
fn flipped_tokens_end_in_an_error_or_in_other_bytes() {
    let mut random = Random(4);
    let (old, new) = (library(Machine::X86, 60, &[]), library(Machine::X86, 60, &[5, 6, 30]));
    let coded = code(&old, &new).unwrap();
    let mut reasons = std::collections::BTreeSet::new();
    for _ in 0..4000 {
        let mut coded = coded.clone();
        let streams = [&mut coded.control, &mut coded.gaps, &mut coded.values, &mut coded.inserts];
        let stream = streams.into_iter().nth(random.below(4) as usize).unwrap();
        if !stream.is_empty() {
            let at = random.below(stream.len() as u64) as usize;
            stream[at] = random.next() as u8;
        }
        let packed = pack(Backend::Deflate, [&coded]);
        match decode(Backend::Deflate, &packed.header, &packed.bytes, &old, new.len() as u64) {
            Ok(made) => assert_eq!(made.len(), new.len()),
            Err(err) => {
                _ = reasons.insert(match err.kind() {
                    ErrorKind::Malformed(text) => text.split(": expected").next().unwrap().to_owned(),
                    _ => err.to_string(),
                });
            }
        }
    }
    for reason in ["copies: end in the new file", "gaps: last gap", "values: value", "insert stream: bytes"] {
        assert!(reasons.contains(reason), "{reason} is not among {reasons:#?}");
    }
}

#[test]
fn a_broken_old_file_is_no_danger() {
    let mut random = Random(5);
    let (old, new) = (library(Machine::X86, 60, &[]), library(Machine::X86, 60, &[5]));
    let coded = code(&old, &new).unwrap();
    let packed = pack(Backend::Deflate, [&coded]);
    for _ in 0..1500 {
        let mut old = old.clone();
        for _ in 0..4 {
            let at = random.below(old.len() as u64) as usize;
            let at = if random.below(2) == 0 { old.len() - 1 - at % 400 } else { at % 64 };
            old[at] = random.next() as u8;
        }
        _ = decode(Backend::Deflate, &packed.header, &packed.bytes, &old, new.len() as u64);
    }
}

#[test]
fn every_truncation_of_a_delta_is_refused() {
    for trees in [two_trees(), two_trees_of_profile_3()] {
        let (device, from, _, made) = delta_of(trees, Backend::Lzma, false);
        for length in 0..made.head.len() {
            assert!(apply(&device, from, &made.head[..length], &made.groups).is_err(), "head of {length}");
        }
        for number in 0..made.groups.len() {
            for length in 0..made.groups[number].len() {
                let mut groups = made.groups.clone();
                groups[number].truncate(length);
                let err = apply(&device, from, &made.head, &groups).map(|_| ()).unwrap_err();
                assert!(err.to_string().starts_with("group: length"), "{err}");
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_the_head_is_refused_or_harmless() {
    for trees in [two_trees(), two_trees_of_profile_3()] {
        let (device, from, to, made) = delta_of(trees, Backend::Deflate, false);
        for bit in 0..made.head.len() * 8 {
            let mut head = made.head.clone();
            head[bit / 8] ^= 1 << (bit % 8);
            if let Ok((_, got)) = apply(&device, from, &head, &made.groups) {
                assert_eq!(got, to, "bit {bit}");
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_list_of_sources_is_refused_or_harmless() {
    let (device, from, to, made) = delta_of(two_trees_of_profile_3(), Backend::Deflate, false);
    let raw = made.header.encode_raw();
    let mut random = Random(8);
    for _ in 0..4000 {
        let mut raw = raw.clone();
        let bit = random.below(raw.len() as u64 * 8) as usize;
        raw[bit / 8] ^= 1 << (bit % 8);
        let packed = backend::pack(Backend::Deflate, &raw);
        let header = StreamHeader { packed: packed.len() as u64, raw: raw.len() as u64 };
        let head = [Prelude { backend: Backend::Deflate, header }.encode(), packed].concat();
        if let Ok((_, got)) = apply(&device, from, &head, &made.groups) {
            assert_eq!(got, to, "bit {bit}");
        }
    }
}

#[test]
fn a_flipped_bit_of_a_group_names_the_checksum() {
    let (device, from, _, made) = delta(Backend::Lzma, false);
    let mut random = Random(6);
    for _ in 0..300 {
        let mut groups = made.groups.clone();
        let number = random.below(groups.len() as u64) as usize;
        let bit = random.below(groups[number].len() as u64 * 8) as usize;
        groups[number][bit / 8] ^= 1 << (bit % 8);
        let err = apply(&device, from, &made.head, &groups).map(|_| ()).unwrap_err();
        assert!(err.to_string().starts_with("group: checksum"), "{err}");
    }
}

#[test]
fn the_budget_is_asked_before_anything_is_decoded() {
    let coded = code(&[], &vec![1; 900_000]).unwrap();
    let packed = pack(Backend::Lzma, [&coded]);
    let err = Group::open(Backend::Lzma, &packed.header, &packed.bytes, 1 << 20).map(|_| ()).unwrap_err();
    assert!(
        matches!(err.kind(), ErrorKind::Limit { what: "memory of a group", most: 1_048_576, .. }),
        "{err}"
    );
}

#[test]
fn preludes_of_others_are_named() {
    for (bytes, reason) in [
        (&b"RLDELT"[..], "length"),
        (b"RLDELTB\x01\0\0\0\0\x01\0\0\0\x01\0\0\0", "magic"),
        (b"RLDELTA\x02\0\0\0\0\x01\0\0\0\x01\0\0\0", "delta version"),
        (b"RLDELTA\x01\x02\0\0\0\x01\0\0\0\x01\0\0\0", "back end"),
        (b"RLDELTA\x01\0\x01\0\0\x01\0\0\0\x01\0\0\0", "padding"),
        (b"RLDELTA\x01\0\0\0\0\x01\0\0\0\x01\0\0\x7f", "at most 4194304"),
    ] {
        let err = Prelude::decode(bytes).unwrap_err().to_string();
        assert!(err.contains(reason), "{reason}: {err}");
    }
}
