//! AArch64 code: branches, and ADRP with the instructions that use its page.
//!
//! One word at a time in address order. For each register the page that an ADRP put there is remembered until another
//! instruction writes the register; a call or return forgets those that a callee may change (AAPCS64).
//! The first use of a page gives the ADRP its full target. Encodings from the Arm ARM, section C4.1.

use super::{Context, Window};
use crate::field::{Base, Form, Kind, Target, What};
use crate::image::{Image, Section};
use crate::num::{align_up, extend32, index, u32_at, u64_at, wide};

/// What an ADRP left in a register.
#[derive(Clone, Copy)]
struct Page {
    page: u64,
    /// Number of the ADRP among the fields found, until its first use.
    adrp: Option<usize>,
}

/// What is known while going through a window.
struct State<'s, 'w> {
    image: &'s Image,
    window: &'s mut Window<'w>,
    /// Address of the window.
    start: u64,
    pages: [Option<Page>; 32],
}

fn register(word: u32, bit: u32) -> usize {
    index(u64::from(word.wrapping_shr(bit) & 31))
}

const BRANCH: What = What::new(Form::IMM26, Kind::Call, Base::Place, Target::Address);
const PAGE: What = What::new(Form::ADRP, Kind::Page, Base::Place, Target::Address);
const NEAR: What = What::new(Form::IMM19, Kind::Near, Base::Place, Target::Address);
const WORD: What = What::new(Form::U64, Kind::Word, Base::At, Target::Address);
const OFFSET: What = What::new(Form::U32, Kind::Table, Base::At, Target::Address);
const DISTANCE: What = What::new(Form::REL32, Kind::Frame, Base::Place, Target::Address);

/// Finds the references of a window of code.
pub(super) fn scan(context: &mut Context<'_>, section: &Section, window: &mut Window<'_>) -> usize {
    State::scan(context.image, section, window, false)
}

/// Finds the references of a window of a kernel Image: words that point into it, and code everywhere else.
pub(super) fn scan_kernel(context: &mut Context<'_>, section: &Section, window: &mut Window<'_>) -> usize {
    State::scan(context.image, section, window, true)
}

/// Least distance of a relative word of a kernel table, in bytes.
const FAR: u64 = 4096;
/// Widest step over two neighbours in a table of ascending offsets, in bytes.
const STEP: u32 = 64 << 10;

impl<'s, 'w> State<'s, 'w> {
    fn scan(image: &'s Image, section: &Section, window: &'s mut Window<'w>, kernel: bool) -> usize {
        let start = section.address_of(window.start);
        let (length, last) = (window.bytes.len(), window.last);
        let mut into = index(align_up(start, 4).wrapping_sub(start));
        // a word of 64 bits is not cut
        let stop = if last || !kernel { length } else { length.saturating_sub(7) };
        let mut state = State { image, window, start, pages: [None; 32] };
        while into < stop
            && let Some(word) = u32_at(state.window.bytes, into)
        {
            let taken = if kernel { state.table_word(into, word) } else { None };
            if taken.is_none() {
                state.step(into, word);
            }
            into = into.wrapping_add(taken.unwrap_or(4));
        }
        if last { length } else { into.min(length) }
    }

    /// Offset in the file of what is `into` the window.
    fn at(&self, into: usize) -> u64 {
        self.window.start.wrapping_add(wide(into))
    }

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
    fn use_page(&mut self, register: usize, into: usize, word: u32, shift: u8) {
        let Some(Some(page)) = self.pages.get(register).copied() else { return };
        let low = u64::from((word >> 10) & 0xfff).wrapping_shl(shift.into());
        let target = page.page.wrapping_add(low);
        if self.image.loaded_at(target).is_none() {
            return;
        }
        if let Some(adrp) = page.adrp.and_then(|adrp| self.window.found.get_mut(adrp)) {
            adrp.target = target;
        }
        self.set(register, Some(Page { adrp: None, ..page }));
        let what = What::new(Form::low12(shift), Kind::Low, Base::At, Target::Address);
        self.window.keep(self.at(into), what, 0, target);
    }

