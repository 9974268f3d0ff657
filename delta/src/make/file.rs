//! Codes one new file against one old file.

use super::tokens::{number, signed};
use super::{align, layout, normal};
use crate::copymap::{Copy, CopyMap, MAX_COPIES, MAX_FILE};
use crate::error::Result;
use crate::file::{COPIED, INSERTED, PREDICTED, PREDICTED_ANEW};
use crate::header::{PROFILE, SOURCES};
use crate::image::layout::Layout;
use crate::image::{self, Image, Machine};
use crate::io::Sink;
use crate::predict::Predictor;
use crate::rebuild::{Corrector, Model, rebuild};
use crate::rules::Context;
use std::cmp::Reverse;

/// The token streams of one file: the same pair always gives the same tokens, so they can be cached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coded {
    /// Length of the new file.
    pub size: u64,
    /// The lowest profile that reads it.
    pub profile: u32,
    /// Method, layout, copies.
    pub control: Vec<u8>,
    /// Lengths of right runs.
    pub gaps: Vec<u8>,
    /// Differences.
    pub values: Vec<u8>,
    /// Bytes that are not copied.
    pub inserts: Vec<u8>,
}

impl Coded {
    /// Bytes of control, gap, value and insert tokens.
    pub fn lengths(&self) -> [usize; 4] {
        [&self.control, &self.gaps, &self.values, &self.inserts].map(Vec::len)
    }

    /// A rough guess of the bytes that the tokens take once packed.
    fn cost(&self) -> usize {
        self.control.len() + self.gaps.len() + self.values.len() + self.inserts.len() / 2
    }
}

/// Codes `new` in the cheapest of the known ways. `old` may be empty.
pub fn code(old: &[u8], new: &[u8]) -> Result<Coded> {
    code_for(old, new, PROFILE)
}

/// The same for readers that have no profile above `profile`.
pub fn code_for(old: &[u8], new: &[u8], profile: u32) -> Result<Coded> {
    code_from(&[old], new, profile)
}

/// The same from several old files, of which the first says how references are predicted.
pub fn code_from(old: &[&[u8]], new: &[u8], profile: u32) -> Result<Coded> {
    let whole = old.concat();
    let old = Old { whole: &whole, files: old };
    if !is_alignable(whole.len() as u64, new.len() as u64) {
        return Ok(inserted(new));
    }
    let is_known = |old: &Image, new: &Image| old.machine == new.machine && profile_of(old) <= profile;
    let images = both(old, new, PREDICTED).filter(|(old, new)| is_known(old, new));
    let mut best = match &images {
        Some(images) => predicted(old, new, images, PREDICTED)?,
        None => plain(old, new)?,
    };
    let is_renewed = images.as_ref().is_some_and(|(image, _)| image.machine == Machine::Arm);
    if is_renewed && profile >= ANEW {
        let anew = both(old, new, PREDICTED_ANEW);
        let anew = anew.map(|images| predicted(old, new, &images, PREDICTED_ANEW)).transpose()?;
        if let Some(anew) = anew.filter(|anew| anew.cost() < best.cost()) {
            best = anew;
        }
    }
    if images.is_some() && best.cost() > new.len() / 16 {
        let plain = plain(old, new)?;
        if plain.cost() < best.cost() {
            best = plain;
        }
    }
    if best.cost() > new.len() {
        return Ok(inserted(new));
    }
    best.profile = if old.files.len() > 1 { best.profile.max(SOURCES) } else { best.profile };
    Ok(best)
}

/// Whether a file of `new` bytes can be made from `old` bytes: the aligner numbers them by `i32`.
fn is_alignable(old: u64, new: u64) -> bool {
    (1..=i32::MAX as u64).contains(&old) && new <= MAX_FILE
}

/// Old files, and one after the other as the decoder sees them.
#[derive(Clone, Copy)]
struct Old<'a> {
    whole: &'a [u8],
    files: &'a [&'a [u8]],
}

impl<'a> Old<'a> {
    fn first(self) -> &'a [u8] {
        self.files.first().copied().unwrap_or_default()
    }

    /// All of it independent of where things are, `first` being what the first file is.
    fn normal(self, first: &Image, method: u64) -> Vec<u8> {
        let mut normal = normal::normalise(self.first(), first);
        for file in self.files.iter().skip(1) {
            match parse(file, method).filter(|image| image.machine == first.machine) {
                Some(image) => normal.extend(normal::normalise(file, &image)),
                None => normal.extend_from_slice(file),
            }
        }
        normal
    }
}

/// A file taken apart with the rules of a method.
fn parse(file: &[u8], method: u64) -> Option<Image> {
    image::parse_by(&file, method == PREDICTED_ANEW)
}

fn both(old: Old<'_>, new: &[u8], method: u64) -> Option<(Image, Image)> {
    parse(old.first(), method).zip(parse(new, method))
}

/// The profile that has new rules for Arm.
const ANEW: u32 = 3;

