//! Which bytes of an old file are references: one rule for each kind of section.
//!
//! A rule sees one window of a copy at a time and reports the references that lie wholly inside it. Encoder and
//! decoder run the same rules over the same windows, so a rule that is wrong about a reference costs bytes, never
//! correctness. All of them are wire format: a change needs a new profile version.

#[cfg(feature = "aarch64")]
mod aarch64;
#[cfg(not(feature = "aarch64"))]
#[path = "disabled.rs"]
mod aarch64;
#[cfg(any(feature = "arm", feature = "i386"))]
mod arm;
#[cfg(not(any(feature = "arm", feature = "i386")))]
#[path = "disabled.rs"]
mod arm;
mod checkpoints;
mod frames;
mod headers;
#[cfg(feature = "i386")]
mod i386;
#[cfg(not(feature = "i386"))]
#[path = "disabled_context.rs"]
mod i386;
mod relocations;
mod symbols;
pub(crate) mod tables;
#[cfg(feature = "arm")]
mod thumb;
#[cfg(not(feature = "arm"))]
#[path = "disabled.rs"]
mod thumb;
mod types;
mod words;
#[cfg(feature = "x86")]
mod x86;
#[cfg(not(feature = "x86"))]
#[path = "disabled.rs"]
mod x86;

use crate::field::Field;
use crate::image::layout::Layout;
use crate::image::{Image, Machine, Section};
use crate::io::{Peek, ReadAt};
use crate::num::{index, wide};

/// How the references of a section are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Rule {
    /// Not at all.
    #[default]
    Bytes,
    CodeX86,
    CodeI386,
    CodeAarch64,
    KernelAarch64,
    CodeThumb,
    Rel,
    Exceptions,
    Rela,
    Symbols,
    Frames,
    FrameIndex,
    Types,
    Words,
    ReadOnly,
    ReadOnlyI386,
    ElfHeader,
    SectionTable,
}

/// What the rules need to know beside the window: the old file and, when making the new one, its layout.
pub(crate) struct Context<'a> {
    pub(crate) image: &'a Image,
    pub(crate) layout: &'a Layout,
    pub(crate) tables: tables::Tables,
    checkpoints: checkpoints::Checkpoints,
    /// Address of the global offset table of a 32-bit x86 file.
    offset_table: Option<u64>,
    pub(crate) peek: Peek<'a>,
    pub(crate) far: Peek<'a>,
}

impl<'a> Context<'a> {
    /// Looks once through the whole old file for what cannot be seen in a window.
    pub(crate) fn new(file: &'a dyn ReadAt, image: &'a Image, layout: &'a Layout) -> Context<'a> {
        let mut peek = Peek::near(file);
        let tables = match image.machine {
            Machine::X86_64 if cfg!(feature = "x86") && !image.relocatable => {
                tables::find(file, image, &mut peek)
            }
            _ => tables::Tables::default(),
        };
        let checkpoints = checkpoints::Checkpoints::new(image, &mut peek);
        let offset_table = if image.machine == Machine::I386 { i386::offset_table(image) } else { None };
        Context { image, layout, tables, checkpoints, offset_table, peek, far: Peek::far(file) }
    }

    /// The new address that stands for the start of the old section `number` and for nothing else.
    fn base_of(&self, number: usize) -> Option<u64> {
        self.layout.counterpart(number).map(|place| place.addr)
    }

    /// Finds the references in `window` and says how many of its bytes are dealt with.
    pub(crate) fn scan(&mut self, number: usize, window: &Window<'_>, found: &mut Vec<Field>) -> usize {
        found.clear();
        let image = self.image;
        let Some(section) = image.sections.get(number) else { return window.bytes.len() };
        let scan = match section.rule {
            Rule::Bytes => return window.bytes.len(),
            Rule::CodeX86 => return x86::scan(image, section, window, found),
            Rule::CodeAarch64 => return aarch64::scan(image, section, window, found),
            Rule::KernelAarch64 => return aarch64::scan_kernel(image, section, window, found),
            Rule::CodeThumb => return thumb::scan(image, section, window, found),
            Rule::CodeI386 => i386::scan,
            Rule::ReadOnlyI386 => i386::scan_read_only,
            Rule::Rel => arm::scan_rel,
            Rule::Exceptions => arm::scan_index,
            Rule::Rela => relocations::scan,
            Rule::Symbols => symbols::scan,
            Rule::Frames => return frames::scan(self, section, window, found),
            Rule::Types => return types::scan(self, section, window, found),
            Rule::FrameIndex => frames::scan_index,
            Rule::Words => words::scan,
            Rule::ReadOnly => words::scan_read_only,
            Rule::ElfHeader => headers::scan_elf,
            Rule::SectionTable => headers::scan_sections,
        };
        scan(self, number, section, window, found)
    }
}

/// Part of a copy that lies in one section.
pub(crate) struct Window<'a> {
    pub(crate) bytes: &'a [u8],
    /// Offset in the old file.
    pub(crate) start: u64,
    /// Whether the copy or the section ends with it.
    pub(crate) last: bool,
}

impl Window<'_> {
    pub(crate) fn end(&self) -> u64 {
        self.start.wrapping_add(wide(self.bytes.len()))
    }

    /// Keeps `field` if all its bytes are in the window.
    pub(crate) fn keep(&self, field: Field, found: &mut Vec<Field>) {
        let end = field.at.wrapping_add(wide(field.form.width()));
        if field.at >= self.start && end <= self.end() {
            found.push(field);
        }
    }

    /// Offsets of the records of `size` bytes that touch the window, and how many bytes are dealt with once they are.
    pub(crate) fn records(
        &self,
        section: &Section,
        header: u64,
        size: u64,
    ) -> (impl Iterator<Item = u64>, usize) {
        let first = section.offset.wrapping_add(header);
        let skip = self.start.saturating_sub(first).checked_div(size).unwrap_or(0);
        let start = first.wrapping_add(skip.wrapping_mul(size));
        let count = self.end().saturating_sub(start).div_ceil(size);
        let whole = self.end().saturating_sub(start).checked_rem(size).unwrap_or(0);
        let length = wide(self.bytes.len());
        let dealt = if self.last || whole >= length { length } else { length.saturating_sub(whole) };
        let count = if dealt < length { count.saturating_sub(1) } else { count };
        ((0..count).map(move |n| start.wrapping_add(n.wrapping_mul(size))), index(dealt))
    }
}