    /// A word of the kernel's tables and its length: an address in the Image, an offset from its start among ascending ones
    /// (kallsyms), or the distance to something in it (exported symbols, exceptions, bugs, alternatives).
    fn table_word(&mut self, into: usize, word: u32) -> Option<usize> {
        let (bytes, at) = (self.window.bytes, self.at(into));
        let place = self.start.wrapping_add(wide(into));
        if let Some(address) = u64_at(bytes, into)
            && place & 7 == 0
            && self.image.is_code(address)
        {
            self.window.keep(at, WORD, 0, address);
            return Some(8);
        }
        let start = self.image.sections.first()?.addr;
        let before = into.checked_sub(4).and_then(|into| u32_at(bytes, into));
        let after = into.checked_add(4).and_then(|into| u32_at(bytes, into));
        let ascending = before.zip(after).is_some_and(|(before, after)| {
            before < word && word < after && after.wrapping_sub(before) < STEP
        });
        let offset = start.wrapping_add(u64::from(word));
        if ascending && self.image.loaded_at(offset).is_some() {
            self.window.keep(at, OFFSET, start, offset);
            return Some(4);
        }
        let distance = extend32(word);
        let target = place.wrapping_add(distance);
        let is_far = distance.wrapping_add(FAR) > FAR.wrapping_mul(2);
        if !is_far || self.image.loaded_at(target).is_none() {
            return None;
        }
        self.window.keep(at, DISTANCE, 0, target);
        Some(4)
    }

    /// One instruction.
    fn step(&mut self, into: usize, word: u32) {
        let at = self.at(into);
        let target = |form: Form| {
            form.target(form.get(&word.to_le_bytes()).unwrap_or(0), self.start.wrapping_add(wide(into)))
        };
        if word & 0x7c00_0000 == 0x1400_0000 {
            let target = target(Form::IMM26);
            if self.image.is_code(target) {
                self.window.keep(at, BRANCH, 0, target);
            }
            if word >> 31 == 1 {
                self.forget();
            }
        } else if word & 0x9f00_0000 == 0x9000_0000 {
            let page = target(Form::ADRP);
            let adrp = Some(self.window.found.len());
            self.set(register(word, 0), Some(Page { page, adrp }));
            self.window.keep(at, PAGE, 0, page);
        } else if word & 0xffc0_0000 == 0x9100_0000 {
            self.use_page(register(word, 5), into, word, 0);
            self.set(register(word, 0), None);
        } else if word & 0x3b00_0000 == 0x3900_0000 {
            let vector = word & 0x0400_0000 != 0;
            let wide_vector = vector && word & 0x0080_0000 != 0;
            let [.., top] = word.to_le_bytes();
            self.use_page(register(word, 5), into, word, if wide_vector { 4 } else { top >> 6 });
            if !vector && word & 0x00c0_0000 != 0 {
                self.set(register(word, 0), None);
            }
        } else if word & 0xff00_0010 == 0x5400_0000
            || word & 0x7e00_0000 == 0x3400_0000
            || word & 0x3b00_0000 == 0x1800_0000
        {
            let target = target(Form::IMM19);
            self.window.keep(at, NEAR, 0, target);
            if word & 0x3b00_0000 == 0x1800_0000 {
                self.set(register(word, 0), None);
            }
        } else if word & 0xffff_fc1f == 0xd63f_0000 || word == 0xd65f_03c0 {
            self.forget();
        } else {
            self.other(word);
        }
    }

    /// Instructions that only matter for the register that they write.
    fn other(&mut self, word: u32) {
        let class = (word >> 25) & 0xf;
        let is_data_processing = matches!(class, 8 | 9 | 5 | 13);
        let is_load = matches!(class, 4 | 6 | 12 | 14) && word & 0x0440_0000 == 0x0040_0000;
        if is_data_processing || is_load {
            self.set(register(word, 0), None);
        }
        if is_load && word & 0x3a00_0000 == 0x2800_0000 {
            self.set(register(word, 10), None);
        }
    }
}
