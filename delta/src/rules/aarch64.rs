//! AArch64 code: branches, and ADRP with the instructions that use its page.
//!
//! One word at a time in address order. For each register the page that an ADRP put there is remembered until another
//! instruction writes the register; a call or return forgets those that a callee may change (AAPCS64).
//! The first use of a page gives the ADRP its full target. Encodings from the Arm ARM, section C4.1.

use super::Window;
use crate::field::{Base, Field, Form, Kind, Target};
use crate::image::{Image, Section};
use crate::num::{align_up, extend32, index, low32, u32_at, u64_at, wide};

/// What an ADRP left in a register.
#[derive(Clone, Copy)]
struct Page {
    page: u64,
    /// Number of the ADRP among the fields found, until its first use.
    adrp: Option<usize>,
}

/// Pages in registers, and the fields found.
struct Registers<'f> {
    pages: [Option<Page>; 32],
    found: &'f mut Vec<Field>,
}

fn register(word: u32, bit: u32) -> usize {
    index(u64::from(word.wrapping_shr(bit) & 31))
}

impl Registers<'_> {
    fn set(&mut self, register: usize, page: Option<Page>) {
        if let Some(slot) = self.pages.get_mut(register) {
            *slot = page;
        }
    }

    /// What a callee may change is unknown after a call.
    fn forget(&mut self) {
        for register in (0..19).chain([30]) {
            self.set(register, None);
        }
    }

    /// A use of the page in `register` with twelve more bits.
    fn use_page(&mut self, image: &Image, register: usize, at: u64, word: u32, shift: u32) {
        let Some(Some(page)) = self.pages.get(register).copied() else { return };
        let low = u64::from((word >> 10) & 0xfff).wrapping_shl(shift);
        let Some(form) = Form::LOW12.get(index(shift.into())) else { return };
        let target = page.page.wrapping_add(low);
        if image.loaded_at(target).is_none() {
            return;
        }
        let target = Target::Address(target);
        if let Some(adrp) = page.adrp.and_then(|adrp| self.found.get_mut(adrp)) {
            adrp.target = target;
        }
        self.set(register, Some(Page { adrp: None, ..page }));
        self.found.push(Field { at, form, kind: Kind::Low, base: Base::At(0), target });
    }
}

/// Finds the references of a window of code.
pub(super) fn scan(image: &Image, section: &Section, window: &Window<'_>, found: &mut Vec<Field>) -> usize {
    let start = section.address_of(window.start);
    let skip = index(align_up(start, 4).wrapping_sub(start));
    let mut registers = Registers { pages: [None; 32], found };
    let mut dealt = skip;
    while let Some(word) = u32_at(window.bytes, dealt) {
        let at = window.start.wrapping_add(wide(dealt));
        step(image, &mut registers, at, start.wrapping_add(wide(dealt)), word);
        dealt = dealt.wrapping_add(4);
    }
    if window.last { window.bytes.len() } else { dealt }
}

/// Finds the references of a window of a kernel Image: words that point into it, and code everywhere else.
pub(super) fn scan_kernel(
    image: &Image,
    section: &Section,
    window: &Window<'_>,
    found: &mut Vec<Field>,
) -> usize {
    let start = section.address_of(window.start);
    let mut registers = Registers { pages: [None; 32], found };
    let mut dealt = index(align_up(start, 4).wrapping_sub(start));
    let stop = if window.last { window.bytes.len() } else { window.bytes.len().saturating_sub(7) };
    while dealt < stop
        && let Some(word) = u32_at(window.bytes, dealt)
    {
        let (at, place) = (window.start.wrapping_add(wide(dealt)), start.wrapping_add(wide(dealt)));
        let address = u64_at(window.bytes, dealt).filter(|address| place & 7 == 0 && image.is_code(*address));
        if let Some(address) = address {
            let target = Target::Address(address);
            registers.found.push(Field { at, form: &Form::U64, kind: Kind::Word, base: Base::At(0), target });
            dealt = dealt.wrapping_add(8);
            continue;
        }
        match kernel_word(image, window, dealt, at, place, word) {
            Some(field) => registers.found.push(field),
            None => step(image, &mut registers, at, place, word),
        }
        dealt = dealt.wrapping_add(4);
    }
    if window.last { window.bytes.len() } else { dealt.min(window.bytes.len()) }
}

