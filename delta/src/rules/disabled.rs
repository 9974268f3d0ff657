//! An architecture that this build does not have.

use super::{Context, Window};
use crate::field::Field;
use crate::image::{Image, Section};

/// Never reached: a delta that needs the profile is refused by its header.
pub(super) fn scan(_: &Image, _: &Section, window: &Window<'_>, _: &mut Vec<Field>) -> usize {
    window.bytes.len()
}

/// Likewise.
pub(super) fn scan_kernel(_: &Image, _: &Section, window: &Window<'_>, _: &mut Vec<Field>) -> usize {
    window.bytes.len()
}

/// Likewise.
pub(super) fn addresses_taken(_: &Image, _: &Section, window: &Window<'_>, _: &mut dyn FnMut(u64)) -> usize {
    window.bytes.len()
}

/// Likewise.
pub(super) fn scan_rel(
    _: &mut Context<'_>,
    _: usize,
    _: &Section,
    window: &Window<'_>,
    _: &mut Vec<Field>,
) -> usize {
    window.bytes.len()
}

#[allow(unused_imports, reason = "Arm only")]
pub(super) use scan_rel as scan_index;
