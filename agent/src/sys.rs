//! The C library's way in: what a program of `std` does before `main`, but for the handler of full stacks, which is 4 KB.

use nix::libc;
use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

/// Starts with arguments, open standard streams, and SIGPIPE as an error of the write that meets it.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, args: *const *const c_char) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the C library passes `count` strings that stay where they are.
    let args = (1..count).map(|index| unsafe { CStr::from_ptr(*args.add(index)) });
    let args: Vec<OsString> = args.map(|arg| OsStr::from_bytes(arg.to_bytes()).to_owned()).collect();
    open_standard_streams();
    // SAFETY: no handler, and no thread yet.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let code = crate::run(args);
    let _ = std::io::stdout().flush();
    c_int::from(code)
}

/// A file that is opened must not be 0, 1 or 2, where messages go.
fn open_standard_streams() {
    loop {
        // SAFETY: opens and closes descriptors of its own.
        unsafe {
            let fd = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            if fd > 2 {
                libc::close(fd);
            }
            if !(0..=2).contains(&fd) {
                return;
            }
        }
    }
}