/// Least distance of a relative word of a kernel table, in bytes.
const FAR: u64 = 4096;
/// Widest step over two neighbours in a table of ascending offsets, in bytes.
const STEP: u32 = 64 << 10;

/// A word of the kernel's tables: an offset from the start of the Image among ascending ones (kallsyms), or the
/// distance to something in the Image (exported symbols, exceptions, bugs, alternatives).
fn kernel_word(
    image: &Image,
    window: &Window<'_>,
    into: usize,
    at: u64,
    place: u64,
    word: u32,
) -> Option<Field> {
    let start = image.sections.first()?.addr;
    let neighbour = |skip: usize| u32_at(window.bytes, skip);
    let before = into.checked_sub(4).and_then(neighbour);
    let after = into.checked_add(4).and_then(neighbour);
    let ascending = before
        .zip(after)
        .is_some_and(|(before, after)| before < word && word < after && after.wrapping_sub(before) < STEP);
    let offset = start.wrapping_add(u64::from(word));
    if ascending && image.loaded_at(offset).is_some() {
        let (base, target) = (Base::At(start), Target::Address(offset));
        return Some(Field { at, form: &Form::U32, kind: Kind::Table, base, target });
    }
    let distance = extend32(word);
    let target = place.wrapping_add(distance);
    let is_far = distance.wrapping_add(FAR) > FAR.wrapping_mul(2);
    if !is_far || image.loaded_at(target).is_none() {
        return None;
    }
    let (base, target) = (Base::Place(0), Target::Address(target));
    Some(Field { at, form: &Form::REL32, kind: Kind::Frame, base, target })
}

/// One instruction.
fn step(image: &Image, registers: &mut Registers<'_>, at: u64, place: u64, word: u32) {
    let near = |form: &'static Form, kind: Kind, bits: u64| {
        let target = Target::Address(form.target(bits, place));
        Field { at, form, kind, base: Base::Place(0), target }
    };
    let bits = |shift: u32, mask: u32| u64::from(word.wrapping_shr(shift) & mask);
    if word & 0x7c00_0000 == 0x1400_0000 {
        let field = near(&Form::IMM26, Kind::Call, bits(0, 0x3ff_ffff));
        if matches!(field.target, Target::Address(target) if image.is_code(target)) {
            registers.found.push(field);
        }
        if word >> 31 == 1 {
            registers.forget();
        }
    } else if word & 0x9f00_0000 == 0x9000_0000 {
        let pages = Form::ADRP.get(&word.to_le_bytes()).unwrap_or(0);
        let page = Form::ADRP.target(pages, place);
        let adrp = registers.found.len();
        registers.set(register(word, 0), Some(Page { page, adrp: Some(adrp) }));
        registers.found.push(near(&Form::ADRP, Kind::Page, pages));
    } else if word & 0xffc0_0000 == 0x9100_0000 {
        registers.use_page(image, register(word, 5), at, word, 0);
        registers.set(register(word, 0), None);
    } else if word & 0x3b00_0000 == 0x3900_0000 {
        let vector = word & 0x0400_0000 != 0;
        let wide_vector = vector && word & 0x0080_0000 != 0;
        let shift = if wide_vector { 4 } else { word >> 30 };
        registers.use_page(image, register(word, 5), at, word, shift);
        if !vector && word & 0x00c0_0000 != 0 {
            registers.set(register(word, 0), None);
        }
    } else if word & 0xff00_0010 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 {
        registers.found.push(near(&Form::IMM19, Kind::Near, bits(5, 0x7_ffff)));
    } else if word & 0x3b00_0000 == 0x1800_0000 {
        registers.found.push(near(&Form::IMM19, Kind::Near, bits(5, 0x7_ffff)));
        registers.set(register(word, 0), None);
    } else if word & 0xffff_fc1f == 0xd63f_0000 || word == 0xd65f_03c0 {
        registers.forget();
    } else {
        other(registers, word);
    }
}

/// Instructions that only matter for the register that they write.
fn other(registers: &mut Registers<'_>, word: u32) {
    let class = low32(u64::from((word >> 25) & 0xf));
    let is_data_processing = matches!(class, 8 | 9 | 5 | 13);
    let is_load = matches!(class, 4 | 6 | 12 | 14) && word & 0x0440_0000 == 0x0040_0000;
    if is_data_processing || is_load {
        registers.set(register(word, 0), None);
    }
    if is_load && word & 0x3a00_0000 == 0x2800_0000 {
        registers.set(register(word, 10), None);
    }
}
