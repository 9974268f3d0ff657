//! Raspberry Pi: `autoboot.txt` names the boot partition, and one for a single try.
//!
//! ```text
//! autoboot   the file, 512 bytes at most, on the first FAT partition
//! config     config.txt and the arguments of a deployment, on a boot partition
//! plan       a deployment put on the partition that does not boot; reboot "0 tryboot"; the swap of two numbers
//! ```
//! Two FAT partitions are the boot loader's slots. A list of deployments lies elsewhere, and the slots follow it: the
//! slot that boots is never written to.

mod autoboot;
mod config;
mod plan;

pub use autoboot::{Autoboot, MAX_SIZE};
pub use config::{CMDLINE, CONFIG, FOLDER, TRIED_CMDLINE, cmdline, config, deployment, folder};
pub use plan::{Booted, File, PATH, PROMISES, REBOOT_ARGUMENT, Slot, Slots, prepare, promote, trial};
