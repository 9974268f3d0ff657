//! The program at its places: on a mounted root, as PID 1 on the root itself, as `/init` of an initramfs.

mod initramfs;
mod loops;
mod mounts;
mod pid1;
mod watchdog;
mod world;
