//! A reference in an old file: where it is, how its value is written, what it points at.

use crate::num::{extend, extend32, low32, u32_at, u64_at};

/// How a reference is written in its bytes. All are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// 32 bits, signed: target - base.
    Rel32,
    /// 32 bits, signed: base - target (the CIE pointer of `.eh_frame`).
    Neg32,
    /// 32 bits, unsigned: (target - base) / scale.
    U32(u32),
    /// 64 bits: target - base.
    U64,
    /// AArch64 B and BL: 26 bits, in words.
    Imm26,
    /// AArch64 B.cond, CBZ, LDR literal: 19 bits at bit 5, in words.
    Imm19,
    /// AArch64 ADRP: 21 bits in two pieces, in pages.
    Adrp,
    /// AArch64 low 12 bits of an address at bit 10, divided by 1 << shift.
    Low12(u8),
    /// Thumb-2 BL and B.W: 24 bits in five pieces, in halfwords.
    Thumb,
    /// Thumb-2 BLX: likewise, from the base without its low two bits.
    ThumbExchange,
    /// Arm exception index: the low 31 bits, signed.
    Rel31,
    /// 24 bits at bit 8: (target - base) / 16, the symbol of a 32-bit relocation.
    Symbol24,
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
    pub(crate) form: Form,
    pub(crate) kind: Kind,
    pub(crate) base: Base,
    pub(crate) target: Target,
}

impl Form {
    /// Length in bytes.
    pub(crate) fn width(self) -> usize {
        if self == Form::U64 { 8 } else { 4 }
    }

    /// The bits of the reference.
    pub(crate) fn get(self, bytes: &[u8]) -> Option<u64> {
        let word = u32_at(bytes, 0)?;
        let word64 = u64::from(word);
        Some(match self {
            Form::U64 => return u64_at(bytes, 0),
            Form::Rel32 | Form::Neg32 | Form::U32(_) => word64,
            Form::Imm26 => word64 & 0x3ff_ffff,
            Form::Imm19 => (word64 >> 5) & 0x7_ffff,
            Form::Adrp => ((word64 >> 29) & 3) | ((word64 >> 3) & 0x1f_fffc),
            Form::Low12(_) => (word64 >> 10) & 0xfff,
            Form::Thumb | Form::ThumbExchange => u64::from(thumb_bits(word)),
            Form::Rel31 => word64 & 0x7fff_ffff,
            Form::Symbol24 => word64 >> 8,
        })
    }

    /// Writes the bits of the reference and leaves the others.
    pub(crate) fn put(self, bytes: &mut [u8], value: u64) {
        if self == Form::U64 {
            if let Some(place) = bytes.first_chunk_mut() {
                *place = value.to_le_bytes();
            }
            return;
        }
        let Some(place) = bytes.first_chunk_mut::<4>() else { return };
        let old = u32::from_le_bytes(*place);
        let low = low32(value);
        let word = match self {
            Form::U64 | Form::Rel32 | Form::Neg32 | Form::U32(_) => low,
            Form::Imm26 => (old & !0x3ff_ffff) | (low & 0x3ff_ffff),
            Form::Imm19 => (old & !(0x7_ffff << 5)) | ((low & 0x7_ffff) << 5),
            Form::Adrp => (old & 0x9f00_001f) | ((low & 3) << 29) | ((low & 0x1f_fffc) << 3),
            Form::Low12(_) => (old & !(0xfff << 10)) | ((low & 0xfff) << 10),
            Form::Thumb | Form::ThumbExchange => thumb_word(old, low),
            Form::Rel31 => (old & 0x8000_0000) | (low & 0x7fff_ffff),
            Form::Symbol24 => (old & 0xff) | (low << 8),
        };
        *place = word.to_le_bytes();
    }

