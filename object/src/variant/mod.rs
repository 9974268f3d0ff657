//! The GVariant subset that OSTree serialises with, in normal form only.
//!
//! Framing (GLib's GVariant specification, checked against libostree's own objects): a container of variable-size
//! members stores the *end* offsets of its members after them: an array in order, a tuple in reverse and without the
//! last member. Offsets are little endian and 1, 2, 4 or 8 bytes wide, the least that fits the whole container with
//! its offsets. Members start at their alignment; padding is zero. Integers are little endian here; OSTree stores
//! many of its own big endian and swaps them by hand.

mod dict;
pub(crate) mod frame;
mod types;
mod value;

pub use dict::Dict;
pub use value::Value;
