//! Code of 32-bit Arm, A32 and Thumb-2. Since profile 3.

use super::arm_patterns::{Pattern, Role, Set};
use super::pools::{self, Instruction, PLAIN};
use super::{Context, Rule, Window};
use crate::field::{Base, Form, Kind, Target, What};
use crate::image::{Image, Section};
use crate::num::{align_up, extend32, index, u32_at, wide};

/// A literal that counts from a PC, from the global offset table, or from nothing.
const RELATIVE: What = What::new(Form::REL32, Kind::Data, Base::Mapped, Target::Address);
const OFFSET: What = What::new(Form::REL32, Kind::Table, Base::Mapped, Target::Address);
const ADDRESS: What = What::new(Form::U32, Kind::Word, Base::At, Target::Address);
/// Where the lowest section of a file is, or above, that has addresses in its code: others are loaded anywhere. Changing it breaks the format.
const FIXED: u64 = 0x8000;
/// Instructions after a MOVW among which its MOVT is. Changing it breaks the format.
const REACH: usize = 4;

/// Finds the references of a window of code.
pub(super) fn scan(context: &mut Context<'_>, section: &Section, window: &mut Window<'_>) -> usize {
    let image = context.image;
    let thumb = section.rule == Rule::CodeT32;
    let (start, bytes) = (section.address_of(window.start), window.bytes);
    let mut literals = context.pools.from(start).iter().peekable();
    let mut high = [PLAIN; 16];
    let mut dealt = index(align_up(start, if thumb { 2 } else { 4 }).wrapping_sub(start));
    loop {
        let (place, at) = (start.wrapping_add(wide(dealt)), window.start.wrapping_add(wide(dealt)));
        while literals.next_if(|(literal, _)| *literal < place).is_some() {}
        if let Some((_, base)) = literals.next_if(|(literal, _)| *literal == place) {
            let Some(word) = u32_at(bytes, dealt) else { break };
            if let Some((what, base, target)) = literal(image, context.offset_table, word, *base) {
                window.keep(at, what, base, target);
            }
            dealt = dealt.wrapping_add(4);
            continue;
        }
        let Some(one) = Instruction::read(thumb, bytes, dealt, place) else { break };
        dealt = dealt.wrapping_add(one.length());
        let Some(pattern) = one.pattern() else { continue };
        let near = |base| What::new(pattern.form, pattern.kind, base, Target::Address);
        match pattern.role {
            Role::Branch | Role::Load(..) | Role::Near => {
                let target = one.target(pattern);
                if image.is_code(target) {
                    window.keep(at, near(Base::Place), one.ahead(), target);
                }
            }
            Role::Low(bit) => {
                if let Some(target) = address(image, bytes, dealt, &one, pattern) {
                    window.keep(at, near(Base::At), 0, target);
                    high.get_mut(one.register(bit)).into_iter().for_each(|slot| *slot = target);
                }
            }
            Role::High(bit) => {
                if let Some(slot) = high.get_mut(one.register(bit))
                    && *slot != PLAIN
                {
                    window.keep(at, near(Base::At), 0, *slot);
                    *slot = PLAIN;
                }
            }
            Role::Stub => dealt = dealt.wrapping_add(stub(image, window, at, &one).unwrap_or(0)),
            Role::Add(_) | Role::Sum(..) | Role::Nothing => {}
        }
    }
    if window.last || dealt == 0 { bytes.len() } else { dealt.min(bytes.len()) }
}

/// What the word of a literal refers to, with what it counts from.
fn literal(image: &Image, table: Option<u64>, word: u32, base: u64) -> Option<(What, u64, u64)> {
    let from = |base: u64| base.wrapping_add(extend32(word)) & 0xffff_ffff;
    let (what, base, target) = match base {
        PLAIN if image.sections.iter().any(|section| section.is_alloc() && section.addr < FIXED) => {
            return None;
        }
        PLAIN => (ADDRESS, 0, word.into()),
        pools::OFFSET => (OFFSET, table?, from(table?)),
        _ => (RELATIVE, base, from(base)),
    };
    image.loaded_at(target).map(|_| (what, base, target))
}

/// The address whose low half `low` has, if an instruction that soon follows it at `at` has the high half.
fn address(image: &Image, bytes: &[u8], at: usize, low: &Instruction, pattern: &Pattern) -> Option<u64> {
    let Role::Low(bit) = pattern.role else { return None };
    let mut at = at;
    for _ in 0..REACH {
        let one = Instruction::read(low.set != Set::A32, bytes, at, 0)?;
        at = at.wrapping_add(one.length());
        if let Some(other) = one.pattern()
            && other.role == Role::High(bit)
            && one.register(bit) == low.register(bit)
        {
            let half = |one: &Instruction, form: Form| form.get(&one.word.to_le_bytes()).unwrap_or(0);
            let target = half(&one, other.form) << 16 | half(low, pattern.form);
            return image.loaded_at(target).map(|_| target);
        }
    }
    None
}

/// Keeps the three parts of the way from a linkage stub to its slot; its other bytes.
fn stub(image: &Image, window: &mut Window<'_>, at: u64, first: &Instruction) -> Option<usize> {
    let skip = index(at.wrapping_sub(window.start));
    let [second, third] = [4, 8].map(|more| u32_at(window.bytes, skip.wrapping_add(more)));
    let (second, third) = (second?, third?);
    if second & 0xffff_ff00 != 0xe28c_ca00 || third & 0xffff_f000 != 0xe5bc_f000 {
        return None;
    }
    let distance = (first.word & 0xff) << 20 | (second & 0xff) << 12 | (third & 0xfff);
    let target = first.pc().wrapping_add(distance.into());
    image.loaded_at(target)?;
    for (more, form) in [(0, Form::stub(8, 20)), (4, Form::stub(8, 12)), (8, Form::stub(12, 0))] {
        let what = What::new(form, Kind::Page, Base::Place, Target::Address);
        window.keep(at.wrapping_add(more), what, 8u64.wrapping_sub(more), target);
    }
    Some(8)
}
