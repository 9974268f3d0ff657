//! A reference in an old file: where it is, how its value is written, what it points at.

use crate::num::{extend, low8, low32, number_at};

/// How a reference is written in its bytes, all little-endian: the distance from a base to a target in units, as some bits of a word.
///
/// Small enough to be passed in a register, as is all of [`What`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// Number of bits.
    bits: u8,
    /// The lowest of them, where they are in one piece.
    at: u8,
    /// Units are of 1 << this bytes.
    unit: u8,
    shape: Shape,
}

/// Whether what is particular about forms of these architectures is in this build.
const AARCH64: bool = cfg!(feature = "aarch64");
const ARM: bool = cfg!(feature = "arm");

/// What is particular about a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Signed,
    Unsigned,
    /// Signed, from the target to the base.
    Backwards,
    /// Unsigned; units are three times as long.
    Thirds,
    /// As in ADRP: two bits at 29, the others at 5; from the base without its low twelve bits.
    Page,
    /// The low twelve bits of the target, unsigned, whatever the base.
    Low,
    /// As in the branches of Thumb-2: five pieces.
    Branch,
    /// Likewise, from the base without its low two bits.
    Exchange,
    /// Signed, in a halfword.
    Narrow,
    /// Unsigned, in a halfword, from the base without its low two bits.
    NarrowAhead,
    /// Unsigned, in a halfword, in pieces: CBZ.
    Compare,
    /// Unsigned, from the base without its low two bits.
    Ahead,
    /// Likewise, in pieces: ADR of Thumb-2.
    Address,
    /// Likewise, from the target to the base.
    Behind,
    /// Signed, in pieces: B with a condition of Thumb-2.
    Conditional,
    /// Unsigned, in pieces: MOVW and MOVT of A32.
    MoveArm,
    /// Likewise of Thumb-2.
    MoveThumb,
}

/// Forms, each named after its bits.
impl Form {
    /// 32 bits, signed.
    pub(crate) const REL32: Form = Form::new(32, 0, 0, Shape::Signed);
    /// 32 bits, signed, backwards (the CIE pointer of `.eh_frame`).
    pub(crate) const NEG32: Form = Form::new(32, 0, 0, Shape::Backwards);
    /// 32 bits, unsigned.
    pub(crate) const U32: Form = Form::new(32, 0, 0, Shape::Unsigned);
    /// 32 bits, the number of a record of 24 bytes.
    pub(crate) const INDEX24: Form = Form::new(32, 0, 3, Shape::Thirds);
    /// 24 bits at bit 8, the number of a record of 16 bytes: the symbol of a 32-bit relocation.
    pub(crate) const SYMBOL24: Form = Form::new(24, 8, 4, Shape::Unsigned);
    /// 64 bits.
    pub(crate) const U64: Form = Form::new(64, 0, 0, Shape::Signed);
    /// Arm exception index: the low 31 bits, signed.
    pub(crate) const REL31: Form = Form::new(31, 0, 0, Shape::Signed);
    /// AArch64 B and BL: 26 bits, in words.
    pub(crate) const IMM26: Form = Form::new(26, 0, 2, Shape::Signed);
    /// AArch64 B.cond, CBZ, LDR literal: 19 bits at bit 5, in words.
    pub(crate) const IMM19: Form = Form::new(19, 5, 2, Shape::Signed);
    /// AArch64 ADRP: 21 bits, in pages.
    pub(crate) const ADRP: Form = Form::new(21, 0, 12, Shape::Page);
    /// Thumb-2 BL and B.W: 24 bits, in halfwords.
    pub(crate) const THUMB: Form = Form::new(24, 0, 1, Shape::Branch);
    /// Thumb-2 BLX: likewise, from the base without its low two bits.
    pub(crate) const THUMB_EXCHANGE: Form = Form::new(24, 0, 1, Shape::Exchange);

