//! The reboot system call with words for the firmware, which no crate has.

use std::ffi::CStr;
use std::io;

/// Restarts at once: no program is told, nothing is unmounted. Comes back with the reason where it cannot.
pub(super) fn restart(argument: &CStr) -> io::Error {
    let (magic, again) = (libc::LINUX_REBOOT_MAGIC1, libc::LINUX_REBOOT_MAGIC2);
    let command = libc::LINUX_REBOOT_CMD_RESTART2;
    // SAFETY: the argument is NUL-terminated; the kernel copies it, 256 bytes at most, and writes nothing.
    unsafe { libc::syscall(libc::SYS_reboot, magic, again, command, argument.as_ptr()) };
    io::Error::last_os_error()
}
