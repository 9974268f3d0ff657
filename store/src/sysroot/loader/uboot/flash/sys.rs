//! The system calls of flash.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// What kind of flash a chip is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MtdKind {
    /// `MTD_NORFLASH`.
    Nor,
    /// Any other.
    Other,
}

/// A chip, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mtd {
    pub(super) kind: MtdKind,
    pub(super) size: u64,
    /// At least 1.
    pub(super) erase_size: u64,
}

/// `struct mtd_info_user` of `mtd/mtd-abi.h`.
#[repr(C)]
#[derive(Default)]
struct MtdInfo {
    kind: u8,
    flags: u32,
    size: u32,
    erase_size: u32,
    write_size: u32,
    oob_size: u32,
    padding: u64,
}

/// `struct erase_info_user` of `mtd/mtd-abi.h`.
#[repr(C)]
struct MtdErase {
    start: u32,
    length: u32,
}

impl Mtd {
    /// Asks the kernel; `None` for what is no flash.
    pub(super) fn of(file: &File) -> io::Result<Option<Mtd>> {
        let mut info = MtdInfo::default();
        // SAFETY: MEMGETINFO writes one mtd_info_user, which `info` is in layout and size.
        if let Err(errno) = unsafe { get_info(file.as_raw_fd(), &mut info) } {
            return match errno {
                nix::Error::ENOTTY | nix::Error::EINVAL => Ok(None),
                errno => Err(errno.into()),
            };
        }
        let kind = if info.kind == 3 { MtdKind::Nor } else { MtdKind::Other };
        Ok(Some(Mtd { kind, size: info.size.into(), erase_size: u64::from(info.erase_size).max(1) }))
    }
}

/// Erases whole blocks, unlocked where the chip locks them.
pub(super) fn erase(file: &File, offset: u64, length: u64) -> io::Result<()> {
    let too_far = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let blocks = MtdErase {
        start: u32::try_from(offset).map_err(too_far)?,
        length: u32::try_from(length).map_err(too_far)?,
    };
    // SAFETY: MEMUNLOCK reads one erase_info_user. Most chips lock nothing, and then refuse.
    let _ = unsafe { unlock_blocks(file.as_raw_fd(), &blocks) };
    // SAFETY: MEMERASE reads one erase_info_user.
    unsafe { erase_blocks(file.as_raw_fd(), &blocks) }?;
    Ok(())
}

nix::ioctl_read!(get_info, b'M', 1, MtdInfo);
nix::ioctl_write_ptr!(erase_blocks, b'M', 2, MtdErase);
nix::ioctl_write_ptr!(unlock_blocks, b'M', 6, MtdErase);
