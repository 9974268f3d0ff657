//! Where a program starts that may lie anywhere: it adds the address where it lies to each of its pointers, then goes on as musl has it.
//!
//! The linker packs the places of pointers into `.relr.dyn` (`--pack-dyn-relocs=relr`), some 256 bytes in place of 24 for each. musl 1.2.3 does not
//! read that. Its form is in the ELF gABI, at SHT_RELR: an even word is the address of a pointer; an odd one has a bit for each of the
//! words after the last one spoken of, from its second bit on.
//!
//! Nothing here may use a pointer of the program's own data, nor call what does. Without `core`, and an object as `unwind.rs` is.
#![feature(no_core, lang_items, rustc_attrs)]
#![no_core]
#![allow(internal_features, missing_docs)]

#[path = "../lang.rs"]
mod lang;

// the compiler has these for numbers and asks for their names alone
macro_rules! operators {
    ($($lang:literal $Trait:ident $name:ident),*) => { $(
        #[lang = $lang]
        pub trait $Trait<Right = Self> {
            type Output;
            fn $name(self, right: Right) -> Self::Output;
        }
        impl $Trait for usize {
            type Output = usize;
            fn $name(self, _: usize) -> usize { self }
        }
    )* };
}
operators!("add" Add add, "sub" Sub sub, "bitand" BitAnd bitand, "shr" Shr shr);

#[rustc_builtin_macro]
macro_rules! global_asm {
    () => {};
}

#[cfg(target_pointer_width = "32")]
const WORD: usize = 4;
#[cfg(target_pointer_width = "64")]
const WORD: usize = 8;
/// The 31 or 63 words that an odd word speaks of.
#[cfg(target_pointer_width = "32")]
const SPOKEN_OF: usize = 124;
#[cfg(target_pointer_width = "64")]
const SPOKEN_OF: usize = 504;

global_asm!(".globl start_anywhere", ".hidden __ehdr_start", ".hidden _DYNAMIC");

#[cfg(target_arch = "x86_64")]
global_asm!(
    "start_anywhere:",
    "lea rdi, [rip + __ehdr_start]",
    "lea rsi, [rip + _DYNAMIC]",
    "call relocate",
    "jmp _start",
);
#[cfg(target_arch = "x86")]
global_asm!(
    "start_anywhere:",
    "call 2f",
    "2: popl %eax",
    "leal _DYNAMIC - 2b(%eax), %ecx",
    "leal __ehdr_start - 2b(%eax), %eax",
    "pushl %ecx",
    "pushl %eax",
    "call relocate",
    "addl $8, %esp",
    "jmp _start",
    options(att_syntax)
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    "start_anywhere:",
    "adrp x0, __ehdr_start",
    "add x0, x0, :lo12:__ehdr_start",
    "adrp x1, _DYNAMIC",
    "add x1, x1, :lo12:_DYNAMIC",
    "bl relocate",
    "b _start",
);
#[cfg(target_arch = "arm")]
global_asm!(
    ".arm",
    "start_anywhere:",
    "ldr r0, 4f",
    "2: add r0, pc, r0",
    "ldr r1, 5f",
    "3: add r1, pc, r1",
    "bl relocate",
    // does not come back; a plain jump does not change to Thumb
    "bl _start",
    "4: .word __ehdr_start - (2b + 8)",
    "5: .word _DYNAMIC - (3b + 8)",
);
#[cfg(target_arch = "s390x")]
global_asm!(
    "start_anywhere:",
    "larl %r2, __ehdr_start",
    "larl %r3, _DYNAMIC",
    "aghi %r15, -160",
    "brasl %r14, relocate",
    "aghi %r15, 160",
    "jg _start",
);

/// Adds `base`, where the program lies, to its pointers; `dynamic` are its pairs of tag and value.
#[unsafe(no_mangle)]
extern "C" fn relocate(base: usize, mut dynamic: usize) {
    let (mut packed, mut size) = (base, 0);
    loop {
        let value = word(dynamic + WORD);
        match word(dynamic) {
            0 => break,
            // DT_RELRSZ and DT_RELR
            35 => size = value,
            36 => packed = base + value,
            _ => {}
        }
        dynamic = dynamic + WORD + WORD;
    }
    let mut next = base;
    loop {
        match size {
            0 => break,
            _ => size = size - WORD,
        }
        let entry = word(packed);
        packed = packed + WORD;
        let (mut at, mut bits) = (next, entry >> 1);
        next = next + SPOKEN_OF;
        match entry & 1 {
            0 => {
                (at, bits) = (base + entry, 1);
                next = at + WORD;
            }
            _ => {}
        }
        loop {
            match bits {
                0 => break,
                _ => {}
            }
            match bits & 1 {
                0 => {}
                _ => add(at, base),
            }
            (at, bits) = (at + WORD, bits >> 1);
        }
    }
}

#[inline(always)]
fn word(at: usize) -> usize {
    // SAFETY: the dynamic section ends with a zero and the packed words where it says; the linker aligned both.
    unsafe { *(at as *const usize) }
}

#[inline(always)]
fn add(at: usize, base: usize) {
    // SAFETY: the linker packs the places of whole, aligned words that are still writable, and nothing else runs yet.
    unsafe { *(at as *mut usize) = *(at as *const usize) + base }
}
