//! A file with its references replaced by a hash of what they point at, so that equal code aligns wherever it lies.

use super::layout;
use crate::field::{Field, Form, Target};
use crate::image::Image;
use crate::image::elf::{SHT_DYNSYM, SHT_SYMTAB};
use crate::num::{u16_at, u32_at};
use crate::rules::{Context, Rule, Window};
use std::collections::BTreeMap;

/// Bytes at the target that the hash covers.
const REACH: usize = 24;
/// Bytes of a linkage stub.
const STUB: u64 = 16;
/// Bytes scanned at a time.
const WINDOW: usize = 16 << 10;

/// A reference to be overwritten.
struct Note {
    at: u32,
    form: Form,
    target: u64,
}

/// `file` made independent of where things are.
pub(super) fn normalise(file: &[u8], image: &Image) -> Vec<u8> {
    let layout = layout::identity(image);
    let mut context = Context::new(&file, image, &layout);
    let mut masked = file.to_vec();
    let mut notes = Vec::new();
    let mut at = 0;
    let mut found = Vec::new();
    while at < file.len() {
        let (section, end) = image.run_at(at as u64);
        let end = end.min(file.len() as u64) as usize;
        let Some(section) = section.filter(|section| image.sections[*section].rule != Rule::Bytes) else {
            at = end;
            continue;
        };
        let to = end.min(at + WINDOW);
        let (bytes, start, last) = (&file[at..to], at as u64, to == end);
        let dealt = context.scan(&mut Window { bytes, start, last, section, found: &mut found });
        let mut done = at as u64;
        for field in &found {
            if field.at >= done {
                done = field.at + field.what.form.width() as u64;
                mask(field, &mut masked, &mut notes);
            }
        }
        at += dealt.max(1);
    }
    let slots = slots(file, image);
    let mut normal = masked.clone();
    for note in &notes {
        let hash = linked(image, &slots, &notes, note.target)
            .unwrap_or_else(|| hash_at(file, &masked, image, note.form, note.target));
        note.form.put(&mut normal[note.at as usize..], hash);
    }
    for (address, hash) in slots {
        if let Some(offset) = offset_of(image, address) {
            image.class().form().put(normal.get_mut(offset as usize..).unwrap_or(&mut []), hash);
        }
    }
    normal
}

/// The addresses that are to hold those of symbols, with a hash of the symbol's name. What is there before differs in nothing.
fn slots(file: &[u8], image: &Image) -> BTreeMap<u64, u64> {
    let class = image.class();
    let mut slots = BTreeMap::new();
    for section in &image.sections {
        let (length, shift) = match section.rule {
            Rule::Rel => (2 * class.word, 8),
            Rule::Rela => (3 * class.word, 32),
            _ => continue,
        };
        let Some(table) = image.sections.get(section.link).filter(|_| !image.relocatable) else { continue };
        let bytes = file.get(section.offset as usize..).unwrap_or(&[]);
        let bytes = bytes.get(..section.file_size as usize).unwrap_or(&[]);
        for record in bytes.chunks_exact(length as usize) {
            let word = |at: u64| class.word_at(record, at as usize).unwrap_or(0);
            let symbol = word(class.word) >> shift;
            if symbol != 0 {
                let at = table.offset.wrapping_add(symbol * class.symbol);
                slots.insert(word(0), symbol_hash(file, image, table.link, at as usize));
            }
        }
    }
    slots
}

/// The hash of the symbol whose slot `target` is, or which the linkage stub there leads to.
fn linked(image: &Image, slots: &BTreeMap<u64, u64>, notes: &[Note], target: u64) -> Option<u64> {
    if let Some(hash) = slots.get(&target) {
        return Some(*hash);
    }
    let offset = offset_of(image, target).filter(|_| image.is_code(target))?;
    let after = notes.partition_point(|note| u64::from(note.at) < offset);
    let stub = notes[after..].iter().take_while(|note| u64::from(note.at) < offset + STUB);
    stub.filter_map(|note| slots.get(&note.target)).next().copied()
}

/// Where the file has the byte at an address.
fn offset_of(image: &Image, address: u64) -> Option<u64> {
    let (_, section) = image.section_at(address)?;
    let into = address - section.addr;
    (into < section.file_size).then_some(section.offset + into)
}

fn mask(field: &Field, masked: &mut [u8], notes: &mut Vec<Note>) {
    let form = field.what.form;
    match field.what.target {
        Target::End => return,
        Target::Address => notes.push(Note { at: field.at as u32, form, target: field.target }),
        _ => {}
    }
    form.put(&mut masked[field.at as usize..], 0);
}

fn hash_at(file: &[u8], masked: &[u8], image: &Image, form: Form, target: u64) -> u64 {
    let Some((_, section)) = image.section_at(target) else { return 0 };
    if section.file_size == 0 {
        return fnv(section.name(), 1);
    }
    let offset = (section.offset + (target - section.addr)) as usize;
    if [Form::U32, Form::INDEX24, Form::SYMBOL24].contains(&form)
        && matches!(section.kind, SHT_SYMTAB | SHT_DYNSYM)
    {
        return symbol_hash(file, image, section.link, offset);
    }
    let end = (offset + REACH).min(masked.len());
    fnv(masked.get(offset..end).unwrap_or(&[]), 2)
}

fn symbol_hash(file: &[u8], image: &Image, names: usize, at: usize) -> u64 {
    let number_at = image.class().symbol_fields[2] as usize;
    let record = file.get(at..at + image.class().symbol as usize).unwrap_or(&[]);
    let name = u32_at(record, 0).unwrap_or(0) as usize;
    if name == 0 {
        let section = image.sections.get(usize::from(u16_at(record, number_at).unwrap_or(0)));
        return section.map_or(3, |section| fnv(section.name(), 3));
    }
    let start = image.sections.get(names).map_or(0, |names| names.offset as usize) + name;
    let name = file.get(start..).unwrap_or(&[]);
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(0);
    fnv(&name[..length], 4)
}

fn fnv(bytes: &[u8], salt: u64) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ salt;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    }
    hash ^ (hash >> 29) ^ (hash >> 41)
}
