//! Thumb-2 code: BL, BLX, B.W, and words in literal pools that ADD to the PC.
//!
//! Halfwords in address order; the first five bits tell the length (Arm ARM DDI 0406C, section A6.1). A literal that LDR
//! puts in a register counts when an ADD of the PC to that register follows: then the word is the target less the address of
//! that ADD and 4. Literals lie ahead of their loads and are not decoded as code.

use super::{Context, Window};
use crate::field::{Base, Form, Kind, Target, What};
use crate::image::{Image, Section};
use crate::num::{align_up, extend32, index, u16_at, u32_at, wide};

/// Most literals that wait for their place. Changing it breaks the format.
const MAX_WAITING: usize = 4096;

/// What is known while going through a window.
struct State {
    /// For each register the address of the literal that was loaded into it.
    loaded: [Option<u64>; 16],
    /// Literals ahead, ascending, with the address that they count from, if known.
    literals: Vec<(u64, Option<u64>)>,
}

impl State {
    fn load(&mut self, register: u16, literal: u64) {
        if let (Err(place), true) = (self.waiting(literal), self.literals.len() < MAX_WAITING) {
            self.literals.insert(place, (literal, None));
        }
        self.set(register, Some(literal));
    }

    /// Where a literal waits, or would wait.
    fn waiting(&self, literal: u64) -> Result<usize, usize> {
        self.literals.binary_search_by_key(&literal, |(address, _)| *address)
    }

    fn set(&mut self, register: u16, literal: Option<u64>) {
        if let Some(slot) = self.loaded.get_mut(usize::from(register & 15)) {
            *slot = literal;
        }
    }

    /// An ADD of the PC, whose value is `base`, to `register`.
    fn add(&mut self, register: u16, base: u64) {
        let literal = self.loaded.get(usize::from(register & 15)).copied().flatten();
        let place = literal.and_then(|literal| self.waiting(literal).ok());
        if let Some((_, waiting)) = place.and_then(|place| self.literals.get_mut(place)) {
            waiting.get_or_insert(base);
        }
        self.set(register, None);
    }
}

const LITERAL: What = What::new(Form::REL32, Kind::Data, Base::Mapped, Target::Address);

/// Finds the references of a window of code.
pub(super) fn scan(context: &mut Context<'_>, section: &Section, window: &mut Window<'_>) -> usize {
    let image = context.image;
    let start = section.address_of(window.start);
    let mut state = State { loaded: [None; 16], literals: Vec::new() };
    let mut dealt = index(align_up(start, 2).wrapping_sub(start));
    while let Some(first) = u16_at(window.bytes, dealt) {
        let place = start.wrapping_add(wide(dealt));
        let at = window.start.wrapping_add(wide(dealt));
        if let Ok(waiting) = state.waiting(place) {
            let (_, base) = state.literals.remove(waiting);
            let Some(word) = u32_at(window.bytes, dealt) else { break };
            if let Some(base) = base {
                let target = base.wrapping_add(extend32(word)) & 0xffff_ffff;
                if image.loaded_at(target).is_some() {
                    window.keep(at, LITERAL, base, target);
                }
            }
            dealt = dealt.wrapping_add(4);
            continue;
        }
        if first >> 11 < 0x1d {
            short(&mut state, place, first);
            dealt = dealt.wrapping_add(2);
            continue;
        }
        let Some(second) = u16_at(window.bytes, dealt.wrapping_add(2)) else { break };
        long(image, &mut state, window, at, place, (first, second));
        dealt = dealt.wrapping_add(4);
    }
    if window.last || dealt == 0 { window.bytes.len() } else { dealt }
}

/// An instruction of one halfword: LDR literal, ADD of the PC; others forget their register.
fn short(state: &mut State, place: u64, word: u16) {
    let pc = place.wrapping_add(4);
    if word >> 11 == 0b01001 {
        let literal = (pc & !3).wrapping_add(u64::from(word & 0xff).wrapping_mul(4));
        state.load((word >> 8) & 7, literal);
    } else if word & 0xff78 == 0x4478 {
        state.add((word & 7) | ((word >> 4) & 8), pc);
    } else if word >> 13 == 1 {
        state.set((word >> 8) & 7, None);
    } else if word >> 13 == 0 {
        state.set(word & 7, None);
    }
}

/// An instruction of two halfwords.
fn long(
    image: &Image,
    state: &mut State,
    window: &mut Window<'_>,
    at: u64,
    place: u64,
    (first, second): (u16, u16),
) {
    let pc = place.wrapping_add(4);
    if first & 0xff7f == 0xf85f {
        let distance = u64::from(second & 0xfff);
        let up = first & 0x80 != 0;
        let base = pc & !3;
        state.load(second >> 12, if up { base.wrapping_add(distance) } else { base.wrapping_sub(distance) });
        return;
    }
    let exchange = second & 0xd001 == 0xc000;
    let jump = second & 0xd000 == 0xd000 || second & 0xd000 == 0x9000;
    if first & 0xf800 != 0xf000 || !(exchange || jump) {
        return;
    }
    let form = if exchange { Form::THUMB_EXCHANGE } else { Form::THUMB };
    let [low, high] = first.to_le_bytes();
    let [third, fourth] = second.to_le_bytes();
    let bits = form.get(&[low, high, third, fourth]).unwrap_or(0);
    let target = form.target(bits, pc) & 0xffff_ffff;
    if image.is_code(target) {
        window.keep(at, What::new(form, Kind::Call, Base::Place, Target::Address), 4, target);
    }
}
