//! The new file from copies, predictions and corrections, front to back in small windows.
//!
//! The encoder runs the very same walk to learn which corrections are needed: only the [`Corrector`] differs.

use crate::copymap::{Copy, CopyMap};
use crate::error::Result;
use crate::io::{ReadAt, Sink};
use crate::num::{index, wide};
use crate::predict::Predictor;
use crate::rules::{Context, Window};

/// Bytes of a copy that are looked at together. Changing it breaks the format.
const WINDOW: u64 = 16 << 10;

/// Where the truth comes from: the token streams, or the new file itself.
pub(crate) trait Corrector {
    /// Turns predicted bytes, the next ones of all that are copied, into the true ones.
    fn correct(&mut self, predicted: &mut [u8]) -> Result<()>;
    /// The next bytes that are not copied.
    fn insert(&mut self, into: &mut [u8]) -> Result<()>;
}

/// What predicts the references of a file, where a profile does.
pub(crate) struct Model<'a> {
    pub(crate) context: Context<'a>,
    pub(crate) predictor: Predictor<'a>,
}

/// Makes the file of `size` bytes that `copies` of `old` lead to.
pub(crate) fn rebuild(
    old: &dyn ReadAt,
    copies: &CopyMap,
    size: u64,
    mut model: Option<Model<'_>>,
    corrector: &mut dyn Corrector,
    sink: &mut dyn Sink,
) -> Result<()> {
    let mut buffers = Buffers::default();
    let mut at = 0u64;
    for copy in &copies.copies {
        insert(copy.at().saturating_sub(at), &mut buffers.new, corrector, sink)?;
        let mut from = copy.from();
        while from < copy.old_end() {
            let (section, end) = match &model {
                Some(model) => model.context.image.run_at(from),
                None => (None, u64::MAX),
            };
            let end = end.min(copy.old_end());
            let length = end.saturating_sub(from).min(WINDOW);
            buffers.old.resize(index(length), 0);
            old.read_at(from, &mut buffers.old)?;
            let last = from.saturating_add(length) >= end;
            let made = match (section, &mut model) {
                (Some(section), Some(model)) => {
                    buffers.predicted(model, section, *copy, from, last, corrector)?
                }
                _ => buffers.plain(corrector)?,
            };
            sink.write(buffers.new.get(..made).unwrap_or(&[]))?;
            from = from.saturating_add(wide(made));
        }
        at = copy.end();
    }
    insert(size.saturating_sub(at), &mut buffers.new, corrector, sink)
}

fn insert(
    mut left: u64,
    buffer: &mut Vec<u8>,
    corrector: &mut dyn Corrector,
    sink: &mut dyn Sink,
) -> Result<()> {
    while left > 0 {
        let length = left.min(WINDOW);
        buffer.resize(index(length), 0);
        corrector.insert(buffer)?;
        sink.write(buffer)?;
        left = left.saturating_sub(length);
    }
    Ok(())
}

/// One window of the old file, what it becomes, and the references in it.
#[derive(Default)]
struct Buffers {
    old: Vec<u8>,
    new: Vec<u8>,
    fields: Vec<crate::field::Field>,
}

impl Buffers {
    fn plain(&mut self, corrector: &mut dyn Corrector) -> Result<usize> {
        self.new.clear();
        self.new.extend_from_slice(&self.old);
        corrector.correct(&mut self.new)?;
        Ok(self.new.len())
    }

    fn predicted(
        &mut self,
        model: &mut Model<'_>,
        section: usize,
        own: Copy,
        start: u64,
        last: bool,
        corrector: &mut dyn Corrector,
    ) -> Result<usize> {
        let window = Window { bytes: &self.old, start, last };
        let dealt = model.context.scan(section, &window, &mut self.fields).clamp(1, self.old.len().max(1));
        self.new.clear();
        self.new.extend_from_slice(self.old.get(..dealt).unwrap_or(&[]));
        let mut done = 0usize;
        for field in &self.fields {
            let from = index(field.at.wrapping_sub(start));
            let to = from.saturating_add(field.form.width());
            if from < done || to > self.new.len() {
                continue;
            }
            let old = self.old.get(from..to).unwrap_or(&[]);
            let guess = model.predictor.guess(field, old, section, own);
            corrector.correct(self.new.get_mut(done..from).unwrap_or(&mut []))?;
            let new = self.new.get_mut(from..to).unwrap_or(&mut []);
            if let Some(guess) = &guess {
                field.form.put(new, guess.value);
            }
            corrector.correct(new)?;
            if let Some(guess) = &guess {
                model.predictor.learn(field, guess, new, own);
            }
            done = to;
        }
        corrector.correct(self.new.get_mut(done..).unwrap_or(&mut []))?;
        Ok(dealt)
    }
}
