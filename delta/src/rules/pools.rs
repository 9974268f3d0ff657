//! Literal pools of 32-bit Arm: the words among code that instructions load, and what they count from. Since profile 3.
//!
//! One walk over the code of each section in address order, before the first window: copies cut loads from their literals. What was
//! noted as a literal when the walk comes to it is not decoded. A literal counts from the PC where that is first added to the
//! register into which it was loaded last, or is an offset in a table where the register is first added to another as an address.

use super::Rule;
use super::arm_patterns::{self, Pattern, Role, Set};
use crate::image::{Image, Section};
use crate::io::ReadAt;
use crate::num::{align_up, before, index, u16_at, u32_at, up_to, wide};

/// Most literals of a file; those found after are not predicted. Changing it breaks the format.
const MAX: usize = 1 << 16;
/// Bytes of code looked at a time.
const WINDOW: u64 = 16 << 10;
/// That nothing was added to a literal.
pub(super) const PLAIN: u64 = u64::MAX;
/// That it is an offset in a table, by its use.
pub(super) const OFFSET: u64 = PLAIN - 1;

/// All literals of a file as (address, what it counts from), ascending.
#[derive(Debug, Default)]
pub(crate) struct Pools(Vec<(u64, u64)>);

impl Pools {
    /// The literals from `address` on.
    pub(super) fn from(&self, address: u64) -> &[(u64, u64)] {
        self.0.get(up_to(&self.0, address.saturating_sub(1))..).unwrap_or(&[])
    }

    /// Bytes of memory taken.
    pub(crate) fn memory(&self) -> u64 {
        wide(self.0.len()).saturating_mul(16)
    }

    fn note(&mut self, address: u64) {
        let is_known = before(&self.0, address).is_some_and(|(literal, _)| *literal == address);
        if !is_known && self.0.len() < MAX {
            self.0.insert(up_to(&self.0, address), (address, PLAIN));
        }
    }

    /// Notes what the literal at `address` counts from, unless that is known.
    fn count_from(&mut self, address: u64, base: u64) {
        let place = up_to(&self.0, address).wrapping_sub(1);
        if let Some((literal, from)) = self.0.get_mut(place)
            && *literal == address
            && *from == PLAIN
        {
            *from = base;
        }
    }
}

/// One instruction.
pub(super) struct Instruction {
    pub(super) set: Set,
    pub(super) word: u32,
    pub(super) place: u64,
}

impl Instruction {
    /// The one at `at`, whose address is `place`, if it is there as a whole; Thumb-2 tells its length by the first five bits.
    pub(super) fn read(thumb: bool, bytes: &[u8], at: usize, place: u64) -> Option<Instruction> {
        let (set, word) = match u16_at(bytes, at)? {
            _ if !thumb => (Set::A32, u32_at(bytes, at)?),
            first if first >> 11 < 0x1d => (Set::Narrow, first.into()),
            _ => (Set::Wide, u32_at(bytes, at)?),
        };
        Some(Instruction { set, word, place })
    }

    pub(super) fn length(&self) -> usize {
        if self.set == Set::Narrow { 2 } else { 4 }
    }

    pub(super) fn pattern(&self) -> Option<&'static Pattern> {
        arm_patterns::find(self.set, self.word)
    }

    /// What it reads as the PC.
    pub(super) fn pc(&self) -> u64 {
        self.place.wrapping_add(self.ahead())
    }

    /// How far that is ahead.
    pub(super) fn ahead(&self) -> u64 {
        if self.set == Set::A32 { 8 } else { 4 }
    }

    /// What its bits lead to.
    pub(super) fn target(&self, pattern: &Pattern) -> u64 {
        let bits = pattern.form.get(&self.word.to_le_bytes()).unwrap_or(0);
        pattern.form.target(bits, self.pc()) & 0xffff_ffff
    }

    /// The register whose number is at `bit`.
    pub(super) fn register(&self, bit: u8) -> usize {
        let word = self.word.wrapping_shr(bit.into());
        let number = match (self.set, bit) {
            // LDR has three bits, ADD has the fourth elsewhere
            (Set::Narrow, 3 | 6 | 8) => word & 7,
            (Set::Narrow, _) => (word & 7) | ((word >> 4) & 8),
            _ => word & 15,
        };
        index(number.into())
    }
}

/// Gives the code of an Arm file its rules since profile 3.
pub(crate) fn renew(file: &dyn ReadAt, image: &mut Image) {
    for section in image.sections.iter_mut().filter(|section| section.rule == Rule::CodeThumb) {
        section.rule = if is_a32(file, section) { Rule::CodeA32 } else { Rule::CodeT32 };
    }
}

/// Whether at least half of the words of a section have the condition "always". Changing it breaks the format.
fn is_a32(file: &dyn ReadAt, section: &Section) -> bool {
    let (mut all, mut always) = (0u64, 0u64);
    each(file, section, 4, &mut |bytes, _| {
        for word in bytes.chunks_exact(4) {
            all = all.wrapping_add(1);
            always = always.wrapping_add(u64::from(word.last().is_some_and(|top| top >> 4 == 0xe)));
        }
        bytes.len() & !3
    });
    always.wrapping_mul(2) >= all
}

