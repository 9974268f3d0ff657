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
    fn correct(&mut self, predicted: &mut [u8]);
    /// The next bytes that are not copied.
    fn insert(&mut self, into: &mut [u8]);
    /// What went wrong so far.
    fn check(&mut self) -> Result<()>;
}

/// What predicts the references of a file, where a profile does.
pub(crate) struct Model<'a> {
    pub(crate) context: Context<'a>,
    pub(crate) predictor: Predictor<'a>,
}

/// Makes the file of `size` bytes that `copies` of `old` lead to.
#[inline(never)]
pub(crate) fn rebuild(
    old: &dyn ReadAt,
    copies: &CopyMap,
    size: u64,
    mut model: Option<&mut Model<'_>>,
    corrector: &mut dyn Corrector,
    sink: &mut dyn Sink,
) -> Result<()> {
    let (mut bytes, mut found) = (Vec::new(), Vec::new());
    let (mut at, mut number, nothing) = (0u64, 0usize, Copy::default());
    while number <= copies.copies.len() {
        // what follows the last copy is inserted, as if before one of nothing
        let (start, copy) = copies.copies.get(number).map_or((size, &nothing), |copy| (copy.at(), copy));
        number = number.wrapping_add(1);
        let mut left = start.saturating_sub(at);
        while left > 0 {
            bytes.resize(index(left.min(WINDOW)), 0);
            corrector.insert(&mut bytes);
            corrector.check()?;
            sink.write(&bytes)?;
            left = left.saturating_sub(wide(bytes.len()));
        }
        let mut from = copy.from();
        while from < copy.old_end() {
            let (section, end) = match &model {
                Some(model) => model.context.image.run_at(from),
                None => (None, u64::MAX),
            };
            let end = end.min(copy.old_end());
            let length = end.saturating_sub(from).min(WINDOW);
            bytes.resize(index(length), 0);
            old.read_at(from, &mut bytes)?;
            let mut done = 0usize;
            if let (Some(section), Some(model)) = (section, model.as_mut()) {
                let last = from.saturating_add(length) >= end;
                let mut window = Window { bytes: &bytes, start: from, last, section, found: &mut found };
                let dealt = model.context.scan(&mut window).max(1);
                bytes.truncate(dealt);
                for field in &found {
                    let start = index(field.at.wrapping_sub(from));
                    let end = start.saturating_add(field.what.form.width());
                    if start < done || end > bytes.len() {
                        continue;
                    }
                    corrector.correct(bytes.get_mut(done..start).unwrap_or(&mut []));
                    let bytes = bytes.get_mut(start..end).unwrap_or(&mut []);
                    model.predictor.predict(field, bytes, section, copy, corrector);
                    done = end;
                }
            }
            corrector.correct(bytes.get_mut(done..).unwrap_or(&mut []));
            corrector.check()?;
            sink.write(&bytes)?;
            from = from.saturating_add(wide(bytes.len()));
        }
        at = copy.end();
    }
    Ok(())
}
