//! The uncompressed arm64 kernel Image (Linux, Documentation/arch/arm64/booting.rst): magic `ARM\x64` at 56.
//!
//! It has no sections; it is taken as one at the address it was linked for, or as three if it holds BTF, which stands
//! apart. That address is not in the file: of the few that kernels use, it is the one that most aligned words point into.

use super::{Image, Machine, Section, elf};
use crate::io::{Peek, ReadAt};
use crate::num::{u32_at, u64_at, wide};
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
                *count = count.wrapping_add(u64::from(word.wrapping_sub(address) < size));
            }
        }
        at = at.wrapping_add(STRIDE);
    }
    let best = counts.iter().zip(ADDRESSES).max_by_key(|(count, address)| (**count, !*address));
    let addr = best.map_or(0, |(_, address)| address);
    let (types, types_end) = types(&mut peek, size).unwrap_or((size, size));
    let executable = elf::SHF_ALLOC | elf::SHF_EXECINSTR;
    let piece = |name: &[u8], start: u64, end: u64, flags: u64, rule: Rule| Section {
        name: elf::name(name),
        kind: 1,
        flags,
        vaddr: addr.wrapping_add(start),
        addr: addr.wrapping_add(start),
        offset: start,
        size: end.saturating_sub(start),
        file_size: end.saturating_sub(start),
        rule,
        ..Section::default()
    };
    let mut image = Image::empty(&elf::BITS_64, Machine::Aarch64, false);
    image.sections = vec![
        piece(b"head", 0, types, executable, Rule::KernelAarch64),
        piece(b".BTF", types, types_end, elf::SHF_ALLOC, Rule::Types),
        piece(b"tail", types_end, size, executable, Rule::KernelAarch64),
    ];
    image.listed = image.sections.len();
    Some(image.indexed())
}

/// Start and end of the kernel's own BTF: the first header of version 1 whose strings follow its types inside the file.
fn types(peek: &mut Peek<'_>, size: u64) -> Option<(u64, u64)> {
    let mut at = 0u64;
    while at < size {
        let found = peek
            .bytes(at, BLOCK)
            .chunks_exact(8)
            .position(|word| word == b"\x9f\xeb\x01\x00\x18\x00\x00\x00");
        if let Some(found) = found {
            let start = at.wrapping_add(wide(found).wrapping_mul(8));
            let header = peek.bytes(start, 24);
            let [types, length, strings, strings_length] =
                [8, 12, 16, 20].map(|at| u32_at(header, at).unwrap_or(0));
            let end = start
                .wrapping_add(24)
                .wrapping_add(u64::from(strings))
                .wrapping_add(u64::from(strings_length));
            if types == 0 && length == strings && end <= size {
                return Some((start, end));
            }
        }
        at = at.wrapping_add(wide(BLOCK));
    }
    None
}
