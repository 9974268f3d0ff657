//! The system calls: mounts, modules, the change of the root, starting init, rebooting; and the streams that `std` asks for.

use crate::error::Error;
use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::{io, iter, ptr};

/// Runs before `std` does, which aborts where it has neither streams nor `/dev/null` to take for them.
// SAFETY: what lies there are pointers to functions, which the C library calls once before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static STREAMS: extern "C" fn() = streams;

/// The kernel starts init without streams where it finds no console. `/` is always there, and nothing can be written to it; init
/// gets from us what the kernel would have given it.
extern "C" fn streams() {
    // SAFETY: the string ends with NUL; a descriptor that is already open is only counted past and closed again.
    unsafe {
        while let fd @ 0.. = libc::open(c"/".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) {
            if fd > libc::STDERR_FILENO {
                libc::close(fd);
                break;
            }
        }
    }
}

fn text(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::refused(text, "no NUL"))
}

fn check(what: String, result: libc::c_int) -> Result<(), Error> {
    match result {
        0 => Ok(()),
        _ => Err(Error::io(what)(io::Error::last_os_error())),
    }
}

/// File systems that hold no programs and no devices.
pub const INERT: libc::c_ulong = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;

/// mount(2); without `from` of what is mounted there already, which keeps what is [`INERT`] of it.
pub fn mount(from: &str, to: &str, kind: &str, flags: libc::c_ulong, data: &str) -> Result<(), Error> {
    let what = if from.is_empty() { format!("remount {to}") } else { format!("mount {from} on {to}") };
    let (from, to, kind, data) = (text(from)?, text(to)?, text(kind)?, text(data)?);
    let mut there = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // a remount sets anew what the mount had; how it keeps times of access stays where no flag speaks of that
    let is_anew = flags & libc::MS_REMOUNT != 0;
    // SAFETY: the four strings end with NUL and live until the calls return; the structure has room for the answer, and all zeros
    // are one too. Its flags have the values of mount(2)'s.
    let result = unsafe {
        match is_anew && libc::statvfs(to.as_ptr(), there.as_mut_ptr()) != 0 {
            true => -1,
            false => {
                let flags = flags | (there.assume_init().f_flag & INERT);
                libc::mount(from.as_ptr(), to.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast())
            }
        }
    };
    check(what, result)
}

/// Makes a folder the root, the old root seen at another one.
pub fn pivot_root(new: &str, old: &str) -> Result<(), Error> {
    let (new, old) = (text(new)?, text(old)?);
    // SAFETY: both strings end with NUL and live until the call returns.
    let result = unsafe { libc::syscall(libc::SYS_pivot_root, new.as_ptr(), old.as_ptr()) };
    check("make the deployment the root".into(), if result == 0 { 0 } else { -1 })
}

/// chroot(2).
pub fn chroot(path: &str) -> Result<(), Error> {
    let path = text(path)?;
    // SAFETY: the string ends with NUL and lives until the call returns.
    check("change the root".into(), unsafe { libc::chroot(path.as_ptr()) })
}

/// execv(3) with what the kernel gave this program but its name, and signals as it gave them; returns only where it fails.
/// [`std::process::Command`] is 14,500 bytes more for x86_64.
pub fn exec(path: &str) -> Result<(), Error> {
    let program = text(path)?;
    let args: Vec<CString> =
        std::env::args_os().skip(1).filter_map(|arg| CString::new(arg.into_vec()).ok()).collect();
    let list: Vec<_> =
        iter::once(&program).chain(&args).map(|arg| arg.as_ptr()).chain([ptr::null()]).collect();
    // SAFETY: the strings end with NUL, their list with a null pointer, and all live until the call returns.
    let result = unsafe {
        // which `std` ignores
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::execv(program.as_ptr(), list.as_ptr())
    };
    check(format!("start {path}"), result)
}

/// Reboots; returns only where that is not allowed. Without sync(2), which would wait for a dead disk for ever: nothing that
/// this program wrote has to outlast the boot.
pub fn reboot() {
    // SAFETY: the call takes no pointer.
    unsafe {
        libc::reboot(libc::RB_AUTOBOOT);
    }
}

/// What a watchdog made of its start.
pub struct Watched {
    /// After how long it resets the machine.
    pub seconds: u32,
    /// Its driver stops it when it is closed.
    pub stops: bool,
}

/// Sets the watchdog's time in seconds; closing it afterwards without the letter V leaves it running, unless `stops`.
pub fn watchdog(path: &str, seconds: u32) -> Result<Watched, Error> {
    // of `linux/watchdog.h`: 'W' with 6, which reads and writes an int, and with 0, which writes a `struct watchdog_info`
    const SET_TIMEOUT: u32 = 0xc004_5706;
    const GET_SUPPORT: u32 = 0x8028_5700;
    const MAGIC_CLOSE: u32 = 0x100;
    let file =
        std::fs::OpenOptions::new().write(true).open(path).map_err(Error::io(format!("open {path}")))?;
    let mut time = libc::c_int::try_from(seconds).unwrap_or(libc::c_int::MAX);
    // SAFETY: the descriptor is open, and the driver reads and writes one int behind the pointer.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), SET_TIMEOUT as _, &raw mut time) };
    check(format!("set the time of {path}"), result)?;
    let mut info = [0u32; 10];
    // SAFETY: the descriptor is open, and the driver writes the 40 bytes of the structure, the options first.
    let told = unsafe { libc::ioctl(file.as_raw_fd(), GET_SUPPORT as _, info.as_mut_ptr()) } == 0;
    Ok(Watched { seconds: time.unsigned_abs(), stops: told && info[0] & MAGIC_CLOSE == 0 })
}

/// finit_module(2) without parameters; a module that is loaded already is no error.
pub fn load_module(file: &std::fs::File, name: &str) -> Result<(), Error> {
    // SAFETY: the descriptor is open, and the parameters are a text that ends with NUL.
    let result = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
    let error = io::Error::last_os_error();
    match result {
        0 => Ok(()),
        _ if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        _ => Err(Error::io(format!("load {name}"))(error)),
    }
}
