//! A Raspberry Pi's firmware: two FAT partitions that follow the list in `boot/loader`.
//!
//! ```text
//! boot/firmware/autoboot.txt                which partition boots, and which one is tried
//! boot/slot-a, boot/slot-b                  where the two are mounted; one of them may be boot/firmware itself
//! SLOT/config.txt, SLOT/rootling/           the deployment of a slot: kernel, device trees, arguments
//! ostree/links/CHECKSUM.SERIAL              what those arguments name
//! proc/device-tree/chosen/bootloader/       what the firmware says of this boot
//! ```
//!
//! | step | durable after it; if power fails here |
//! |---|---|
//! | confirm: autoboot.txt has the two numbers the other way round | the tried system boots from now on |
//! | `boot/loader` is exchanged, sync | as before: the slots do not go through it |
//! | the spare slot gets the first of the list, its config.txt last | as before; only a reboot with the argument tries it |
//! | without a trial: autoboot.txt has the numbers the other way round | the first of the list boots |
//! | `rootling-trial` notes that a try was asked for, and in which boot; then the reboot | the confirmed system boots; the try was that |
//!
//! Every change, clean-up and confirm begins with what of this is left to do (`follow_pi`), before links or files go.
//!
//! Behind the feature `pi`: a build without it refuses this loader by its name.

#[cfg(not(feature = "pi"))]
mod disabled;
#[cfg(feature = "pi")]
mod enabled;
#[cfg(feature = "pi")]
mod sys;

#[cfg(not(feature = "pi"))]
pub use disabled::{Asked, Slots, TELLS, restart};
#[cfg(feature = "pi")]
pub use enabled::{Asked, Slots, TELLS, restart};

#[cfg(not(feature = "pi"))]
pub(in crate::sysroot) use disabled::{SYNCED, installed, is_boot_file, open, promises, spare, trial};
#[cfg(feature = "pi")]
pub(in crate::sysroot) use enabled::{SYNCED, installed, is_boot_file, open, promises, spare, trial};
