//! Raw LZMA streams: no header, no end marker; length and dictionary come from the delta's header.
//!
//! **Source:** the LZMA specification of the LZMA SDK, with lc = 3, lp = 0, pb = 0: what depends on positions is gone.

use super::{Coder, Section, dictionary};
use crate::num::{index, wide};

/// Bytes of memory of one decoder beside its dictionary: probabilities and input buffer.
pub(super) const FIXED: u64 = 96 << 10;

// Where each kind of probability starts among all of them.
const STATES: usize = 12;
const IS_MATCH: usize = 0;
const IS_REP: usize = STATES;
const IS_REP0: usize = 2 * STATES;
const IS_REP1: usize = 3 * STATES;
const IS_REP2: usize = 4 * STATES;
const IS_LONG: usize = 5 * STATES;
const SLOTS: usize = 6 * STATES;
const SPECIAL: usize = SLOTS + 4 * 64;
const ALIGN: usize = SPECIAL + 115;
const LENGTH: usize = ALIGN + 16;
const REP_LENGTH: usize = LENGTH + LENGTHS;
const LITERALS: usize = REP_LENGTH + LENGTHS;
const COUNT: usize = LITERALS + 8 * 0x300;
/// Two choices, two trees of 3 bits and one of 8.
const LENGTHS: usize = 2 + 8 + 8 + 256;

/// A decoder of one stream.
pub(super) struct Lzma<'a> {
    section: Section<'a>,
    input: Vec<u8>,
    taken: usize,
    range: u32,
    code: u32,
    probabilities: Vec<u16>,
    window: Vec<u8>,
    mask: usize,
    /// Bytes given so far; the window is full once there are as many.
    at: u64,
    left: u64,
    state: usize,
    reps: [usize; 4],
    /// Bytes of the match in hand that are still to be copied.
    copy: usize,
    broken: bool,
}

