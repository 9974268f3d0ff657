//! A small mutator with a fixed seed, so that a test run is the same everywhere.

/// Pseudo-random numbers (xorshift64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() >> 11) as usize % bound.max(1)
    }
}

const INTERESTING: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'/', b'.', b'\n'];

/// One to four changes of `seed`: bits, bytes, cuts, repeats, and pieces of `other`.
pub fn mutate(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len());
        match random.below(8) {
            0 if !data.is_empty() => data[at] ^= 1 << random.below(8),
            1 if !data.is_empty() => data[at] = INTERESTING[random.below(INTERESTING.len())],
            2 if !data.is_empty() => data[at] = data[at].wrapping_add(1),
            3 => data.truncate(at),
            4 => drop(data.drain(at..(at + random.below(9)).min(data.len()))),
            5 => data.insert(at, INTERESTING[random.below(INTERESTING.len())]),
            6 => {
                let piece = data[at..(at + random.below(33)).min(data.len())].to_vec();
                data.splice(at..at, piece);
            }
            _ => {
                let from = random.below(other.len());
                let piece = &other[from..(from + random.below(33)).min(other.len())];
                data.splice(at..at, piece.iter().copied());
            }
        }
    }
    data
}