    /// The bits that refer to `target` from `base`.
    pub(crate) fn bits(self, target: u64, base: u64) -> u64 {
        let distance = target.wrapping_sub(base);
        match self {
            Form::U64 => distance,
            Form::Rel32 => u64::from(low32(distance)),
            Form::Neg32 => u64::from(low32(distance.wrapping_neg())),
            Form::U32(scale) => u64::from(low32(distance.checked_div(u64::from(scale)).unwrap_or(0))),
            Form::Imm26 => (distance >> 2) & 0x3ff_ffff,
            Form::Imm19 => (distance >> 2) & 0x7_ffff,
            Form::Adrp => (target >> 12).wrapping_sub(base >> 12) & 0x1f_ffff,
            Form::Low12(shift) => (target & 0xfff).wrapping_shr(u32::from(shift)),
            Form::Thumb => (distance >> 1) & 0xff_ffff,
            Form::ThumbExchange => (target.wrapping_sub(base & !3) >> 1) & 0xff_ffff,
            Form::Rel31 => distance & 0x7fff_ffff,
            Form::Symbol24 => (distance >> 4) & 0xff_ffff,
        }
    }

    /// The bits that the form has.
    pub(crate) fn mask(self) -> u64 {
        match self {
            Form::U64 => u64::MAX,
            Form::Rel32 | Form::Neg32 | Form::U32(_) => 0xffff_ffff,
            Form::Imm26 => 0x3ff_ffff,
            Form::Imm19 => 0x7_ffff,
            Form::Adrp => 0x1f_ffff,
            Form::Low12(_) => 0xfff,
            Form::Thumb | Form::ThumbExchange | Form::Symbol24 => 0xff_ffff,
            Form::Rel31 => 0x7fff_ffff,
        }
    }

    /// What `bits` refer to from `base`: the inverse of [`Form::bits`] where there is one.
    pub(crate) fn target(self, bits: u64, base: u64) -> u64 {
        let distance = match self {
            Form::U64 | Form::Low12(_) => bits,
            Form::Rel32 => extend32(low32(bits)),
            Form::Neg32 => extend32(low32(bits)).wrapping_neg(),
            Form::U32(scale) => bits.wrapping_mul(u64::from(scale)),
            Form::Imm26 => extend(bits.wrapping_shl(2), 28),
            Form::Imm19 => extend(bits.wrapping_shl(2), 21),
            Form::Adrp => extend(bits.wrapping_shl(12), 33),
            Form::Thumb | Form::ThumbExchange => extend(bits.wrapping_shl(1), 25),
            Form::Rel31 => extend(bits, 31),
            Form::Symbol24 => bits.wrapping_shl(4),
        };
        match self {
            Form::ThumbExchange => (base & !3).wrapping_add(distance),
            Form::Adrp => (base & !0xfff).wrapping_add(distance),
            _ => base.wrapping_add(distance),
        }
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
            (Form::Rel32, 0xffff_fffe),
            (Form::U64, 0x1234_5678_9abc_def0),
            (Form::Imm26, 0x3ab_cdef),
            (Form::Imm19, 0x7_1234),
            (Form::Adrp, 0x1f_1235),
            (Form::Low12(3), 0xabc),
            (Form::Thumb, 0xa5_1234),
            (Form::ThumbExchange, 0x5a_1234),
            (Form::Rel31, 0x7000_1234),
            (Form::Symbol24, 0xab_cdef),
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
            (Form::Rel32, 0x1000, 0x2004),
            (Form::Neg32, 0x1000, 0x2004),
            (Form::U32(24), 0x1000 + 24 * 7, 0x1000),
            (Form::U64, 0x4000, 0),
            (Form::Imm26, 0x1000, 0x2004),
            (Form::Imm19, 0x1000, 0x2004),
            (Form::Adrp, 0x5000, 0x12_2004),
            (Form::Thumb, 0x5002, 0x12_2004),
            (Form::ThumbExchange, 0x5004, 0x12_2006),
            (Form::Rel31, 0x5002, 0x12_2004),
            (Form::Symbol24, 0x1000 + 16 * 9, 0x1000),
        ] {
            assert_eq!(form.target(form.bits(target, base), base), target, "{form:?}");
        }
    }
}
