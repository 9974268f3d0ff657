//! A reference in an old file: where it is, how its value is written, what it points at.

use crate::num::{extend, low32, u32_at, u64_at};

/// How a reference is written in its bytes, all little-endian: the distance from a base to a target in units, as some bits of a word.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Number of bits.
    bits: u32,
    /// The lowest of them, where they are in one piece.
    at: u32,
    pieces: Pieces,
    /// Units are of 1 << this bytes,
    unit: u32,
    /// or of three times as many.
    by_three: bool,
    signed: bool,
    /// From the target to the base.
    backwards: bool,
    /// Which bits of the addresses count.
    of_target: u64,
    of_base: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Pieces {
    One,
    /// As in ADRP: two bits at 29, the others at 5.
    Page,
    /// As in the branches of Thumb-2: five.
    Branch,
}

/// Forms, each named after its bits.
impl Form {
    /// 32 bits, signed.
    pub(crate) const REL32: Form = Form {
        bits: 32,
        at: 0,
        pieces: Pieces::One,
        unit: 0,
        by_three: false,
        signed: true,
        backwards: false,
        of_target: u64::MAX,
        of_base: u64::MAX,
    };
    /// 32 bits, signed, backwards (the CIE pointer of `.eh_frame`).
    pub(crate) const NEG32: Form = Form { backwards: true, ..Form::REL32 };
    /// 32 bits, unsigned.
    pub(crate) const U32: Form = Form { signed: false, ..Form::REL32 };
    /// 32 bits, the number of a record of 24 bytes.
    pub(crate) const INDEX24: Form = Form { unit: 3, by_three: true, ..Form::U32 };
    /// 24 bits at bit 8, the number of a record of 16 bytes: the symbol of a 32-bit relocation.
    pub(crate) const SYMBOL24: Form = Form { bits: 24, at: 8, unit: 4, ..Form::U32 };
    /// 64 bits.
    pub(crate) const U64: Form = Form { bits: 64, ..Form::REL32 };
    /// Arm exception index: the low 31 bits, signed.
    pub(crate) const REL31: Form = Form { bits: 31, ..Form::REL32 };
    /// AArch64 B and BL: 26 bits, in words.
    pub(crate) const IMM26: Form = Form { bits: 26, unit: 2, ..Form::REL32 };
    /// AArch64 B.cond, CBZ, LDR literal: 19 bits at bit 5, in words.
    pub(crate) const IMM19: Form = Form { bits: 19, at: 5, unit: 2, ..Form::REL32 };
    /// AArch64 ADRP: 21 bits, in pages.
    pub(crate) const ADRP: Form =
        Form { bits: 21, pieces: Pieces::Page, unit: 12, of_target: !0xfff, of_base: !0xfff, ..Form::REL32 };
    /// AArch64 low 12 bits of an address at bit 10, in units of 1 << the index.
    pub(crate) const LOW12: [Form; 5] =
        [Form::low12(0), Form::low12(1), Form::low12(2), Form::low12(3), Form::low12(4)];
    /// Thumb-2 BL and B.W: 24 bits, in halfwords.
    pub(crate) const THUMB: Form = Form { bits: 24, pieces: Pieces::Branch, unit: 1, ..Form::REL32 };
    /// Thumb-2 BLX: likewise, from the base without its low two bits.
    pub(crate) const THUMB_EXCHANGE: Form = Form { of_base: !3, ..Form::THUMB };

    const fn low12(unit: u32) -> Form {
        Form { bits: 12, at: 10, unit, of_target: 0xfff, of_base: 0, ..Form::U32 }
    }
}

/// What the value of a reference is counted from, on the new side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// The reference's own new address plus this.
    Place(u64),
    /// A known new address (0 for absolute ones).
    At(u64),
    /// The new address of what is at this old address.
    Mapped(u64),
}

/// What the target of a reference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// An old address.
    Address(u64),
    /// The old address just after something: follows what is before it.
    End(u64),
    /// An old offset in the file.
    Offset(u64),
    /// The new value itself is known.
    Known(u64),
    /// This old number, which moves as numbers near it did.
    Shifted(u64),
    /// The number of the record at this old offset, which moves as the numbers of records copied with it did.
    Record {
        /// The old number.
        number: u64,
        /// Offset of the record in the old file.
        at: u64,
    },
}

/// Kinds of references that keep their own scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Call,
    Data,
    Page,
    Low,
    Near,
    Reloc,
    Addend,
    Symbol,
    Word,
    Frame,
    Table,
    Header,
    Name,
    Type,
}

impl Kind {
    /// Number of kinds.
    pub(crate) const COUNT: usize = 14;

    pub(crate) fn number(self) -> usize {
        match self {
            Kind::Call => 0,
            Kind::Data => 1,
            Kind::Page => 2,
            Kind::Low => 3,
            Kind::Near => 4,
            Kind::Reloc => 5,
            Kind::Addend => 6,
            Kind::Symbol => 7,
            Kind::Word => 8,
            Kind::Frame => 9,
            Kind::Table => 10,
            Kind::Header => 11,
            Kind::Name => 12,
            Kind::Type => 13,
        }
    }

    /// Whether a mispredicted target is remembered for later references to it.
    pub(crate) fn learns(self) -> bool {
        !matches!(self, Kind::Page | Kind::Low | Kind::Near | Kind::Header | Kind::Type)
    }
}

/// One reference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// Offset of its bytes in the old file.
    pub(crate) at: u64,
    pub(crate) form: &'static Form,
    pub(crate) kind: Kind,
    pub(crate) base: Base,
    pub(crate) target: Target,
}

impl Form {
    /// Length in bytes.
    pub(crate) fn width(&self) -> usize {
        if self.bits == 64 { 8 } else { 4 }
    }

