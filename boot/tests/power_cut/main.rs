//! Every plan of every loader, cut at every step: what boots next has to be the old system or the new one.
//!
//! | file | plays |
//! |---|---|
//! | `disk` | a disk that loses power: files, links, devices, firmware variables |
//! | `lists` | deployments and the plans that swap lists of them |
//! | `grub_script` | GRUB's script language as far as the generated files use it |
//! | `grub`, `sdboot`, `uboot`, `efi`, `pi` | the loader, and the plans against it |

mod disk;
mod efi;
mod grub;
mod grub_script;
mod lists;
mod pi;
mod sdboot;
mod uboot;
