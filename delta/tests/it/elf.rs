//! Small ELF files with calls, data references and tables, laid out anew each time a function grows.

/// A pseudo-random sequence, the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[3] | 0x40).collect()
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Machine {
    X86,
    Aarch64,
    Thumb,
    I386,
}

impl Machine {
    fn is_narrow(self) -> bool {
        matches!(self, Machine::Thumb | Machine::I386)
    }
}

pub struct Section {
    pub name: &'static str,
    pub kind: u32,
    pub flags: u64,
    pub link: u32,
    pub align: u64,
    pub entry: u64,
    pub bytes: Vec<u8>,
}

/// A shared library of `functions` functions; those in `grown` are a few instructions longer.
pub fn library(machine: Machine, functions: usize, grown: &[usize]) -> Vec<u8> {
    let mut random = Random(0x1234_5678_9abc_def1);
    let bodies: Vec<usize> = (0..functions).map(|_| 8 + random.below(24) as usize).collect();
    let mut starts = Vec::new();
    let mut end = 0u64;
    for (number, words) in bodies.iter().enumerate() {
        starts.push(end);
        end += 8 * (*words as u64 + if grown.contains(&number) { 5 } else { 0 });
    }
    let text_at = 0x1000u64;
    let data_at = (text_at + end).next_multiple_of(0x1000);
    let mut text = Vec::new();
    for (number, words) in bodies.iter().enumerate() {
        let extra = if grown.contains(&number) { 5 } else { 0 };
        for _ in 0..extra {
            text.extend([0x90, 0x1f, 0x20, 0x03, 0xd5, 0x1f, 0x20, 0x03]);
        }
        for _ in 0..*words {
            let place = text_at + text.len() as u64;
            let callee = text_at + starts[random.below(functions as u64) as usize];
            let datum = data_at + 8 * random.below(functions as u64);
            match (machine, random.below(3)) {
                (Machine::X86, 0) => {
                    text.push(0xe8);
                    text.extend((callee.wrapping_sub(place + 5) as u32).to_le_bytes());
                    text.extend(random.bytes(3));
                }
                (Machine::X86, 1) => {
                    text.extend([0x48, 0x8d, 0x3d]);
                    text.extend((datum.wrapping_sub(place + 7) as u32).to_le_bytes());
                    text.push(0x90);
                }
                (Machine::Aarch64, 0) => {
                    let distance = (callee.wrapping_sub(place) >> 2) as u32 & 0x3ff_ffff;
                    text.extend((0x9400_0000 | distance).to_le_bytes());
                    text.extend(0xaa01_03e2u32.to_le_bytes());
                }
                (Machine::Aarch64, 1) => {
                    let pages = ((datum >> 12).wrapping_sub(place >> 12)) as u32;
                    text.extend(
                        (0x9000_0003 | (pages & 3) << 29 | (pages >> 2 & 0x7_ffff) << 5).to_le_bytes(),
                    );
                    text.extend((0x9100_0063 | (datum as u32 & 0xfff) << 10).to_le_bytes());
                }
                (Machine::I386, 0) => {
                    text.push(0xe8);
                    text.extend((callee.wrapping_sub(place + 5) as u32).to_le_bytes());
                    text.extend(random.bytes(3));
                }
                (Machine::I386, 1) => {
                    // LEA from the global offset table in EBX, to data or to code
                    let target = if random.below(2) == 0 { datum / 2 + data_at / 2 } else { callee };
                    text.extend([0x8d, 0x83]);
                    text.extend((target.wrapping_sub(data_at) as u32).to_le_bytes());
                    text.extend([0x90; 2]);
                }
                (Machine::Thumb, 0 | 1) => {
                    text.extend(thumb_call(place, callee));
                    text.extend([0x00, 0xbf, 0x00, 0xbf]);
                }
                (Machine::Thumb, _) => {
                    // MOV between registers: noise would look like loads from literal pools
                    text.extend(random.bytes(4).into_iter().flat_map(|byte| [byte, 0x46]));
                }
                _ => text.extend(random.bytes(8)),
            }
        }
    }
    let narrow = machine.is_narrow();
    let word = |value: u64| value.to_le_bytes()[..if narrow { 4 } else { 8 }].to_vec();
    let data: Vec<u8> = starts.iter().flat_map(|start| word(text_at + start)).collect();
    let mut names = vec![0u8];
    let mut symbols = vec![0u8; if narrow { 16 } else { 24 }];
    for (number, start) in starts.iter().enumerate() {
        let kind = [0x12, 0, 1, 0];
        symbols.extend((names.len() as u32).to_le_bytes());
        symbols.extend(if narrow { &[][..] } else { &kind });
        symbols.extend(word(text_at + start));
        symbols.extend(word(8 * bodies[number] as u64));
        symbols.extend(if narrow { &kind } else { &[][..] });
        names.extend(format!("function_{number}\0").bytes());
    }
    let section = |name, kind, flags, link, align, entry, bytes| Section {
        name,
        kind,
        flags,
        link,
        align,
        entry,
        bytes,
    };
    let sections = [
        section(".text", 1, 6, 0, 16, 0, text),
        section(if machine == Machine::I386 { ".got.plt" } else { ".data" }, 1, 3, 0, 8, 0, data),
        section(".symtab", 2, 0, 4, 8, 24, symbols),
        section(".strtab", 3, 0, 0, 1, 0, names),
    ];
    write(machine, &sections, &[text_at, data_at, 0, 0])
}