    /// A32 B, BL, BLX: 24 bits, in words.
    pub(crate) const IMM24: Form = Form::new(24, 0, 2, Shape::Signed);
    /// Thumb B: 11 bits, in halfwords.
    pub(crate) const NARROW11: Form = Form::new(11, 0, 1, Shape::Narrow);
    /// Thumb B with a condition: 8 bits, in halfwords.
    pub(crate) const NARROW8: Form = Form::new(8, 0, 1, Shape::Narrow);
    /// Thumb LDR literal and ADR: 8 bits, in words.
    pub(crate) const NARROW_AHEAD: Form = Form::new(8, 0, 2, Shape::NarrowAhead);
    /// Thumb CBZ and CBNZ: 6 bits, in halfwords.
    pub(crate) const COMPARE: Form = Form::new(6, 0, 1, Shape::Compare);
    /// Thumb-2 B with a condition: 20 bits, in halfwords.
    pub(crate) const CONDITIONAL: Form = Form::new(20, 0, 1, Shape::Conditional);
    /// Thumb-2 ADR: 12 bits.
    pub(crate) const ADDRESS: Form = Form::new(12, 0, 0, Shape::Address);

    /// Arm LDR literal: 12 bits at bit `at`, forwards.
    pub(crate) const fn ahead12(at: u8) -> Form {
        Form::new(12, at, 0, Shape::Ahead)
    }

    /// The same backwards.
    pub(crate) const fn behind12(at: u8) -> Form {
        Form::new(12, at, 0, Shape::Behind)
    }

    /// Arm VLDR and LDRD literal: 8 bits at bit `at`, in words, forwards.
    pub(crate) const fn ahead8(at: u8) -> Form {
        Form::new(8, at, 2, Shape::Ahead)
    }

    /// Arm MOVW, or MOVT with `unit` 16: 16 bits of an address.
    pub(crate) const fn half(unit: u8, thumb: bool) -> Form {
        Form::new(16, 0, unit, if thumb { Shape::MoveThumb } else { Shape::MoveArm })
    }

    /// Arm linkage stub: some bits of the distance.
    pub(crate) const fn stub(bits: u8, unit: u8) -> Form {
        Form::new(bits, 0, unit, Shape::Unsigned)
    }

    const fn new(bits: u8, at: u8, unit: u8, shape: Shape) -> Form {
        Form { bits, at, unit, shape }
    }

    /// AArch64 low 12 bits of an address at bit 10, in units of 1 << `unit` bytes.
    pub(crate) const fn low12(unit: u8) -> Form {
        Form::new(12, 10, unit, Shape::Low)
    }
}

/// What the value of a reference is counted from, on the new side, and what its number [`Field::base`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// The reference's own new address plus the number.
    Place,
    /// The number, a known new address (0 for absolute references).
    At,
    /// The new address of what is at the number, an old address.
    Mapped,
    /// Nothing. The number is the offset in the old file of the record that the target is the number of.
    Record,
}

/// What the number [`Field::target`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// An old address.
    Address,
    /// The old address just after something: follows what is before it.
    End,
    /// An old offset in the file.
    Offset,
    /// The new value itself.
    Known,
    /// An old number, which moves as numbers near it did; with a base that is a record, as the numbers of records copied with that did.
    Shifted,
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

    #[allow(clippy::as_conversions, reason = "its place in the list")]
    pub(crate) fn number(self) -> usize {
        self as usize
    }
}

/// All of a reference but its numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct What {
    pub(crate) form: Form,
    pub(crate) kind: Kind,
    pub(crate) base: Base,
    pub(crate) target: Target,
    /// Whether a mispredicted target is remembered for later references to it.
    pub(crate) learns: bool,
}

impl What {
    pub(crate) const fn new(form: Form, kind: Kind, base: Base, target: Target) -> What {
        let learns = !matches!(kind, Kind::Page | Kind::Low | Kind::Near | Kind::Header | Kind::Type)
            && matches!(target, Target::Address);
        What { form, kind, base, target, learns }
    }
}

/// One reference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// Offset of its bytes in the old file.
    pub(crate) at: u64,
    pub(crate) what: What,
    pub(crate) base: u64,
    pub(crate) target: u64,
}

