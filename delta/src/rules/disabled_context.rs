//! An architecture whose rules need the context, and that this build does not have.

use super::{Context, Window};
use crate::field::Field;
use crate::image::{Image, Section};

/// Never asked for.
pub(super) fn offset_table(_: &Image) -> Option<u64> {
    None
}

/// Never reached: a delta that needs the profile is refused by its header.
pub(super) fn scan(
    _: &mut Context<'_>,
    _: usize,
    _: &Section,
    window: &Window<'_>,
    _: &mut Vec<Field>,
) -> usize {
    window.bytes.len()
}

#[allow(unused_imports, reason = "32-bit x86 only")]
pub(super) use scan as scan_read_only;
