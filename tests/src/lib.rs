//! Whole-system tests of Rootling and what they stand on.
//!
//! [`testbed`] makes real RPM repositories out of the machine's own Debian mirrors; the tests themselves are in
//! `tests/it`.

pub mod testbed;