impl Form {
    /// Length in bytes.
    pub(crate) fn width(self) -> usize {
        match self.shape {
            Shape::Narrow | Shape::NarrowAhead | Shape::Compare if ARM => 2,
            _ if self.bits == 64 => 8,
            _ => 4,
        }
    }

    /// The pieces of a form that is in several: bit of the word, bit of the value, number of bits.
    fn pieces(self) -> &'static [(u8, u8, u8)] {
        match self.shape {
            Shape::Compare => &[(3, 0, 5), (9, 5, 1)],
            Shape::Address => &[(16, 0, 8), (28, 8, 3), (10, 11, 1)],
            Shape::Conditional => &[(16, 0, 11), (0, 11, 6), (29, 17, 1), (27, 18, 1), (10, 19, 1)],
            Shape::MoveArm => &[(0, 0, 12), (16, 12, 4)],
            Shape::MoveThumb => &[(16, 0, 8), (28, 8, 3), (10, 11, 1), (0, 12, 4)],
            _ => &[],
        }
    }

    /// The bits of the reference.
    pub(crate) fn get(self, bytes: &[u8]) -> Option<u64> {
        let word = number_at(bytes, 0, self.width())?;
        let placed = match self.shape {
            Shape::Page if AARCH64 => ((word >> 29) & 3) | ((word >> 3) & 0x1f_fffc),
            Shape::Branch | Shape::Exchange if ARM => thumb_bits(low32(word)).into(),
            _ if ARM && !self.pieces().is_empty() => gathered(word, self.pieces()),
            _ => word.wrapping_shr(self.at.into()),
        };
        Some(placed & self.mask())
    }

    /// Writes the bits of the reference and leaves the others.
    pub(crate) fn put(self, bytes: &mut [u8], value: u64) {
        let Some(old) = number_at(bytes, 0, self.width()) else { return };
        let (mask, at) = (self.mask(), self.at.into());
        let low = value & mask;
        let word = match self.shape {
            Shape::Page if AARCH64 => (old & 0x9f00_001f) | ((low & 3) << 29) | ((low & 0x1f_fffc) << 3),
            Shape::Branch | Shape::Exchange if ARM => thumb_word(low32(old), low32(low)).into(),
            _ if ARM && !self.pieces().is_empty() => spread(old, low, self.pieces()),
            _ => (old & !mask.wrapping_shl(at)) | low.wrapping_shl(at),
        };
        let mut rest = word;
        for byte in bytes.iter_mut().take(self.width()) {
            *byte = low8(rest);
            rest >>= 8;
        }
    }

    /// The bits that refer to `target` from `base`.
    pub(crate) fn bits(self, target: u64, base: u64) -> u64 {
        let target = if AARCH64 && self.shape == Shape::Low { target & 0xfff } else { target };
        let distance = target.wrapping_sub(self.base(base));
        let distance = if self.is_backwards() { distance.wrapping_neg() } else { distance };
        let units = distance.wrapping_shr(self.unit.into());
        (if self.shape == Shape::Thirds { units / 3 } else { units }) & self.mask()
    }

    fn is_backwards(self) -> bool {
        self.shape == Shape::Backwards || ARM && self.shape == Shape::Behind
    }

    /// What counts of a base.
    fn base(self, base: u64) -> u64 {
        match self.shape {
            Shape::Page if AARCH64 => base & !0xfff,
            Shape::Exchange | Shape::NarrowAhead | Shape::Ahead | Shape::Address | Shape::Behind if ARM => {
                base & !3
            }
            Shape::Low if AARCH64 => 0,
            _ => base,
        }
    }

    /// The bits that the form has.
    pub(crate) fn mask(self) -> u64 {
        u64::MAX.wrapping_shr(64u32.wrapping_sub(self.bits.into()))
    }

    /// What `bits` refer to from `base`: the inverse of [`Form::bits`] where there is one.
    pub(crate) fn target(self, bits: u64, base: u64) -> u64 {
        let units = match self.shape {
            Shape::Unsigned | Shape::Low => bits,
            Shape::NarrowAhead | Shape::Compare | Shape::Ahead | Shape::Address | Shape::Behind if ARM => {
                bits
            }
            Shape::MoveArm | Shape::MoveThumb if ARM => bits,
            Shape::Thirds => bits.wrapping_mul(3),
            _ => extend(bits, self.bits.into()),
        };
        let distance = units.wrapping_shl(self.unit.into());
        let distance = if self.is_backwards() { distance.wrapping_neg() } else { distance };
        self.base(base).wrapping_add(distance)
    }
}

