//! Whole-system tests of Rootling and what they stand on.
//!
//! [`testbed`] makes real RPM repositories out of the machine's own Debian mirrors; [`guest`] makes systems for
//! virtual machines out of them; [`writes`] has the states that a loss of power leaves, [`fat`] judges those of a FAT
//! boot partition; the tests themselves are in `tests/it`.

pub mod fat;
pub mod guest;
pub mod held;
pub mod testbed;
pub mod uboot;
pub mod writes;
