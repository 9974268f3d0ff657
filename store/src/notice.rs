//! What the user is told while work goes on.

use std::fmt::Arguments;

/// As `log::warn!`, by a call: each place of that macro is half a hundred bytes of its own.
#[macro_export]
macro_rules! warn {
    ($($told:tt)*) => { $crate::warn(format_args!($($told)*)) };
}

/// What [`warn!`] calls.
#[inline(never)]
pub fn warn(told: Arguments<'_>) {
    log::warn!("{told}");
}
