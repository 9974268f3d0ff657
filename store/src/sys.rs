//! The system calls that `std` and `nix` do not offer in a safe form.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Calls `read` with ever larger buffers until what it returns fits.
fn grow(mut read: impl FnMut(*mut libc::c_void, usize) -> isize, first: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0u8; first];
    loop {
        let length = read(buffer.as_mut_ptr().cast(), buffer.len());
        if let Ok(length) = usize::try_from(length) {
            buffer.truncate(length);
            return Ok(buffer);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ERANGE) if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 8, 0),
            Some(libc::ENOTSUP) => return Ok(Vec::new()),
            _ => return Err(error),
        }
    }
}

/// Names of the extended attributes of `path` itself, not of what it points to.
pub(crate) fn list_xattrs(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    let path = c_path(path)?;
    // SAFETY: the path is NUL-terminated and the kernel writes at most `size` bytes to the buffer of that size.
    let names = grow(|buffer, size| unsafe { libc::llistxattr(path.as_ptr(), buffer.cast(), size) }, 512)?;
    Ok(names.split(|&byte| byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
}

/// One extended attribute of `path` itself; `None` if it has no such attribute.
pub(crate) fn get_xattr(path: &Path, name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let path = c_path(path)?;
    let name = CString::new(name)?;
    // SAFETY: path and name are NUL-terminated and the kernel writes at most `size` bytes to the buffer of that size.
    let value =
        grow(|buffer, size| unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), buffer, size) }, 512);
    match value {
        Err(error) if error.raw_os_error() == Some(libc::ENODATA) => Ok(None),
        value => value.map(Some),
    }
}

/// Sets an extended attribute of `path` itself.
pub(crate) fn set_xattr(path: &Path, name: &[u8], value: &[u8]) -> io::Result<()> {
    let path = c_path(path)?;
    let name = CString::new(name)?;
    // SAFETY: path and name are NUL-terminated; the kernel reads `value.len()` bytes of `value`.
    let done =
        unsafe { libc::lsetxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes two names change places; `false` where the kernel or the file system cannot.
///
/// A plain system call: C libraries other than glibc have no function for it.
pub(crate) fn exchange(a: &Path, b: &Path) -> io::Result<bool> {
    let (a, b) = (c_path(a)?, c_path(b)?);
    let (here, flags) = (libc::AT_FDCWD, libc::RENAME_EXCHANGE);
    // SAFETY: both paths are NUL-terminated; the kernel reads them and writes nothing.
    let done = unsafe { libc::syscall(libc::SYS_renameat2, here, a.as_ptr(), here, b.as_ptr(), flags) };
    match (done, io::Error::last_os_error()) {
        (0, _) => Ok(true),
        (_, error) => match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EINVAL) => Ok(false),
            _ => Err(error),
        },
    }
}

/// `EXT4_IOC_CHECKPOINT` of the kernel's `fs/ext4/ext4.h`, since Linux 5.14.
const EXT4_CHECKPOINT: u32 = 0x4004_662b;
/// `FIFREEZE` and `FITHAW` of `linux/fs.h`.
const FREEZE: u32 = 0xc004_5877;
const THAW: u32 = 0xc004_5878;

/// Empties the journal of a file system, so that all that is durable is where a reader without the journal looks.
///
/// ext4 has a call for that, and needs none without a journal; all else, and older kernels, freeze and thaw.
pub(crate) fn checkpoint(dir: BorrowedFd<'_>) -> io::Result<()> {
    let flags = 0u32;
    // SAFETY: EXT4_IOC_CHECKPOINT reads one u32.
    if unsafe { libc::ioctl(dir.as_raw_fd(), EXT4_CHECKPOINT as _, &flags) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENODEV) => Ok(()),
        Some(libc::EPERM | libc::EIO) => Err(error),
        _ => freeze_and_thaw(dir),
    }
}

/// A child process freezes and thaws, deaf to signals; a parent that dies meanwhile leaves nothing frozen, and one
/// whose child died thaws in its place.
fn freeze_and_thaw(dir: BorrowedFd<'_>) -> io::Result<()> {
    let dir = dir.as_raw_fd();
    // SAFETY: the sets are plain memory that the calls fill in; between fork and _exit the child makes system calls
    // only; `dir` stays open for all of it.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, &mut before);
        let child = libc::fork();
        if child == 0 {
            let mut code = 0;
            if libc::ioctl(dir, FREEZE as _, 0) != 0 {
                code = *libc::__errno_location();
            } else {
                libc::ioctl(dir, THAW as _, 0);
            }
            libc::_exit(code);
        }
        let forked = io::Error::last_os_error();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        if child < 0 {
            return Err(forked);
        }
        let mut status = 0;
        while libc::waitpid(child, &mut status, 0) < 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EINTR) {
                return Err(error);
            }
        }
        match libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)) {
            Some(0) => Ok(()),
            Some(code) => Err(io::Error::from_raw_os_error(code)),
            None => {
                libc::ioctl(dir, THAW as _, 0);
                Err(io::ErrorKind::Interrupted.into())
            }
        }
    }
}

/// Restarts at once with words for the firmware: no program is told, nothing is unmounted. Comes back with the reason where it cannot.
pub(crate) fn restart(argument: &CStr) -> io::Error {
    let (magic, again) = (libc::LINUX_REBOOT_MAGIC1, libc::LINUX_REBOOT_MAGIC2);
    let command = libc::LINUX_REBOOT_CMD_RESTART2;
    // SAFETY: the argument is NUL-terminated; the kernel copies it, 256 bytes at most, and writes nothing.
    unsafe { libc::syscall(libc::SYS_reboot, magic, again, command, argument.as_ptr()) };
    io::Error::last_os_error()
}

/// `FS_IMMUTABLE_FL` of `linux/fs.h`.
const IMMUTABLE: libc::c_int = 0x10;

/// Sets or clears the immutable flag (`chattr +i`); says whether the file system knows it.
pub(crate) fn set_immutable(fd: BorrowedFd<'_>, immutable: bool) -> io::Result<bool> {
    let mut flags: libc::c_int = 0;
    // SAFETY: FS_IOC_GETFLAGS writes one int.
    if unsafe { libc::ioctl(fd.as_raw_fd(), libc::FS_IOC_GETFLAGS as _, &mut flags) } != 0 {
        return unsupported_is_false();
    }
    let wanted = if immutable { flags | IMMUTABLE } else { flags & !IMMUTABLE };
    // SAFETY: FS_IOC_SETFLAGS reads one int.
    if wanted != flags && unsafe { libc::ioctl(fd.as_raw_fd(), libc::FS_IOC_SETFLAGS as _, &wanted) } != 0 {
        return unsupported_is_false();
    }
    Ok(true)
}

fn unsupported_is_false() -> io::Result<bool> {
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOTTY | libc::EOPNOTSUPP | libc::EPERM | libc::ENOSYS | libc::EINVAL) => Ok(false),
        _ => Err(error),
    }
}
