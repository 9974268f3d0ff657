//! A build without the rules for AArch64.

use super::Image;
use crate::io::ReadAt;

/// Knows none.
pub(super) fn parse(_: &dyn ReadAt) -> Option<Image> {
    None
}