/// The lowest profile that predicts the references of `image`.
fn profile_of(image: &Image) -> u32 {
    if image.machine == Machine::I386 { 2 } else { 1 }
}

fn inserted(new: &[u8]) -> Coded {
    let (size, control) = (new.len() as u64, vec![INSERTED as u8]);
    Coded { size, profile: 1, control, inserts: new.to_vec(), ..Coded::default() }
}

fn plain(old: Old<'_>, new: &[u8]) -> Result<Coded> {
    let mut control = Vec::new();
    number(&mut control, COPIED);
    let copies = align::align(old.whole, new);
    finish(old, new, control, copies, None)
}

fn predicted(old: Old<'_>, new: &[u8], (before, after): &(Image, Image), method: u64) -> Result<Coded> {
    let copies = align::align(&old.normal(before, method), &normal::normalise(new, after));
    let mut control = Vec::new();
    number(&mut control, method);
    let layout = layout::encode(after, before, &mut control);
    let profile = if method == PREDICTED_ANEW { ANEW } else { profile_of(before) };
    let coded = finish(old, new, control, copies, Some((before, &layout)))?;
    Ok(Coded { profile, ..coded })
}

fn finish(
    old: Old<'_>,
    new: &[u8],
    mut control: Vec<u8>,
    copies: Vec<Copy>,
    predicted: Option<(&Image, &Layout)>,
) -> Result<Coded> {
    let copies = longest(copies, MAX_COPIES as usize);
    number(&mut control, copies.len() as u64);
    let ends = || std::iter::once(Copy::default()).chain(copies.iter().copied());
    for (copy, before) in copies.iter().zip(ends()) {
        number(&mut control, copy.at() - before.end());
    }
    for copy in &copies {
        number(&mut control, copy.length());
    }
    for (copy, before) in copies.iter().zip(ends()) {
        let expected = before.old_end() + (copy.at() - before.end());
        signed(&mut control, copy.from().wrapping_sub(expected));
    }
    let copies = CopyMap::new(copies);
    let coded = Coded { size: new.len() as u64, profile: 1, control, ..Coded::default() };
    let mut recorder = Recorder { new, at: 0, clean: 0, coded };
    let first = old.first();
    let mut model = predicted.map(|(image, layout)| Model {
        context: Context::new(&first, image, layout),
        predictor: Predictor::new(image, layout, &copies),
    });
    rebuild(&old.whole, &copies, new.len() as u64, model.as_mut(), &mut recorder, &mut Nowhere)?;
    let mut coded = recorder.coded;
    if recorder.clean > 0 {
        number(&mut coded.gaps, recorder.clean);
    }
    Ok(coded)
}

/// The longest of the copies, at most so many, in the order they had.
fn longest(mut copies: Vec<Copy>, most: usize) -> Vec<Copy> {
    if copies.len() > most {
        copies.sort_by_key(|copy| Reverse(copy.length()));
        copies.truncate(most);
        copies.sort_by_key(|copy| copy.at());
    }
    copies
}

/// Records what the decoder would get wrong.
struct Recorder<'a> {
    new: &'a [u8],
    at: usize,
    clean: u64,
    coded: Coded,
}

impl Corrector for Recorder<'_> {
    fn correct(&mut self, predicted: &mut [u8]) {
        let truth = &self.new[self.at..self.at + predicted.len()];
        for (predicted, truth) in predicted.iter_mut().zip(truth) {
            if predicted == truth {
                self.clean += 1;
                continue;
            }
            number(&mut self.coded.gaps, self.clean);
            self.coded.values.push(truth.wrapping_sub(*predicted));
            self.clean = 0;
            *predicted = *truth;
        }
        self.at += predicted.len();
    }

    fn insert(&mut self, into: &mut [u8]) {
        let truth = &self.new[self.at..self.at + into.len()];
        into.copy_from_slice(truth);
        self.coded.inserts.extend_from_slice(truth);
        self.at += into.len();
    }

    fn check(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Takes what nobody needs.
struct Nowhere;

impl Sink for Nowhere {
    fn write(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_copies_the_longest_stay() {
        let copies = [(0, 5), (5, 9), (14, 2), (16, 9)].map(|(at, length)| Copy::new(at, 100 - at, length));
        assert_eq!(longest(copies.to_vec(), 4), copies);
        assert_eq!(longest(copies.to_vec(), 3), [copies[0], copies[1], copies[3]]);
        assert_eq!(longest(copies.to_vec(), 1), [copies[1]]);
    }

    #[test]
    fn nothing_is_made_from_more_than_the_aligner_can_number() {
        for (old, new, expected) in [
            (0, 5, false),
            (1, 0, true),
            (0x7fff_ffff, 5, true),
            (0x8000_0000, 5, false),
            (1, MAX_FILE + 1, false),
        ] {
            assert_eq!(is_alignable(old, new), expected, "{old} {new}");
        }
    }
}
