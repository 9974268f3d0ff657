//! GRUB: its environment block, the configuration that counts, and the plan that puts a deployment on trial.
//!
//! ```text
//! boot/grub/grub.cfg        written once; reads grubenv, counts, and sources the menu        config
//! boot/grub/grubenv         1024 bytes, written over in place by GRUB and by this program    grubenv
//! boot/loader/grub.cfg      the menu of the list in use, swapped with the loader link        menu
//! ```
//!
//! The menu says which deployment is on trial, the environment how it stands with it: `rootling_try=ID:3`. Only
//! where both name the same ID is it tried at all. So an environment that is torn, empty or from another day
//! selects the confirmed entry, and the one byte that a boot changes cannot be half written.
//!
//! A distribution whose own grub.cfg counts for greenboot is served by `greenboot`.

mod config;
pub mod greenboot;
mod grubenv;
mod menu;
mod plan;
mod quote;

pub use config::config;
pub use grubenv::{GrubEnv, SIGNATURE, SIZE};
pub use menu::menu;
pub use plan::{CONFIG, ENV, MENU, PROMISES, arm, confirm, fall_back, install, new_env, trial};
