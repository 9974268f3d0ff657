//! Whole-system tests of Rootling and what they stand on.
//!
//! [`testbed`] makes real RPM repositories out of the machine's own Debian mirrors; [`guest`] makes systems for
//! virtual machines out of them; the tests themselves are in
//! `tests/it`.

pub mod guest;
pub mod testbed;