/// The value whose pieces are in `word`.
fn gathered(word: u64, pieces: &[(u8, u8, u8)]) -> u64 {
    pieces.iter().fold(0, |value, (from, to, count)| {
        value | (word.wrapping_shr((*from).into()) & ones(*count)).wrapping_shl((*to).into())
    })
}

/// `word` with the pieces of another value.
fn spread(word: u64, value: u64, pieces: &[(u8, u8, u8)]) -> u64 {
    pieces.iter().fold(word, |word, (to, from, count)| {
        let piece = value.wrapping_shr((*from).into()) & ones(*count);
        (word & !ones(*count).wrapping_shl((*to).into())) | piece.wrapping_shl((*to).into())
    })
}

fn ones(count: u8) -> u64 {
    1u64.wrapping_shl(count.into()).wrapping_sub(1)
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
            (Form::REL32, 0xffff_fffe),
            (Form::U64, 0x1234_5678_9abc_def0),
            (Form::IMM26, 0x3ab_cdef),
            (Form::IMM19, 0x7_1234),
            (Form::ADRP, 0x1f_1235),
            (Form::low12(3), 0xabc),
            (Form::THUMB, 0xa5_1234),
            (Form::THUMB_EXCHANGE, 0x5a_1234),
            (Form::REL31, 0x7000_1234),
            (Form::SYMBOL24, 0xab_cdef),
            (Form::IMM24, 0xab_cdef),
            (Form::NARROW11, 0x5a5),
            (Form::NARROW8, 0xa5),
            (Form::NARROW_AHEAD, 0x5a),
            (Form::COMPARE, 0x2a),
            (Form::CONDITIONAL, 0xa_5a5a),
            (Form::ADDRESS, 0xa5a),
            (Form::ahead12(16), 0x5a5),
            (Form::behind12(0), 0xa5a),
            (Form::ahead8(16), 0xa5),
            (Form::half(0, true), 0xa5a5),
            (Form::half(16, false), 0x5a5a),
            (Form::stub(8, 20), 0xa5),
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
            (Form::REL32, 0x1000, 0x2004),
            (Form::NEG32, 0x1000, 0x2004),
            (Form::INDEX24, 0x1000 + 24 * 7, 0x1000),
            (Form::U64, 0x4000, 0),
            (Form::IMM26, 0x1000, 0x2004),
            (Form::IMM19, 0x1000, 0x2004),
            (Form::ADRP, 0x5000, 0x12_2004),
            (Form::THUMB, 0x5002, 0x12_2004),
            (Form::THUMB_EXCHANGE, 0x5004, 0x12_2006),
            (Form::REL31, 0x5002, 0x12_2004),
            (Form::SYMBOL24, 0x1000 + 16 * 9, 0x1000),
            (Form::IMM24, 0x1000, 0x2008),
            (Form::NARROW11, 0x1fe0, 0x2002),
            (Form::NARROW8, 0x1fe0, 0x2002),
            (Form::NARROW_AHEAD, 0x2200, 0x2002),
            (Form::COMPARE, 0x2042, 0x2004),
            (Form::CONDITIONAL, 0x1000, 0x2002),
            (Form::ADDRESS, 0x2203, 0x2002),
            (Form::ahead12(16), 0x2ffc, 0x2002),
            (Form::behind12(0), 0x1004, 0x2002),
            (Form::ahead8(16), 0x2200, 0x2002),
            (Form::half(0, true), 0x9234, 0),
            (Form::half(16, false), 0x8765_0000, 0),
        ] {
            assert_eq!(form.target(form.bits(target, base), base), target, "{form:?}");
        }
    }
}
