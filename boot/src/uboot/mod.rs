//! U-Boot: its environment, the counter in it, and the files it boots from.
//!
//! ```text
//! config     fw_env.config: where the environment lies
//! crc        the checksum over an environment
//! vars       the variables: NAME=VALUE, ended by NULs
//! env        an environment on its medium: one copy, or two of which one is in use
//! bootcount  upgrade_available, bootcount, bootlimit, altbootcmd
//! uenv       loader/uEnv.txt, as OSTree writes it
//! extlinux   extlinux.conf
//! plan       arm, confirm, fall back
//! ```

mod bootcount;
mod config;
mod crc;
mod env;
mod extlinux;
mod plan;
mod uenv;
mod vars;

pub use bootcount::ready;
pub use config::{Area, EnvConfig, Start};
pub use crc::crc32;
pub use env::{Chosen, Environment, Flags};
pub use extlinux::{EXTLINUX_MENU, Extlinux, Label, extlinux};
pub use plan::{EXTLINUX_PROMISES, Medium, arm, confirm, fall_back, promises, trial};
pub use uenv::{UENV, uenv};
pub use vars::Vars;
