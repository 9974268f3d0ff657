//! One new file inside a group.
//!
//! Control stream of a file:
//! ```text
//! method     0 inserted whole · 1 copies, differences of bytes · 2 copies, references predicted ·
//!            3 the same with the rules of profile 3
//! layout     methods 2 and 3, see image/layout.rs
//! copies     methods 1 to 3, see copymap.rs
//! ```
//! Differences: for each byte that is not as predicted, the number of right bytes before it (gap stream, LEB128) and
//! new - predicted modulo 256 (value stream). Gaps run over all copied bytes of the file; after the last difference
//! one gap covers the rest, unless nothing is left.

use crate::backend::Stream;
use crate::chain::Chain;
use crate::copymap::CopyMap;
use crate::error::{Error, Result};
use crate::image;
use crate::image::layout::Layout;
use crate::io::{ReadAt, Sink};
use crate::num::{index, wide};
use crate::predict::Predictor;
use crate::rebuild::{Corrector, Model, rebuild};
use crate::rules::Context;

/// How a file is coded; wire format.
#[cfg(feature = "make")]
pub(crate) const INSERTED: u64 = 0;
pub(crate) const COPIED: u64 = 1;
pub(crate) const PREDICTED: u64 = 2;
pub(crate) const PREDICTED_ANEW: u64 = 3;

/// The four token streams of a group.
pub(crate) struct Tokens<'a> {
    pub(crate) control: Stream<'a>,
    pub(crate) gaps: Stream<'a>,
    pub(crate) values: Stream<'a>,
    pub(crate) inserts: Stream<'a>,
}

/// Decodes the next file of a group: `size` bytes from `old` into `sink`, within `budget` bytes of memory.
#[inline(never)]
pub(crate) fn decode(
    tokens: &mut Tokens<'_>,
    old: &Chain<'_>,
    size: u64,
    budget: u64,
    sink: &mut dyn Sink,
) -> Result<()> {
    let control = &mut tokens.control;
    let method = control.number();
    if method > PREDICTED_ANEW {
        return Err(Error::unsupported("file method", method));
    }
    let first = old.first();
    let image = if method >= PREDICTED { image::parse_by(first, method == PREDICTED_ANEW) } else { None };
    let layout = match &image {
        Some(image) => Layout::decode(control, image),
        None if method >= PREDICTED => {
            return Err(Error::fixed(
                "file: method: expected an old file that this build predicts, got another",
            ));
        }
        None => Layout::default(),
    };
    let copies = match method {
        COPIED..=PREDICTED_ANEW => CopyMap::decode(control, size, old.size()),
        _ => CopyMap::default(),
    };
    control.check()?;
    let mut memory = copies.memory();
    let mut model = image.as_ref().map(|image| {
        let context = Context::new(first, image, &layout);
        memory = memory.saturating_add(image.memory()).saturating_add(context.tables.memory());
        memory = memory.saturating_add(context.pools.memory());
        memory = memory.saturating_add(Predictor::memory());
        Model { context, predictor: Predictor::new(image, &layout, &copies) }
    });
    if memory > budget {
        return Err(Error::limit("memory of a file", budget, memory));
    }
    let mut corrections = Corrections { tokens, clean: None };
    rebuild(old, &copies, size, model.as_mut(), &mut corrections, sink)?;
    match corrections.clean {
        None | Some(0) => Ok(()),
        Some(rest) => Err(Error::count("gaps: last gap", 0, "bytes after the copies", rest)),
    }
}

/// Corrects from the gap and value streams.
struct Corrections<'t, 's> {
    tokens: &'t mut Tokens<'s>,
    /// Right bytes until the next difference; `None` if the next gap was not read yet.
    clean: Option<u64>,
}

impl Corrector for Corrections<'_, '_> {
    fn correct(&mut self, predicted: &mut [u8]) {
        let mut rest = predicted;
        while !rest.is_empty() {
            let clean = match self.clean {
                Some(clean) => clean,
                None => self.tokens.gaps.number(),
            };
            let length = wide(rest.len());
            if clean >= length {
                self.clean = Some(clean.saturating_sub(length));
                return;
            }
            let Some((byte, after)) = rest.get_mut(index(clean)..).and_then(<[u8]>::split_first_mut) else {
                return;
            };
            let difference = self.tokens.values.byte();
            if difference == 0 {
                // also after an error, which stays the one that is told
                return self.tokens.values.fail(Error::fixed("values: value: expected a difference, got 0"));
            }
            *byte = byte.wrapping_add(difference);
            self.clean = None;
            rest = after;
        }
    }

    fn insert(&mut self, into: &mut [u8]) {
        self.tokens.inserts.exact(into);
    }

    fn check(&mut self) -> Result<()> {
        let Tokens { gaps, values, inserts, .. } = &mut *self.tokens;
        gaps.check()?;
        values.check()?;
        inserts.check()
    }
}