impl<'a> Lzma<'a> {
    /// A decoder that gives exactly `raw` bytes.
    pub(super) fn new(section: Section<'a>, raw: u64) -> Lzma<'a> {
        let size = index(dictionary(raw));
        let mut lzma = Lzma {
            section,
            input: Vec::new(),
            taken: 0,
            range: u32::MAX,
            code: 0,
            probabilities: vec![1024; COUNT],
            window: vec![0; size],
            mask: size.wrapping_sub(1),
            at: 0,
            left: raw,
            state: 0,
            reps: [0; 4],
            copy: 0,
            broken: false,
        };
        lzma.broken = lzma.next() != 0;
        (0..4).for_each(|_| lzma.code = lzma.code << 8 | u32::from(lzma.next()));
        lzma
    }

    /// The next compressed byte; after the last one the stream is broken.
    fn next(&mut self) -> u8 {
        if self.taken >= self.input.len() {
            self.section.fill(&mut self.input);
            self.taken = 0;
        }
        let byte = self.input.get(self.taken).copied();
        self.broken |= byte.is_none();
        self.taken = self.taken.wrapping_add(1);
        byte.unwrap_or(0)
    }

    fn normalise(&mut self) {
        if self.range < 1 << 24 {
            self.range <<= 8;
            self.code = self.code << 8 | u32::from(self.next());
        }
    }

    fn bit(&mut self, which: usize) -> usize {
        self.normalise();
        let Some(probability) = self.probabilities.get_mut(which) else { return 0 };
        let bound = (self.range >> 11).wrapping_mul(u32::from(*probability));
        if self.code < bound {
            self.range = bound;
            *probability = probability.wrapping_add(2048u16.wrapping_sub(*probability) >> 5);
            0
        } else {
            self.range = self.range.wrapping_sub(bound);
            self.code = self.code.wrapping_sub(bound);
            *probability = probability.wrapping_sub(*probability >> 5);
            1
        }
    }

    /// `bits` bits, the highest first.
    fn tree(&mut self, base: usize, bits: u32) -> usize {
        let mut symbol = 1usize;
        for _ in 0..bits {
            symbol = symbol << 1 | self.bit(base.wrapping_add(symbol));
        }
        symbol.wrapping_sub(1usize.wrapping_shl(bits))
    }

    /// `bits` bits, the lowest first.
    fn reverse_tree(&mut self, base: usize, bits: u32) -> usize {
        let (mut symbol, mut value) = (1usize, 0usize);
        for place in 0..bits {
            let bit = self.bit(base.wrapping_add(symbol));
            symbol = symbol << 1 | bit;
            value |= bit.wrapping_shl(place);
        }
        value
    }

    /// `bits` bits that are as often 0 as 1.
    fn direct(&mut self, bits: u32) -> usize {
        let mut value = 0usize;
        for _ in 0..bits {
            self.normalise();
            self.range >>= 1;
            let bit = usize::from(self.code >= self.range);
            if bit == 1 {
                self.code = self.code.wrapping_sub(self.range);
            }
            value = value << 1 | bit;
        }
        value
    }

    fn length(&mut self, base: usize) -> usize {
        let tree = base.wrapping_add(2);
        if self.bit(base) == 0 {
            self.tree(tree, 3).wrapping_add(2)
        } else if self.bit(base.wrapping_add(1)) == 0 {
            self.tree(tree.wrapping_add(8), 3).wrapping_add(10)
        } else {
            self.tree(tree.wrapping_add(16), 8).wrapping_add(18)
        }
    }

    fn distance(&mut self, length: usize) -> usize {
        let kind = length.wrapping_sub(2).min(3);
        let slot = self.tree(SLOTS.wrapping_add(kind.wrapping_mul(64)), 6);
        if slot < 4 {
            return slot;
        }
        let bits = u32::try_from(slot >> 1).unwrap_or(0).wrapping_sub(1);
        let start = (2 | slot & 1).wrapping_shl(bits);
        if slot < 14 {
            let base = SPECIAL.wrapping_add(start).wrapping_sub(slot);
            return start.wrapping_add(self.reverse_tree(base, bits));
        }
        let high = self.direct(bits.wrapping_sub(4)) << 4;
        start.wrapping_add(high).wrapping_add(self.reverse_tree(ALIGN, 4))
    }

    /// The byte `distance` + 1 before the next one.
    fn before(&self, distance: usize) -> u8 {
        let place = index(self.at & wide(self.mask)).wrapping_sub(distance).wrapping_sub(1);
        self.window.get(place & self.mask).copied().unwrap_or(0)
    }

    fn literal(&mut self) -> u8 {
        let context = usize::from(self.before(0) >> 5);
        let base = LITERALS.wrapping_add(context.wrapping_mul(0x300));
        let mut symbol = 1usize;
        let (mut likely, mut follows) = (usize::from(self.before(self.reps[0])), 0x100usize);
        if self.state < 7 {
            follows = 0;
        }
        while symbol < 0x100 {
            likely <<= 1;
            let wanted = likely & follows;
            let which = base.wrapping_add(follows).wrapping_add(wanted).wrapping_add(symbol);
            let bit = self.bit(which);
            symbol = symbol << 1 | bit;
            follows &= if bit == 1 { wanted } else { !wanted };
        }
        self.state = match self.state {
            0..4 => 0,
            state @ 4..10 => state.wrapping_sub(3),
            state => state.wrapping_sub(6),
        };
        u8::try_from(symbol & 0xff).unwrap_or(0)
    }

    /// The next match: how many bytes to copy; from where, the first of the last four distances says.
    fn matched(&mut self) -> usize {
        let late = self.state >= 7;
        if self.bit(IS_REP.wrapping_add(self.state)) == 0 {
            let length = self.length(LENGTH);
            let [first, second, third, _] = self.reps;
            self.reps = [self.distance(length), first, second, third];
            self.state = if late { 10 } else { 7 };
            return length;
        }
        if self.bit(IS_REP0.wrapping_add(self.state)) == 0 {
            if self.bit(IS_LONG.wrapping_add(self.state)) == 0 {
                self.state = if late { 11 } else { 9 };
                return 1;
            }
        } else {
            let [first, second, third, fourth] = self.reps;
            self.reps = if self.bit(IS_REP1.wrapping_add(self.state)) == 0 {
                [second, first, third, fourth]
            } else if self.bit(IS_REP2.wrapping_add(self.state)) == 0 {
                [third, first, second, fourth]
            } else {
                [fourth, first, second, third]
            };
        }
        let length = self.length(REP_LENGTH);
        self.state = if late { 11 } else { 8 };
        length
    }

    fn byte(&mut self) -> u8 {
        if self.copy == 0 {
            if self.bit(IS_MATCH.wrapping_add(self.state)) == 0 {
                return self.literal();
            }
            self.copy = self.matched();
            let reach = self.at.min(wide(self.window.len()));
            if wide(self.reps[0]) >= reach || wide(self.copy) > self.left {
                self.broken = true;
            }
        }
        self.copy = self.copy.wrapping_sub(1);
        self.before(self.reps[0])
    }

    /// All bytes were taken and the coder is in its final state.
    fn is_ended(&mut self) -> bool {
        self.normalise();
        !self.broken && self.code == 0 && self.section.left == 0 && self.taken >= self.input.len()
    }
}

impl Coder for Lzma<'_> {
    fn read(&mut self, into: &mut [u8]) -> Option<usize> {
        let count = into.len().min(index(self.left));
        for place in into.iter_mut().take(count) {
            let byte = self.byte();
            let slot = index(self.at & wide(self.mask));
            if let Some(kept) = self.window.get_mut(slot) {
                *kept = byte;
            }
            *place = byte;
            self.at = self.at.wrapping_add(1);
            self.left = self.left.wrapping_sub(1);
            if self.broken {
                break;
            }
        }
        if self.broken || (self.left == 0 && count > 0 && !self.is_ended()) {
            return None;
        }
        Some(count)
    }
}

