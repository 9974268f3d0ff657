//! Raspberry Pi: `autoboot.txt` names the boot partition, and one for a single try.
//!
//! ```text
//! autoboot   the file, 512 bytes at most, on the first FAT partition
//! plan       reboot "0 tryboot", and the swap of two numbers
//! ```

mod autoboot;
mod plan;

pub use autoboot::{Autoboot, MAX_SIZE};
pub use plan::{Booted, PATH, PROMISES, REBOOT_ARGUMENT, arm, confirm, fall_back, trial};
