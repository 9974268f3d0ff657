//! Which bytes of an old file are references: one rule for each kind of section.
//!
//! A rule sees one window of a copy at a time and reports the references that lie wholly inside it. Encoder and
//! decoder run the same rules over the same windows, so a rule that is wrong about a reference costs bytes, never
//! correctness. All of them are wire format: a change needs a new profile version.

#[cfg(feature = "aarch64")]
mod aarch64;
#[cfg(not(feature = "aarch64"))]
use disabled as aarch64;
#[cfg(any(feature = "arm", feature = "i386"))]
mod arm;
#[cfg(not(any(feature = "arm", feature = "i386")))]
use disabled as arm;
#[cfg(feature = "arm")]
mod arm_code;
#[cfg(not(feature = "arm"))]
use disabled as arm_code;
#[cfg(feature = "arm")]
mod arm_patterns;
mod checkpoints;
#[cfg(not(all(feature = "aarch64", feature = "arm", feature = "i386", feature = "x86")))]
#[allow(dead_code, reason = "of each architecture that is missing it has a part")]
pub(crate) mod disabled;
mod frames;
mod headers;
#[cfg(feature = "i386")]
mod i386;
#[cfg(not(feature = "i386"))]
use disabled as i386;
#[cfg(feature = "arm")]
pub(crate) mod pools;
#[cfg(not(feature = "arm"))]
pub(crate) use disabled as pools;
mod relocations;
mod symbols;
pub(crate) mod tables;
#[cfg(feature = "arm")]
mod thumb;
#[cfg(not(feature = "arm"))]
use disabled as thumb;
mod types;
mod words;
#[cfg(feature = "x86")]
mod x86;
#[cfg(not(feature = "x86"))]
use disabled as x86;

use crate::field::{Field, What};
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
    /// Since profile 3.
    CodeA32,
    CodeT32,
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

/// Whether rules that need a global offset table are in this build.
const NARROW: bool = cfg!(any(feature = "arm", feature = "i386"));

/// What the rules need to know beside the window: the old file and, when making the new one, its layout.
pub(crate) struct Context<'a> {
    pub(crate) image: &'a Image,
    pub(crate) layout: &'a Layout,
    pub(crate) tables: tables::Tables,
    pub(crate) pools: pools::Pools,
    checkpoints: checkpoints::Checkpoints,
    /// Address of the global offset table of a 32-bit file.
    offset_table: Option<u64>,
    pub(crate) peek: Peek<'a>,
    pub(crate) far: Peek<'a>,
}

