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

#[cfg(test)]
mod tests {
    use super::super::pools::Instruction;
    use super::*;

    /// As the GNU assembler writes them: A32 words at 0x8000 and on, then Thumb, each with what it leads to.
    const ARM: &[(u32, Role, u64)] = &[
        (0xea00_003e, Role::Branch, 0x8100),
        (0x0bff_fffd, Role::Branch, 0x8000),
        (0xfa00_000c, Role::Branch, 0x8040),
        (0xe59f_3044, Role::Load(12, 1), 0x8058),
        (0xe51f_3044, Role::Load(12, 1), 0x7fd4),
        (0xe08f_3005, Role::Add(0), 0),
        (0xe79f_3005, Role::Add(0), 0),
        (0xe7cf_3005, Role::Add(0), 0),
        (0xe794_3005, Role::Sum(0, 16), 0),
        (0xeddf_1a11, Role::Load(32, 1), 0x8070),
        (0xed9f_3b11, Role::Load(32, 2), 0x8074),
        (0xe301_3234, Role::Low(12), 0x1234),
        (0xe341_3234, Role::High(12), 0x1234_0000),
        (0xe28f_c621, Role::Stub, 0),
        (0xe28f_3010, Role::Nothing, 0),
        (0xe594_3010, Role::Nothing, 0),
    ];
    const THUMB: &[(&[u16], Role, u64)] = &[
        (&[0x4b11], Role::Load(8, 1), 0x8088),
        (&[0x447b], Role::Add(0), 0),
        (&[0x44fb], Role::Add(0), 0),
        (&[0x5963], Role::Sum(6, 3), 0),
        (&[0xdf01], Role::Nothing, 0),
        (&[0xd0f9], Role::Branch, 0x8040),
        (&[0xe7f8], Role::Branch, 0x8040),
        (&[0xb323], Role::Branch, 0x809a),
        (&[0xbb1b], Role::Branch, 0x809a),
        (&[0xa311], Role::Near, 0x8098),
        (&[0xf7ff, 0xfff4], Role::Branch, 0x8040),
        (&[0xf7ff, 0xefd2], Role::Branch, 0x8000),
        (&[0xf7ff, 0xbff0], Role::Branch, 0x8040),
        (&[0xf3bf, 0x8f5b], Role::Nothing, 0),
        (&[0xf3ef, 0x8300], Role::Nothing, 0),
        (&[0xf43f, 0xafea], Role::Branch, 0x8040),
        (&[0xf8df, 0x3044], Role::Load(28, 1), 0x80b4),
        (&[0xf85f, 0x3044], Role::Load(28, 1), 0x8030),
        (&[0xeddf, 0x1a11], Role::Load(32, 1), 0x80bc),
        (&[0xed9f, 0x3b11], Role::Load(32, 2), 0x80c0),
        (&[0xe9df, 0x3411], Role::Load(32, 2), 0x80c4),
        (&[0xf854, 0x3005], Role::Sum(16, 0), 0),
        (&[0xf241, 0x2334], Role::Low(24), 0x1234),
        (&[0xf2c1, 0x2334], Role::High(24), 0x1234_0000),
        (&[0xf20f, 0x0308], Role::Near, 0x8098),
        (&[0x42a3], Role::Nothing, 0),
        (&[0xf04f, 0x0305], Role::Nothing, 0),
    ];

    #[test]
    fn instructions_are_known_by_what_an_assembler_writes() {
        let arm = ARM.iter().map(|(word, role, target)| (false, word.to_le_bytes().to_vec(), *role, *target));
        let thumb = THUMB.iter().map(|(halves, role, target)| {
            (true, halves.iter().flat_map(|half| half.to_le_bytes()).collect::<Vec<u8>>(), *role, *target)
        });
        let (mut place, mut seen) = (0x8000, Vec::new());
        for (thumb, bytes, role, target) in arm.chain(thumb) {
            let one = Instruction::read(thumb, &bytes, 0, place).unwrap();
            assert_eq!(one.length(), bytes.len(), "{bytes:x?}");
            let found = one.pattern();
            assert!(found.map_or(Role::Nothing, |found| found.role) == role, "{bytes:x?}");
            if let Some(pattern) = found.filter(|_| target != 0) {
                let pc = if matches!(role, Role::Low(_) | Role::High(_)) { one.pc() } else { 0 };
                assert_eq!(one.target(pattern).wrapping_sub(pc), target, "{bytes:x?}");
            }
            if let (Some(pattern), true) =
                (found, matches!(role, Role::Load(..=28, _) | Role::Low(_) | Role::High(_)))
            {
                let (Role::Load(bit, _) | Role::Low(bit) | Role::High(bit)) = pattern.role else { continue };
                assert_eq!(one.register(bit), 3, "{bytes:x?}");
            }
            seen.extend(found.map(|row| (row.mask, row.value)));
            place += bytes.len() as u64;
        }
        for pattern in [A32, NARROW, WIDE].into_iter().flatten().filter(|row| row.role != Role::Nothing) {
            assert!(seen.contains(&(pattern.mask, pattern.value)), "no instruction for {:#x}", pattern.value);
        }
    }
}
