//! What a boot loader reads, and in which order the device may change it: values and plans, no I/O.
//!
//! ```text
//! entry       one Boot Loader Specification entry:  title, version, options, linux, initrd ...
//! entry_name  its file name:                        ostree-2.conf, ostree-2-STATEROOT.conf, ostree-2+3-1.conf
//! kargs       the kernel argument list in `options`
//! bootlink    the ostree= argument:                 /ostree/boot.N/STATEROOT/BOOTCSUM/SERIAL
//! kernel      which files of usr/lib/modules/KVER are hashed and installed, and under which names
//! menu        a list of deployments as entries and links
//! os_release  PRETTY_NAME and ID, the first half of an entry's title
//! plan        the ordered steps that make a list of deployments the one that boots
//! loader      the model of a trial that all loaders share, and what each of them promises
//! grub        grubenv, a grub.cfg that counts, the menu of a list
//! sdboot      systemd-boot: counted names on FAT, loader.conf, its variables
//! uboot       environment blocks, fw_env.config, bootcount, uEnv.txt, extlinux.conf
//! efi         variables, load options, BootNext and BootOrder
//! pi          autoboot.txt and tryboot
//! ```
//!
//! The store crate reads the disk into these values, asks for a plan and applies it. Nothing here opens a
//! file, so every prefix of a plan can be tested against a model of a disk.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

pub mod bootlink;
mod cursor;
pub mod efi;
pub mod entry;
pub mod entry_name;
mod error;
pub mod grub;
pub mod kargs;
pub mod kernel;
pub mod loader;
pub mod menu;
pub mod os_release;
pub mod pi;
pub mod plan;
pub mod sdboot;
pub mod uboot;

pub use bootlink::BootLink;
pub use entry::Entry;
pub use entry_name::{EntryName, Naming};
pub use error::Error;
pub use kargs::KernelArgs;
pub use kernel::KernelFiles;
pub use os_release::OsRelease;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;
