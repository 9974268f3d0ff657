//! Programs for 32-bit Arm, A32 and Thumb-2, whose references are all of one sort.

use super::elf::{Machine, Random, Section, thumb_call, write};

/// What the functions of a program do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sort {
    /// Call each other.
    Calls,
    /// Jump to their own ends.
    Near,
    /// Call each other and jump to their own ends.
    Both,
    /// Compare and jump a few instructions ahead.
    Compare,
    /// Load words that count from the PC; the load with a long encoding.
    Literals(bool),
    /// Load words that are offsets from the global offset table.
    Offsets,
    /// Load words that are addresses.
    Addresses,
    /// Take addresses in two halves.
    Halves,
    /// Go through linkage stubs.
    Stubs,
}

const FUNCTIONS: usize = 240;

struct Program {
    thumb: bool,
    sort: Sort,
    /// Address of the code, of the table or data after it, and of each function.
    text: u64,
    data: u64,
    starts: Vec<u64>,
    /// Words in the data before those of the functions.
    inserted: u64,
}

/// A program of so many functions; each `every`th has some more instructions in its middle.
pub fn program(thumb: bool, sort: Sort, every: Option<usize>) -> Vec<u8> {
    // the code of programs that are loaded anywhere has no addresses
    let text = if matches!(sort, Sort::Addresses | Sort::Halves) { 0x1_0000 } else { 0x1000 };
    let mut random = Random(0x2468_ace0_1357_9bdf);
    let units: Vec<u64> = (0..FUNCTIONS).map(|_| 4 + 2 * random.below(5)).collect();
    let grown = |number: usize| every.is_some_and(|every| number % every == every - 1);
    let (mut starts, mut end) = (Vec::new(), text);
    for (number, units) in units.iter().enumerate() {
        starts.push(end);
        // each unit has eight bytes of code and a literal
        end += 12 * units + if grown(number) { 12 } else { 0 };
    }
    let data = end.next_multiple_of(16) + 0x40;
    let inserted = if every.is_some() { 5 } else { 0 };
    let program = Program { thumb, sort, text, data, starts, inserted };
    let mut code = Vec::new();
    for (number, units) in units.iter().enumerate() {
        program.function(&mut code, number, *units, grown(number), &mut random);
    }
    // entries in front move what is after them
    let mut words: Vec<u32> = (0..inserted as u32).map(|more| 0x4000_0000 + more).collect();
    words.extend(program.starts.iter().map(|start| *start as u32));
    let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let section = |name, flags, bytes| Section { name, kind: 1, flags, link: 0, align: 8, entry: 0, bytes };
    write(Machine::Thumb, &[section(".text", 6, code), section(".got", 3, bytes)], &[text, data])
}

impl Program {
    fn function(&self, code: &mut Vec<u8>, number: usize, units: u64, grown: bool, random: &mut Random) {
        let start = self.starts[number];
        assert_eq!(start, self.text + code.len() as u64, "where the layout has it");
        let pool = start + 8 * units + if grown { 12 } else { 0 };
        let mut literals = Vec::new();
        for unit in 0..units {
            if grown && unit == units / 2 {
                code.extend(self.filler(0x77).repeat(3));
            }
            let place = self.text + code.len() as u64;
            let literal = pool + 4 * unit;
            let callee = self.starts[random.below(FUNCTIONS as u64) as usize];
            let datum = self.data + 4 * (self.inserted + random.below(FUNCTIONS as u64));
            let noise = random.next();
            let (bytes, word) = self.unit(place, literal, pool, callee, datum, noise);
            code.extend(bytes);
            // a stub is in one piece
            if self.sort == Sort::Stubs { &mut *code } else { &mut literals }.extend(word.to_le_bytes());
        }
        code.extend(literals);
    }

    /// An instruction between registers that says where it is from.
    fn filler(&self, noise: u64) -> [u8; 4] {
        let (one, other) = (noise as u32 & 7, (noise >> 8) as u32 & 7);
        if self.thumb {
            let [low, high] = (0x4600 | (one << 3 | other) as u16).to_le_bytes();
            let [third, fourth] = (0x4600 | (noise >> 16) as u16 & 0x3f).to_le_bytes();
            [low, high, third, fourth]
        } else {
            (0xe1a0_0000 | one << 12 | other).to_le_bytes()
        }
    }

