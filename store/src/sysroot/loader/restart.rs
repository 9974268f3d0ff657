//! A reboot with words for the firmware, which no program but systemd's passes on.

use crate::error::Error;
use std::ffi::CString;

/// Restarts at once with these words for the firmware; all is synced, nothing is unmounted. Comes back with the reason where it cannot.
pub fn restart(argument: &str) -> Error {
    nix::unistd::sync();
    let argument = CString::new(argument).unwrap_or_default();
    Error::io("ask the kernel for", "a reboot")(crate::sys::restart(&argument))
}