/// Reads a section piece by piece, from the first address that is a multiple of `step`; each time `look` says how many bytes it is done
/// with, at the end none.
fn each(file: &dyn ReadAt, section: &Section, step: u64, look: &mut dyn FnMut(&[u8], u64) -> usize) {
    let mut bytes = Vec::new();
    let mut at = section.offset.wrapping_add(align_up(section.addr, step).wrapping_sub(section.addr));
    let end = section.offset.saturating_add(section.file_size);
    loop {
        bytes.resize(index(WINDOW.min(end.saturating_sub(at))), 0);
        let done = match file.read_at(at, &mut bytes) {
            Ok(()) => look(&bytes, section.address_of(at)),
            Err(_) => 0,
        };
        if done == 0 {
            return;
        }
        at = at.saturating_add(wide(done));
    }
}

/// Looks through all code of `file`.
#[inline(never)]
pub(crate) fn find(file: &dyn ReadAt, image: &Image) -> Pools {
    let mut pools = Pools::default();
    for section in &image.sections {
        let step = match section.rule {
            Rule::CodeA32 => 4,
            Rule::CodeT32 => 2,
            _ => continue,
        };
        let mut loaded = [PLAIN; 16];
        each(file, section, step, &mut |bytes, place| pools.walk(step == 2, bytes, place, &mut loaded));
    }
    pools
}

impl Pools {
    /// Goes through code; `loaded` is for each register the literal that it has.
    fn walk(&mut self, thumb: bool, bytes: &[u8], start: u64, loaded: &mut [u64; 16]) -> usize {
        let (mut at, mut next) = (0usize, 0u64);
        while let Some(one) = Instruction::read(thumb, bytes, at, start.wrapping_add(wide(at))) {
            if one.place >= next {
                next = self.from(one.place).first().map_or(PLAIN, |(literal, _)| *literal);
            }
            if one.place == next {
                at = at.wrapping_add(4);
                continue;
            }
            at = at.wrapping_add(one.length());
            let Some(pattern) = one.pattern() else { continue };
            let held = |bit| loaded.get(one.register(bit)).copied().unwrap_or(PLAIN);
            match pattern.role {
                Role::Load(bit, words) => {
                    let literal = one.target(pattern);
                    for word in 0..u64::from(words) {
                        self.note(literal.wrapping_add(word.wrapping_mul(4)) & 0xffff_ffff);
                    }
                    // to be looked up again
                    next = 0;
                    if let Some(slot) = loaded.get_mut(one.register(bit)).filter(|_| bit < 32) {
                        *slot = literal;
                    }
                }
                Role::Add(bit) => self.count_from(held(bit), one.pc()),
                Role::Sum(bit, other) => {
                    self.count_from(held(bit), OFFSET);
                    self.count_from(held(other), OFFSET);
                }
                _ => {}
            }
        }
        at.min(bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(thumb: bool, bytes: &[u8]) -> (Vec<(u64, u64)>, usize) {
        let mut pools = Pools::default();
        let dealt = pools.walk(thumb, bytes, 0x8000, &mut [PLAIN; 16]);
        (pools.0, dealt)
    }

    #[test]
    fn a_literal_counts_from_the_first_pc_added_to_its_register() {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        // ldr r2, 0x8018; ldr r3, 0x801c; ldr r0, 0x8020; add r2, pc, r2; add r2, pc, r2; ldr r3, [r4, r3]
        let code = [0xe59f_2010, 0xe59f_3010, 0xe59f_0010, 0xe08f_2002, 0xe08f_2002, 0xe794_3003];
        // a literal that reads as a load of a further one is not decoded
        let pool = [0xe59f_2010, 0xe59f_2010, 0xe59f_2010, 0xe59f_2010];
        let (found, dealt) = walk(false, &words(&[&code[..], &pool].concat()));
        assert_eq!(found, [(0x8018, 0x8014), (0x801c, OFFSET), (0x8020, PLAIN), (0x803c, PLAIN)]);
        assert_eq!(dealt, 40);
    }

    #[test]
    fn thumb_has_the_fourth_bit_of_an_added_register_elsewhere() {
        // ldr.w fp, 0x800c; ldr r3, 0x8010; add fp, pc; add r3, pc; and two literals
        let halves: [u16; 10] = [0xf8df, 0xb008, 0x4b02, 0x44fb, 0x447b, 0xbf00, 0x4b02, 0x4b02, 0, 0];
        let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        let (found, _) = walk(true, &bytes);
        assert_eq!(found, [(0x800c, 0x800a), (0x8010, 0x800c)]);
    }

    #[test]
    fn no_length_of_code_and_no_place_is_beyond_it() {
        let mut bytes = [0xdf, 0xf8, 0x00, 0x3f, 0x9f, 0xed, 0x00, 0x0b, 0x11, 0x4b, 0xdf, 0xe9, 0x00, 0x01];
        for length in 0..bytes.len() {
            for (thumb, place) in [(true, 0), (true, u64::MAX - 3), (false, 0xffff_fff8), (false, 0)] {
                bytes.rotate_left(2);
                let dealt = Pools::default().walk(thumb, &bytes[..length], place, &mut [PLAIN; 16]);
                assert!(dealt <= length);
            }
        }
        let mut full = Pools((0..MAX as u64).map(|number| (number, PLAIN)).collect());
        full.note(1 << 20);
        assert_eq!(full.0.len(), MAX);
    }

    #[test]
    fn most_words_of_a32_are_always_carried_out() {
        let of = |words: &[u32]| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let file_size = bytes.len() as u64;
            let mut section = Section::default();
            section.file_size = file_size;
            is_a32(&bytes, &section)
        };
        assert!(of(&[0xe1a0_0000, 0x0000_0000]) && of(&[0xe1a0_0000, 0xe000_0000, 0x0a00_0000]));
        assert!(!of(&[0x4600_bf00, 0x4600_bf00, 0xe7fe_bf00]));
    }
}