#[cfg(feature = "make")]
pub(super) fn pack(raw: &[u8]) -> Vec<u8> {
    use lzma_rust2::{EncodeMode, LzmaOptions, LzmaWriter, MfType};
    use std::io::Write;
    let dictionary = crate::num::low32(dictionary(wide(raw.len())));
    let options = LzmaOptions::new(dictionary, 3, 0, 0, EncodeMode::Normal, 273, MfType::Bt4, 512);
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false).expect("options within bounds");
    writer.write_all(raw).expect("a Vec takes all bytes");
    writer.finish().expect("a Vec takes all bytes")
}

#[cfg(all(test, feature = "make"))]
mod tests {
    use super::*;
    use std::io::Read;

    /// Decodes `packed` to `length` bytes; `None` if it is broken.
    fn decode(packed: &Vec<u8>, length: usize) -> Option<Vec<u8>> {
        let section = Section { source: packed, at: 0, left: wide(packed.len()) };
        let mut lzma = Lzma::new(section, wide(length));
        let mut ours = vec![0; length];
        // in pieces, as streams take it
        for piece in ours.chunks_mut(4096) {
            assert_eq!(lzma.read(piece)?, piece.len());
        }
        Some(ours)
    }

    /// Runs, noise, repeats from afar and near, so that every kind of symbol comes up.
    fn mixed(length: usize) -> Vec<u8> {
        let (mut bytes, mut seed) = (Vec::with_capacity(length), 1u64);
        let mut random = move |end: usize| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as usize % end
        };
        while bytes.len() < length {
            let count = 1 + random(400);
            match random(4) {
                0 => (0..count).for_each(|_| bytes.push(random(256) as u8)),
                1 => bytes.extend(vec![random(4) as u8; count]),
                _ if bytes.len() > count => {
                    let start = random(bytes.len() - count);
                    let part = bytes[start..start + count].to_vec();
                    bytes.extend(part);
                    bytes.push(random(256) as u8);
                }
                _ => bytes.push(0),
            }
        }
        bytes
    }

    #[test]
    fn decodes_as_the_library_does() {
        for length in [1, 5, 4096, 300_000, 2_500_000] {
            let raw = mixed(length);
            let packed = pack(&raw);
            let ours = decode(&packed, raw.len()).unwrap();
            let dictionary = dictionary(wide(raw.len())) as u32;
            let mut theirs = Vec::new();
            let mut reader =
                lzma_rust2::LzmaReader::new(&packed[..], wide(raw.len()), 3, 0, 0, dictionary, None).unwrap();
            reader.read_to_end(&mut theirs).unwrap();
            assert!(ours == raw && theirs == raw, "{length} bytes");
        }
    }

    #[test]
    fn what_is_too_short_too_long_or_changed_is_refused_or_other_bytes() {
        let raw = mixed(3000);
        let packed = pack(&raw);
        for cut in 0..packed.len() {
            assert!(decode(&packed[..cut].to_vec(), raw.len()).is_none(), "cut at {cut}");
        }
        let mut longer = packed.clone();
        longer.push(0);
        assert!(decode(&longer, raw.len()).is_none());
        for length in [0, 1, raw.len() - 1, raw.len() + 1] {
            assert_eq!(decode(&packed, length).is_none(), length > 0, "{length}");
        }
        for bit in 0..packed.len() * 8 {
            let mut flipped = packed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Some(other) = decode(&flipped, raw.len()) {
                assert!(other.len() == raw.len() && other != raw, "bit {bit}");
            }
        }
    }
}