    /// The bits of the reference.
    pub(crate) fn get(&self, bytes: &[u8]) -> Option<u64> {
        if self.bits == 64 {
            return u64_at(bytes, 0);
        }
        let word = u32_at(bytes, 0)?;
        let placed = match self.pieces {
            Pieces::One => word.wrapping_shr(self.at),
            Pieces::Page => ((word >> 29) & 3) | ((word >> 3) & 0x1f_fffc),
            Pieces::Branch => thumb_bits(word),
        };
        Some(u64::from(placed) & self.mask())
    }

    /// Writes the bits of the reference and leaves the others.
    pub(crate) fn put(&self, bytes: &mut [u8], value: u64) {
        if self.bits == 64 {
            if let Some(place) = bytes.first_chunk_mut() {
                *place = value.to_le_bytes();
            }
            return;
        }
        let Some(place) = bytes.first_chunk_mut::<4>() else { return };
        let old = u32::from_le_bytes(*place);
        let mask = low32(self.mask());
        let low = low32(value) & mask;
        let word = match self.pieces {
            Pieces::One => (old & !mask.wrapping_shl(self.at)) | low.wrapping_shl(self.at),
            Pieces::Page => (old & 0x9f00_001f) | ((low & 3) << 29) | ((low & 0x1f_fffc) << 3),
            Pieces::Branch => thumb_word(old, low),
        };
        *place = word.to_le_bytes();
    }

    /// The bits that refer to `target` from `base`.
    pub(crate) fn bits(&self, target: u64, base: u64) -> u64 {
        let distance = (target & self.of_target).wrapping_sub(base & self.of_base);
        let distance = if self.backwards { distance.wrapping_neg() } else { distance };
        let units = distance.wrapping_shr(self.unit);
        (if self.by_three { units / 3 } else { units }) & self.mask()
    }

    /// The bits that the form has.
    pub(crate) fn mask(&self) -> u64 {
        u64::MAX.wrapping_shr(64u32.wrapping_sub(self.bits))
    }

    /// What `bits` refer to from `base`: the inverse of [`Form::bits`] where there is one.
    pub(crate) fn target(&self, bits: u64, base: u64) -> u64 {
        let units = if self.signed { extend(bits, self.bits) } else { bits };
        let units = if self.by_three { units.wrapping_mul(3) } else { units };
        let distance = units.wrapping_shl(self.unit);
        let distance = if self.backwards { distance.wrapping_neg() } else { distance };
        (base & self.of_base).wrapping_add(distance)
    }
}

/// The 24 bits of a Thumb-2 branch, S:I1:I2:imm10:imm11, from its two halfwords (the first in the low bits).
fn thumb_bits(word: u32) -> u32 {
    let (sign, j1, j2) = ((word >> 10) & 1, (word >> 29) & 1, (word >> 27) & 1);
    let (i1, i2) = (j1 ^ sign ^ 1, j2 ^ sign ^ 1);
    let (imm10, imm11) = (word & 0x3ff, (word >> 16) & 0x7ff);
    (sign << 23) | (i1 << 22) | (i2 << 21) | (imm10 << 11) | imm11
}

/// The halfwords of a Thumb-2 branch with other bits.
fn thumb_word(old: u32, bits: u32) -> u32 {
    let (sign, i1, i2) = ((bits >> 23) & 1, (bits >> 22) & 1, (bits >> 21) & 1);
    let (j1, j2) = (i1 ^ sign ^ 1, i2 ^ sign ^ 1);
    let (imm10, imm11) = ((bits >> 11) & 0x3ff, bits & 0x7ff);
    (old & 0xd000_f800) | (sign << 10) | imm10 | (j1 << 29) | (j2 << 27) | (imm11 << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_what_it_wrote_and_leaves_the_rest() {
        for (form, bits) in [
            (&Form::REL32, 0xffff_fffe),
            (&Form::U64, 0x1234_5678_9abc_def0),
            (&Form::IMM26, 0x3ab_cdef),
            (&Form::IMM19, 0x7_1234),
            (&Form::ADRP, 0x1f_1235),
            (&Form::LOW12[3], 0xabc),
            (&Form::THUMB, 0xa5_1234),
            (&Form::THUMB_EXCHANGE, 0x5a_1234),
            (&Form::REL31, 0x7000_1234),
            (&Form::SYMBOL24, 0xab_cdef),
        ] {
            for fill in [0, 0xff] {
                let mut bytes = [fill; 8];
                let before = form.get(&bytes).unwrap();
                form.put(&mut bytes, bits);
                assert_eq!(form.get(&bytes), Some(bits), "{form:?}");
                form.put(&mut bytes, before);
                assert_eq!(bytes, [fill; 8], "{form:?}");
            }
        }
    }

    #[test]
    fn bits_and_target_are_inverse() {
        for (form, target, base) in [
            (&Form::REL32, 0x1000, 0x2004),
            (&Form::NEG32, 0x1000, 0x2004),
            (&Form::INDEX24, 0x1000 + 24 * 7, 0x1000),
            (&Form::U64, 0x4000, 0),
            (&Form::IMM26, 0x1000, 0x2004),
            (&Form::IMM19, 0x1000, 0x2004),
            (&Form::ADRP, 0x5000, 0x12_2004),
            (&Form::THUMB, 0x5002, 0x12_2004),
            (&Form::THUMB_EXCHANGE, 0x5004, 0x12_2006),
            (&Form::REL31, 0x5002, 0x12_2004),
            (&Form::SYMBOL24, 0x1000 + 16 * 9, 0x1000),
        ] {
            assert_eq!(form.target(form.bits(target, base), base), target, "{form:?}");
        }
    }
}
