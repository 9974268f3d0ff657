//! An environment of U-Boot on flash (`/dev/mtdN`): what it means to write there.
//!
//! ```text
//! NOR        bits are cleared by a write, set by erasing a block; flags of two copies are 1 in use, 0 not
//! the rest   raw NAND, UBI and mtdblock are refused by name
//! ```
//! Source: Linux `include/uapi/mtd/mtd-abi.h`, U-Boot 2023.01 `tools/env/fw_env.c`.
//!
//! | step | durable after it; if power fails here |
//! |---|---|
//! | the blocks of the copy not in use are erased, then written | the copy in use |
//! | the flag of the copy in use until then is cleared | either: both are good |
//!
//! Behind the feature `mtd`: a build without it refuses such an environment.

#[cfg(not(feature = "mtd"))]
mod disabled;
#[cfg(feature = "mtd")]
mod enabled;
#[cfg(feature = "mtd")]
mod sys;

#[cfg(not(feature = "mtd"))]
pub(super) use disabled::{check, flags, overwrite};
#[cfg(feature = "mtd")]
pub(super) use enabled::{check, flags, overwrite};

/// Whether U-Boot's tools would take this for flash.
pub(super) fn is_flash(device: &str) -> bool {
    device.starts_with("/dev/mtd") || device.rsplit('/').next().is_some_and(|name| name.starts_with("ubi"))
}

fn unsupported(device: &str) -> crate::Error {
    crate::Error::unsupported(format_args!("U-Boot environment on flash ({device})"))
}
