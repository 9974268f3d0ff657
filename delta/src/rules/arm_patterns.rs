//! Instructions of 32-bit Arm that refer to something near them or to an address. Since profile 3.
//!
//! Encodings from the Arm ARM DDI 0406C: A32 chapter A5, Thumb-2 chapter A6. The first row that fits decides. Words of Thumb-2 have the
//! first halfword in their low half.

use crate::field::{Form, Kind};

/// How an instruction is encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    A32,
    /// Thumb in one halfword.
    Narrow,
    /// Thumb-2 in two halfwords.
    Wide,
}

/// What the bits are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Nothing,
    /// The way to code.
    Branch,
    /// The way to so many words of a literal pool, of which the first goes to the register at a bit of the instruction.
    Load(u8, u8),
    /// The way to data near by.
    Near,
    /// The low half of what goes to the register at a bit, and the high half.
    Low(u8),
    High(u8),
    /// The first of the three instructions of a linkage stub.
    Stub,
    /// Not its bits: the PC is added to the register at a bit.
    Add(u8),
    /// Not its bits: what the registers at two bits add up to is an address.
    Sum(u8, u8),
}

/// An instruction that counts.
#[derive(Clone, Copy)]
pub(super) struct Pattern {
    mask: u32,
    value: u32,
    pub(super) role: Role,
    pub(super) kind: Kind,
    pub(super) form: Form,
}

const fn row(mask: u32, value: u32, role: Role, kind: Kind, form: Form) -> Pattern {
    Pattern { mask, value, role, kind, form }
}

const A32: &[Pattern] = &[
    // B, BL, BLX
    row(0x0e00_0000, 0x0a00_0000, Role::Branch, Kind::Call, Form::IMM24),
    // LDR literal
    row(0x0fff_0000, 0x059f_0000, Role::Load(12, 1), Kind::Low, Form::ahead12(0)),
    row(0x0fff_0000, 0x051f_0000, Role::Load(12, 1), Kind::Low, Form::behind12(0)),
    // ADD Rd, PC, Rm and LDR or STR with [PC, Rm]
    row(0x0fff_0ff0, 0x008f_0000, Role::Add(0), Kind::Low, Form::U32),
    row(0x0faf_0ff0, 0x078f_0000, Role::Add(0), Kind::Low, Form::U32),
    // VLDR literal
    row(0x0fbf_0f00, 0x0d9f_0a00, Role::Load(32, 1), Kind::Low, Form::ahead8(0)),
    row(0x0fbf_0f00, 0x0d9f_0b00, Role::Load(32, 2), Kind::Low, Form::ahead8(0)),
    // LDR with two registers
    row(0x0ff0_0ff0, 0x0790_0000, Role::Sum(0, 16), Kind::Low, Form::U32),
    // MOVW, MOVT
    row(0x0ff0_0000, 0x0300_0000, Role::Low(12), Kind::Page, Form::half(0, false)),
    row(0x0ff0_0000, 0x0340_0000, Role::High(12), Kind::Page, Form::half(16, false)),
    // ADD IP, PC, #n << 20
    row(0xffff_ff00, 0xe28f_c600, Role::Stub, Kind::Page, Form::stub(8, 20)),
];

const NARROW: &[Pattern] = &[
    // LDR literal
    row(0xf800, 0x4800, Role::Load(8, 1), Kind::Low, Form::NARROW_AHEAD),
    // ADD Rdn, PC
    row(0xff78, 0x4478, Role::Add(0), Kind::Low, Form::U32),
    // LDR with two registers
    row(0xfe00, 0x5800, Role::Sum(6, 3), Kind::Low, Form::U32),
    // UDF, SVC, then B with a condition
    row(0xfe00, 0xde00, Role::Nothing, Kind::Near, Form::NARROW8),
    row(0xf000, 0xd000, Role::Branch, Kind::Near, Form::NARROW8),
    row(0xf800, 0xe000, Role::Branch, Kind::Near, Form::NARROW11),
    // CBZ, CBNZ
    row(0xf500, 0xb100, Role::Branch, Kind::Near, Form::COMPARE),
    // ADR
    row(0xf800, 0xa000, Role::Near, Kind::Low, Form::NARROW_AHEAD),
];

const WIDE: &[Pattern] = &[
    // BL, BLX, B.W
    row(0xd000_f800, 0xd000_f000, Role::Branch, Kind::Call, Form::THUMB),
    row(0xd001_f800, 0xc000_f000, Role::Branch, Kind::Call, Form::THUMB_EXCHANGE),
    row(0xd000_f800, 0x9000_f000, Role::Branch, Kind::Call, Form::THUMB),
    // hints, barriers and the like, then B with a condition
    row(0xd000_fb80, 0x8000_f380, Role::Nothing, Kind::Near, Form::CONDITIONAL),
    row(0xd000_f800, 0x8000_f000, Role::Branch, Kind::Near, Form::CONDITIONAL),
    // LDR literal
    row(0x0000_ffff, 0x0000_f8df, Role::Load(28, 1), Kind::Low, Form::ahead12(16)),
    row(0x0000_ffff, 0x0000_f85f, Role::Load(28, 1), Kind::Low, Form::behind12(16)),
    // VLDR, LDRD literal
    row(0x0f00_ffbf, 0x0a00_ed9f, Role::Load(32, 1), Kind::Low, Form::ahead8(16)),
    row(0x0f00_ffbf, 0x0b00_ed9f, Role::Load(32, 2), Kind::Low, Form::ahead8(16)),
    row(0x0000_ffff, 0x0000_e9df, Role::Load(32, 2), Kind::Low, Form::ahead8(16)),
    // LDR with two registers
    row(0x0fc0_fff0, 0x0000_f850, Role::Sum(16, 0), Kind::Low, Form::U32),
    // MOVW, MOVT
    row(0x8000_fbf0, 0x0000_f240, Role::Low(24), Kind::Page, Form::half(0, true)),
    row(0x8000_fbf0, 0x0000_f2c0, Role::High(24), Kind::Page, Form::half(16, true)),
    // ADR
    row(0x8000_fbff, 0x0000_f20f, Role::Near, Kind::Low, Form::ADDRESS),
];

/// What counts about an instruction.
pub(super) fn find(set: Set, word: u32) -> Option<&'static Pattern> {
    let patterns = match set {
        Set::A32 => A32,
        Set::Narrow => NARROW,
        Set::Wide => WIDE,
    };
    patterns.iter().find(|pattern| word & pattern.mask == pattern.value).filter(|it| it.role != Role::Nothing)
}