    /// Eight bytes of code, and a literal.
    fn unit(
        &self,
        place: u64,
        literal: u64,
        end: u64,
        callee: u64,
        datum: u64,
        noise: u64,
    ) -> (Vec<u8>, u32) {
        let filler = self.filler(noise);
        let quiet = 0x8001_0003 | (noise as u32 & 0x7ff) << 4;
        let pair = |first: [u8; 4], second: [u8; 4]| [first, second].concat();
        let ahead = (literal - (place & !3) - if self.thumb { 4 } else { 8 }) as u32;
        let load = match (self.thumb, self.sort) {
            (false, _) => (0xe59f_2000 | ahead).to_le_bytes().to_vec(),
            (true, Sort::Literals(true)) => {
                [0xf8dfu16.to_le_bytes(), (0x2000 | ahead as u16).to_le_bytes()].concat()
            }
            (true, _) => (0x4a00 | (ahead / 4) as u16).to_le_bytes().to_vec(),
        };
        let (code, word) = match self.sort {
            Sort::Calls if self.thumb => (pair(thumb_call(place, callee), filler), quiet),
            Sort::Calls => (pair(a32_branch(0xeb00_0000, place, callee), filler), quiet),
            Sort::Both => {
                let narrow = (0xe000 | ((end - place - 8) as u16 / 2)).to_le_bytes();
                (pair(thumb_call(place, callee), [narrow[0], narrow[1], filler[0], filler[1]]), quiet)
            }
            Sort::Near if self.thumb && noise & 1 == 0 => {
                let distance = (end - place - 4) as u32 / 2;
                let wide = 0x8000_f000 | (distance & 0x7ff) << 16;
                (pair(wide.to_le_bytes(), filler), quiet)
            }
            Sort::Near if self.thumb => {
                let narrow = (0xe000 | ((end - place - 4) as u16 / 2)).to_le_bytes();
                (pair([narrow[0], narrow[1], 0x05, 0x46], filler), quiet)
            }
            Sort::Near => (pair(a32_branch(0xea00_0000, place, end), filler), quiet),
            Sort::Compare => {
                let distance = ((end - place - 4) / 2).min(63) as u16;
                let narrow = (0xb100 | (distance & 31) << 3 | (distance >> 5) << 9).to_le_bytes();
                (pair([narrow[0], narrow[1], 0x05, 0x46], filler), quiet)
            }
            Sort::Literals(_) | Sort::Addresses | Sort::Offsets => {
                let mut code = load;
                let at = place + code.len() as u64;
                let pc = at + if self.thumb { 4 } else { 8 };
                let word = match (self.sort, self.thumb) {
                    (Sort::Literals(_), true) => {
                        code.extend(0x447au16.to_le_bytes());
                        datum.wrapping_sub(pc)
                    }
                    (Sort::Literals(_), false) => {
                        code.extend(0xe08f_2002u32.to_le_bytes());
                        datum.wrapping_sub(pc)
                    }
                    (Sort::Offsets, true) => {
                        code.extend(0x589au16.to_le_bytes());
                        datum - self.data
                    }
                    (Sort::Offsets, false) => {
                        code.extend(0xe793_2002u32.to_le_bytes());
                        datum - self.data
                    }
                    _ => datum,
                };
                code.extend(filler.repeat(2));
                code.truncate(8);
                (code, word as u32)
            }
            Sort::Halves => {
                let half = |half: u64, opcode: u64| {
                    let (top, rest) = (half >> 12, half & 0xfff);
                    if self.thumb {
                        let first = 0xf240 | (opcode << 7) | (rest >> 11) << 10 | top;
                        let second = (rest >> 8 & 7) << 12 | 0x200 | rest & 0xff;
                        (first as u32 | (second as u32) << 16).to_le_bytes()
                    } else {
                        (0xe300_2000 | (opcode as u32) << 22 | (top as u32) << 16 | rest as u32).to_le_bytes()
                    }
                };
                (pair(half(datum & 0xffff, 0), half(datum >> 16, 1)), quiet)
            }
            Sort::Stubs => {
                let distance = (datum - place - 8) as u32;
                let first = 0xe28f_c600 | distance >> 20;
                let second = 0xe28c_ca00 | (distance >> 12) & 0xff;
                (pair(first.to_le_bytes(), second.to_le_bytes()), 0xe5bc_f000 | distance & 0xfff)
            }
        };
        (code, word)
    }
}

fn a32_branch(opcode: u32, place: u64, target: u64) -> [u8; 4] {
    let words = (target.wrapping_sub(place + 8) >> 2) as u32;
    (opcode | words & 0xff_ffff).to_le_bytes()
}