impl<'a> Context<'a> {
    /// Looks once through the whole old file for what cannot be seen in a window.
    #[inline(never)]
    pub(crate) fn new(file: &'a dyn ReadAt, image: &'a Image, layout: &'a Layout) -> Context<'a> {
        let offset_table = match image.machine {
            Machine::I386 | Machine::Arm if NARROW => {
                image.named(b".got.plt").or_else(|| image.named(b".got"))
            }
            _ => None,
        };
        let mut context = Context {
            image,
            layout,
            tables: tables::Tables::default(),
            pools: pools::find(file, image),
            checkpoints: checkpoints::Checkpoints::default(),
            offset_table: offset_table.map(|section| section.addr),
            peek: Peek::near(file),
            far: Peek::far(file),
        };
        if cfg!(feature = "x86") && image.machine == Machine::X86_64 && !image.relocatable {
            context.tables = tables::find(file, image, &mut context.peek);
        }
        context.checkpoints.fill(image, &mut context.peek);
        context
    }

    /// The new address that stands for the start of the old section `number` and for nothing else.
    fn base_of(&self, number: usize) -> Option<u64> {
        self.layout.counterpart(number).map(|place| place.addr)
    }

    /// Keeps a reference to `target` that is counted from the start of the old section `number` and `bias` bytes on, if that has a
    /// counterpart.
    fn keep(
        &self,
        window: &mut Window<'_>,
        at: u64,
        what: What,
        number: usize,
        target: u64,
        bias: u64,
    ) -> Option<()> {
        let base = self.base_of(number)?.wrapping_add(bias);
        window.keep(at, what, base, target);
        Some(())
    }

    /// Finds the references in `window` and says how many of its bytes are dealt with.
    #[inline(never)]
    pub(crate) fn scan(&mut self, window: &mut Window<'_>) -> usize {
        window.found.clear();
        let (image, length) = (self.image, window.bytes.len());
        let Some(section) = image.sections.get(window.section) else { return length };
        let class = image.class();
        let (header, size, record): (u64, u64, Record) = match section.rule {
            Rule::Bytes => return length,
            Rule::CodeX86 => return x86::scan(self, section, window),
            Rule::CodeAarch64 => return aarch64::scan(self, section, window),
            Rule::KernelAarch64 => return aarch64::scan_kernel(self, section, window),
            Rule::CodeThumb => return thumb::scan(self, section, window),
            Rule::CodeA32 | Rule::CodeT32 => return arm_code::scan(self, section, window),
            Rule::CodeI386 => return i386::scan(self, section, window),
            Rule::ReadOnlyI386 => return i386::scan_read_only(self, section, window),
            Rule::Words | Rule::ReadOnly => return words::scan(self, section, window),
            Rule::Frames | Rule::Types => return self.walk(section, window).unwrap_or(length),
            Rule::ElfHeader => return headers::scan_elf(self, section, window),
            Rule::FrameIndex if !frames::is_known_index(&mut self.peek, section) => return length,
            Rule::FrameIndex => (4, 4, frames::index_word),
            Rule::Exceptions => (0, 8, frames::exception),
            Rule::Rel => (0, 8, arm::relocation),
            Rule::Rela => (0, wide(relocations::RECORD), relocations::record),
            Rule::Symbols => (0, class.symbol, symbols::record),
            Rule::SectionTable => (0, class.section, headers::section),
        };
        self.records(section, window, (header, size, record))
    }

    /// Goes through the records of `size` bytes that touch the window, after a header.
    fn records(
        &mut self,
        section: &Section,
        window: &mut Window<'_>,
        (header, size, record): (u64, u64, Record),
    ) -> usize {
        let first = section.offset.wrapping_add(header);
        let skip = window.start.saturating_sub(first).checked_div(size).unwrap_or(0);
        let mut at = first.wrapping_add(skip.wrapping_mul(size));
        let whole = window.end().saturating_sub(at).checked_rem(size).unwrap_or(0);
        let length = wide(window.bytes.len());
        let dealt = if window.last || whole >= length { length } else { length.saturating_sub(whole) };
        // a record of which the window has a part belongs to the next one, unless there is none
        let stop = if dealt < length { window.end().saturating_sub(whole) } else { window.end() };
        while at < stop {
            record(self, section, window, at);
            at = at.wrapping_add(size);
        }
        index(dealt)
    }

    /// Goes through the records of varying length that touch the window; `None` if all of it is dealt with.
    #[inline(never)]
    fn walk(&mut self, section: &Section, window: &mut Window<'_>) -> Option<usize> {
        let extent = Extent::of(section, &mut self.peek)?;
        let strings = section.address_of(extent.strings);
        let mut at = self.checkpoints.before(extent.start, window.start);
        while at < window.end().min(extent.end) {
            let next = at.wrapping_add(extent.record_length(&mut self.peek, at)?);
            if next > window.end() && !window.last && at > window.start {
                return Some(index(at.saturating_sub(window.start)));
            }
            if next <= window.start {
            } else if extent.of_types {
                types::record(self, strings, window, at);
            } else {
                frames::record(self, section, window, at);
            }
            at = next;
        }
        None
    }
}

/// What goes through one record, at an offset in the old file, of a section.
type Record = fn(&mut Context<'_>, &Section, &mut Window<'_>, u64) -> Option<()>;

/// Where records of varying length lie, as offsets in the old file.
struct Extent {
    of_types: bool,
    start: u64,
    end: u64,
    /// Start of the names of types.
    strings: u64,
}

impl Extent {
    /// Those of a section with frames or types.
    fn of(section: &Section, peek: &mut Peek<'_>) -> Option<Extent> {
        let end = section.offset.wrapping_add(section.file_size);
        match section.rule {
            Rule::Frames => Some(Extent { of_types: false, start: section.offset, end, strings: 0 }),
            Rule::Types => types::extent(section, peek, end),
            _ => None,
        }
    }

    fn record_length(&self, peek: &mut Peek<'_>, at: u64) -> Option<u64> {
        if self.of_types { types::record_length(peek, at) } else { frames::record_length(peek, at) }
    }
}

/// Part of a copy that lies in one section.
pub(crate) struct Window<'a> {
    pub(crate) bytes: &'a [u8],
    /// Offset in the old file.
    pub(crate) start: u64,
    /// Whether the copy or the section ends with it.
    pub(crate) last: bool,
    /// Number of the section.
    pub(crate) section: usize,
    /// The references found in it.
    pub(crate) found: &'a mut Vec<Field>,
}

impl Window<'_> {
    pub(crate) fn end(&self) -> u64 {
        self.start.wrapping_add(wide(self.bytes.len()))
    }

    /// Keeps a reference if all its bytes are in the window.
    #[inline(never)]
    pub(crate) fn keep(&mut self, at: u64, what: What, base: u64, target: u64) {
        let end = at.wrapping_add(wide(what.form.width()));
        if at >= self.start && end <= self.end() {
            self.found.push(Field { at, what, base, target });
        }
    }
}
