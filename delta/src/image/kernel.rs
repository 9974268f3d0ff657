//! The uncompressed arm64 kernel Image (Linux, Documentation/arch/arm64/booting.rst): magic `ARM\x64` at 56.
//!
//! It has no sections; all of it is taken as one, at the address it was linked for. That address is not in the file:
//! of the few that kernels use, it is the one that most aligned words point into.

use super::{Image, Machine, Section, elf};
use crate::io::{Peek, ReadAt};
use crate::num::u64_at;
use crate::rules::Rule;

/// `KIMAGE_VADDR` for 48 and 39 bits of virtual addresses, before and after Linux 6.5. Changing the list breaks the
/// format.
const ADDRESSES: [u64; 4] =
    [0xffff_8000_0800_0000, 0xffff_8000_8000_0000, 0xffff_ffc0_0800_0000, 0xffff_ffc0_8000_0000];
/// Every so many bytes, one block is looked at.
const STRIDE: u64 = 64 << 10;
/// Bytes of a block.
const BLOCK: usize = 4 << 10;

/// Takes a kernel Image apart; `None` is any other file.
pub(super) fn parse(file: &dyn ReadAt) -> Option<Image> {
    let size = file.size();
    let mut peek = Peek::near(file);
    if peek.bytes(56, 4) != b"ARM\x64" {
        return None;
    }
    let mut counts = [0u64; ADDRESSES.len()];
    let mut at = 0u64;
    while at < size {
        for word in peek.bytes(at, BLOCK).chunks_exact(8) {
            let word = u64_at(word, 0).unwrap_or(0);
            for (count, address) in counts.iter_mut().zip(ADDRESSES) {
                *count = count.saturating_add(u64::from(word.wrapping_sub(address) < size));
            }
        }
        at = at.saturating_add(STRIDE);
    }
    let best = counts.iter().zip(ADDRESSES).max_by_key(|(count, address)| (**count, !*address));
    let addr = best.map_or(0, |(_, address)| address);
    let section = Section {
        kind: 1,
        flags: elf::SHF_ALLOC | elf::SHF_EXECINSTR,
        vaddr: addr,
        addr,
        size,
        file_size: size,
        rule: Rule::KernelAarch64,
        ..Section::default()
    };
    Some(Image::new(&elf::BITS_64, Machine::Aarch64, false, vec![section], 1))
}
