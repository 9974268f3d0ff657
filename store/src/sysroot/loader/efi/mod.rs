//! Firmware that boots kernels itself: files on the ESP and variables that follow the list in `boot/loader`.
//!
//! ```text
//! ESP/EFI/rootling/STATEROOT-BOOTCSUM/vmlinuz-KVER, initramfs-KVER.img      ESP: efi or boot/efi
//! sys/firmware/efi/efivars/Boot####-GUID                                    one for each deployment, its arguments in it
//! ```
//!
//! | step | durable after it; if power fails here |
//! |---|---|
//! | kernels are copied to the ESP, sync | no entry names them: the confirmed system boots |
//! | confirm: `BootOrder` has the running one first. Else what was on trial leaves `BootOrder` and `BootNext` | the one; the other |
//! | `boot/loader` is exchanged, sync | the entries lead through the links of the version before, which stay till the clean-up |
//! | `Boot####` of the list, under new numbers | nothing names them |
//! | `BootNext` | the new one is tried once, then the confirmed one boots |
//! | `BootOrder` with the new one behind the confirmed; entries that nothing names are removed | as before it; a try is known to have been given |
//!
//! All but the second step is `follow_efi`, which every change, clean-up and confirm begins with, so
//! that what a cut or the firmware left undone is done before links or files go.
//!
//! Behind the feature `efi`: a build without it refuses this loader by its name.

#[cfg(not(feature = "efi"))]
mod disabled;
#[cfg(feature = "efi")]
mod enabled;

#[cfg(not(feature = "efi"))]
pub use disabled::Board;
#[cfg(feature = "efi")]
pub use enabled::Board;

#[cfg(not(feature = "efi"))]
pub(in crate::sysroot) use disabled::{installed, open, promises, remove_variable, set_variable, trial};
#[cfg(feature = "efi")]
pub(in crate::sysroot) use enabled::{installed, open, promises, remove_variable, set_variable, trial};
