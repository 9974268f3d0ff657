//! Predictions must do what they are for, and every pair must come back byte for byte.

use crate::elf::{Machine, Random, library};
use rootling_delta::make::{Coded, code, pack};
use rootling_delta::{Backend, Group};

pub fn round_trip(old: &[u8], new: &[u8]) -> Coded {
    let coded = code(old, new).unwrap();
    for backend in [Backend::Lzma, Backend::Deflate] {
        let packed = pack(backend, [&coded, &coded]);
        let mut group = Group::open(backend, &packed.header, &packed.bytes, 8 << 20).unwrap();
        for _ in 0..2 {
            let mut made = Vec::new();
            group.next_file(&[Box::new(old)], new.len() as u64, &mut made).unwrap();
            assert!(made == new, "decoded to other bytes");
        }
        group.end().unwrap();
    }
    coded
}

#[test]
fn a_grown_function_costs_a_few_corrections_not_every_reference() {
    for machine in [Machine::X86, Machine::Aarch64, Machine::Thumb, Machine::I386] {
        let old = library(machine, 400, &[]);
        let new = library(machine, 400, &[3, 200]);
        let differing = old.iter().zip(&new).filter(|(old, new)| old != new).count();
        assert!(differing > 4000, "the test file does not move enough: {differing}");
        let coded = round_trip(&old, &new);
        assert_eq!(coded.control[0], 2, "{machine:?} is predicted");
        let tokens = coded.values.len() + coded.inserts.len();
        assert!(tokens < 150, "{machine:?}: {tokens} corrections and inserted bytes");
    }
}

#[test]
fn any_pair_comes_back_byte_for_byte() {
    let mut random = Random(7);
    let library = library(Machine::X86, 40, &[]);
    let noise = random.bytes(5000);
    let mut edited = library.clone();
    for _ in 0..200 {
        let at = random.below(edited.len() as u64) as usize;
        edited[at] = edited[at].wrapping_add(random.below(5) as u8);
    }
    let mut swapped = library[3000..].to_vec();
    swapped.extend(&library[..3000]);
    let files = [Vec::new(), b"a".to_vec(), noise, library, edited, swapped];
    for old in &files {
        for new in &files {
            round_trip(old, new);
        }
    }
}