/// Thumb-2 BL.
pub fn thumb_call(place: u64, callee: u64) -> [u8; 4] {
    let distance = callee.wrapping_sub(place + 4) >> 1;
    let bits = |at: u32, count: u32| (distance >> at) as u16 & ((1 << count) - 1);
    let sign = bits(23, 1);
    let [j1, j2] = [bits(22, 1) ^ sign ^ 1, bits(21, 1) ^ sign ^ 1];
    let first = 0xf000 | sign << 10 | bits(11, 10);
    let second = 0xd000 | j1 << 13 | j2 << 11 | bits(0, 11);
    let ([a, b], [c, d]) = (first.to_le_bytes(), second.to_le_bytes());
    [a, b, c, d]
}

/// An ELF file of these sections.
pub fn write(machine: Machine, sections: &[Section], addresses: &[u64]) -> Vec<u8> {
    let narrow = machine.is_narrow();
    let length = if narrow { 40 } else { 64 };
    let word = |value: u64| value.to_le_bytes()[..if narrow { 4 } else { 8 }].to_vec();
    let mut file = vec![0u8; if narrow { 52 } else { 64 }];
    let mut table = vec![0u8; length];
    let mut names = vec![0u8];
    let record = |section: &Section, name: usize, address: u64, offset: usize| {
        let mut record = (name as u32).to_le_bytes().to_vec();
        record.extend(section.kind.to_le_bytes());
        for value in [section.flags, address, offset as u64, section.bytes.len() as u64] {
            record.extend(word(value));
        }
        record.extend(section.link.to_le_bytes());
        record.extend(0u32.to_le_bytes());
        record.extend(word(section.align).into_iter().chain(word(section.entry)));
        record
    };
    for (section, address) in sections.iter().zip(addresses) {
        let align = if *address == 0 { section.align } else { 0x1000 };
        file.resize(file.len().next_multiple_of(align as usize), 0);
        table.extend(record(section, names.len(), *address, file.len()));
        names.extend(section.name.bytes().chain([0]));
        file.extend(&section.bytes);
    }
    let name = names.len();
    names.extend(b".shstrtab\0");
    let last = Section { name: ".shstrtab", kind: 3, flags: 0, link: 0, align: 1, entry: 0, bytes: names };
    table.extend(record(&last, name, 0, file.len()));
    file.extend(last.bytes);
    file.resize(file.len().next_multiple_of(8), 0);
    let table_at = file.len() as u64;
    let count = (table.len() / length) as u16;
    file.extend(table);
    let (class, number) = match machine {
        Machine::X86 => (2, 62u16),
        Machine::Aarch64 => (2, 183),
        Machine::Thumb => (1, 40),
        Machine::I386 => (1, 3),
    };
    file[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1, 1]);
    file[16] = 3;
    file[18..20].copy_from_slice(&number.to_le_bytes());
    file[20] = 1;
    let (programs, sections, lengths) = if narrow { (28, 32, 40) } else { (32, 40, 52) };
    let header = if narrow { [52u16, 32, 0, 40] } else { [64, 56, 0, 64] };
    file[programs] = header[0] as u8;
    file[sections..sections + 4].copy_from_slice(&(table_at as u32).to_le_bytes());
    for (number, value) in header.into_iter().chain([count, count - 1]).enumerate() {
        file[lengths + 2 * number..][..2].copy_from_slice(&value.to_le_bytes());
    }
    file
}
