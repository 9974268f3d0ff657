//! An architecture that this build does not have.

use super::{Context, Window};
use crate::image::{Image, Section};
use crate::io::ReadAt;

/// Never reached: no file of such an architecture is taken apart.
pub(super) fn scan(_: &mut Context<'_>, _: &Section, window: &mut Window<'_>) -> usize {
    window.bytes.len()
}

/// Likewise, for one record.
pub(super) fn relocation(_: &mut Context<'_>, _: &Section, _: &mut Window<'_>, _: u64) -> Option<()> {
    None
}

/// Likewise.
pub(super) fn scan_code(_: &Image, _: &Section, window: &mut Window<'_>) -> usize {
    window.bytes.len()
}

/// No literals.
#[derive(Debug, Default)]
pub(crate) struct Pools;

impl Pools {
    pub(crate) fn memory(&self) -> u64 {
        0
    }
}

/// Likewise.
pub(crate) fn find(_: &dyn ReadAt, _: &Image) -> Pools {
    Pools
}

/// Likewise.
pub(crate) fn renew(_: &dyn ReadAt, _: &mut Image) {}

#[allow(unused_imports, reason = "AArch64 and 32-bit x86 only")]
pub(super) use {scan as scan_kernel, scan as scan_read_only};
