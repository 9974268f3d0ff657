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
}

struct Section {
    name: &'static str,
    kind: u32,
    flags: u64,
    link: u32,
    align: u64,
    entry: u64,
    bytes: Vec<u8>,
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
                    text.extend((0x9000_0003 | (pages & 3) << 29 | (pages >> 2 & 0x7_ffff) << 5).to_le_bytes());
                    text.extend((0x9100_0063 | (datum as u32 & 0xfff) << 10).to_le_bytes());
                }
                _ => text.extend(random.bytes(8)),
            }
        }
    }
    let data: Vec<u8> = starts.iter().flat_map(|start| (text_at + start).to_le_bytes()).collect();
    let mut names = vec![0u8];
    let mut symbols = vec![0u8; 24];
    for (number, start) in starts.iter().enumerate() {
        symbols.extend((names.len() as u32).to_le_bytes());
        symbols.extend([0x12, 0, 1, 0]);
        symbols.extend((text_at + start).to_le_bytes());
        symbols.extend((8 * bodies[number] as u64).to_le_bytes());
        names.extend(format!("function_{number}\0").bytes());
    }
    let section = |name, kind, flags, link, align, entry, bytes| Section { name, kind, flags, link, align, entry, bytes };
    let sections = [
        section(".text", 1, 6, 0, 16, 0, text),
        section(".data", 1, 3, 0, 8, 0, data),
        section(".symtab", 2, 0, 4, 8, 24, symbols),
        section(".strtab", 3, 0, 0, 1, 0, names),
    ];
    write(machine, &sections, &[text_at, data_at, 0, 0])
}

fn write(machine: Machine, sections: &[Section], addresses: &[u64]) -> Vec<u8> {
    let mut file = vec![0u8; 64];
    let mut table = vec![0u8; 64];
    let mut names = vec![0u8];
    for (section, address) in sections.iter().zip(addresses) {
        let align = if *address == 0 { section.align } else { 0x1000 };
        file.resize(file.len().next_multiple_of(align as usize), 0);
        table.extend((names.len() as u32).to_le_bytes());
        table.extend(section.kind.to_le_bytes());
        for word in [section.flags, *address, file.len() as u64, section.bytes.len() as u64] {
            table.extend(word.to_le_bytes());
        }
        table.extend(section.link.to_le_bytes());
        table.extend(0u32.to_le_bytes());
        for word in [section.align, section.entry] {
            table.extend(word.to_le_bytes());
        }
        names.extend(section.name.bytes().chain([0]));
        file.extend(&section.bytes);
    }
    let names_at = file.len() as u64;
    table.extend((names.len() as u32).to_le_bytes());
    names.extend(b".shstrtab\0");
    table.extend(3u32.to_le_bytes());
    for word in [0, 0, names_at, names.len() as u64, 0, 1, 0] {
        table.extend(word.to_le_bytes());
    }
    file.extend(names);
    file.resize(file.len().next_multiple_of(8), 0);
    let table_at = file.len() as u64;
    let count = (table.len() / 64) as u16;
    file.extend(table);
    file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    file[16] = 3;
    file[18..20].copy_from_slice(&if machine == Machine::X86 { 62u16 } else { 183 }.to_le_bytes());
    file[20] = 1;
    file[32] = 64;
    file[40..48].copy_from_slice(&table_at.to_le_bytes());
    file[52] = 64;
    file[54] = 56;
    file[58] = 64;
    file[60..62].copy_from_slice(&count.to_le_bytes());
    file[62..64].copy_from_slice(&(count - 1).to_le_bytes());
    file
}
