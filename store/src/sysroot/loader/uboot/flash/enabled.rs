//! A build that writes NOR flash.

use super::sys::{self, Mtd, MtdKind};
use crate::error::{Error, Result};
use rootling_boot::uboot::{Area, EnvConfig, Flags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Refuses flash of which it is not known how U-Boot writes it.
pub(in crate::sysroot::loader::uboot) fn check(device: &str) -> Result<()> {
    let number = device.strip_prefix("/dev/mtd").unwrap_or_default();
    match !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(()),
        false => Err(super::unsupported(device)),
    }
}

/// How two copies are told apart on what they lie on.
pub(in crate::sysroot::loader::uboot) fn flags(config: &EnvConfig) -> Result<Flags> {
    if !super::is_flash(&config.first.device) {
        return Ok(Flags::Increment);
    }
    for area in [Some(&config.first), config.second.as_ref()].into_iter().flatten() {
        let path = Path::new(&area.device);
        let file = File::open(path).map_err(Error::io("open", path))?;
        let chip = Mtd::of(&file).map_err(Error::io("ask for the flash of", path))?;
        let chip = chip.filter(|chip| chip.kind == MtdKind::Nor).ok_or_else(|| {
            Error::unsupported(format_args!("U-Boot environment on flash that is not NOR ({})", area.device))
        })?;
        if config.second.as_ref().is_some_and(|second| share_block(&config.first, second, chip)) {
            return Err(Error::refused(format_args!(
                "{}: expected each copy in erase blocks of its own, got one for both",
                area.device
            )));
        }
    }
    Ok(Flags::Boolean)
}

/// Whether erasing one copy erases the other.
fn share_block(first: &Area, second: &Area, chip: Mtd) -> bool {
    let [a, b] = [first, second].map(|area| blocks(chip, area.start.on(chip.size), area.size));
    first.device == second.device && a.0 < b.1 && b.0 < a.1
}

/// The first byte of the erase blocks that bytes lie in, and the one behind them.
fn blocks(chip: Mtd, offset: u64, length: usize) -> (u64, u64) {
    let end = offset.saturating_add(length as u64);
    (
        offset / chip.erase_size * chip.erase_size,
        end.div_ceil(chip.erase_size).saturating_mul(chip.erase_size),
    )
}

/// Writes over bytes, if it is flash; says whether it was.
pub(in crate::sysroot::loader::uboot) fn overwrite(
    file: &File,
    path: &Path,
    offset: u64,
    bytes: &[u8],
) -> Result<bool> {
    if !super::is_flash(&path.to_string_lossy()) {
        return Ok(false);
    }
    let chip = Mtd::of(file).map_err(Error::io("ask for the flash of", path))?;
    let chip = chip.ok_or_else(|| super::unsupported(&path.display().to_string()))?;
    write(file, chip, offset, bytes).map_err(Error::io("write", path))?;
    Ok(true)
}

/// What flash can be asked for.
trait Flash {
    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    fn erase(&self, offset: u64, length: u64) -> io::Result<()>;
}

impl Flash for File {
    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn erase(&self, offset: u64, length: u64) -> io::Result<()> {
        sys::erase(self, offset, length)
    }
}

/// Clears bits where that is all, as for the flag of a copy; else erases the blocks and writes them anew.
fn write(flash: &dyn Flash, chip: Mtd, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let mut old = vec![0; bytes.len()];
    flash.read(offset, &mut old)?;
    if old.iter().zip(bytes).all(|(old, new)| old & new == *new) {
        return flash.write(offset, bytes);
    }
    let (start, end) = blocks(chip, offset, bytes.len());
    let mut whole = vec![0; usize::try_from(end - start).map_err(|_| io::ErrorKind::InvalidInput)?];
    flash.read(start, &mut whole)?;
    let at = usize::try_from(offset - start).map_err(|_| io::ErrorKind::InvalidInput)?;
    let place = whole.get_mut(at..at + bytes.len()).ok_or(io::ErrorKind::InvalidInput)?;
    place.copy_from_slice(bytes);
    flash.erase(start, end - start)?;
    flash.write(start, &whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rootling_boot::loader::Step;
    use rootling_boot::plan::{BootVersion, Plan};
    use rootling_boot::uboot::{self, Environment, Medium};
    use std::cell::{Cell, RefCell};

    const ERASE: u64 = 0x400;
    const CHIP: Mtd = Mtd { kind: MtdKind::Nor, size: 0x2000, erase_size: ERASE };

    /// NOR flash that loses its power after so many bytes that it changed.
    struct Nor {
        bytes: RefCell<Vec<u8>>,
        left: Cell<usize>,
    }

    impl Nor {
        fn change(&self, offset: u64, count: usize, to: impl Fn(usize, u8) -> u8) -> io::Result<()> {
            for at in 0..count {
                let left = self.left.get().checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
                self.left.set(left);
                let byte = &mut self.bytes.borrow_mut()[offset as usize + at];
                *byte = to(at, *byte);
            }
            Ok(())
        }
    }

    impl Flash for Nor {
        fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
            bytes.copy_from_slice(&self.bytes.borrow()[offset as usize..][..bytes.len()]);
            Ok(())
        }

        fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
            self.change(offset, bytes.len(), |at, old| old & bytes[at])
        }

        fn erase(&self, offset: u64, length: u64) -> io::Result<()> {
            assert_eq!((offset % ERASE, length % ERASE), (0, 0), "whole blocks");
            self.change(offset, length as usize, |_, _| 0xff)
        }
    }

    fn config() -> EnvConfig {
        // not at the start of its block, so that a neighbour has to be kept
        EnvConfig::parse("/dev/mtd0 0x480 0x200 0x400\n/dev/mtd0 0x880 0x200 0x400\n").unwrap()
    }

    fn read(bytes: &[u8]) -> rootling_boot::Result<Environment> {
        Environment::decode_two(&bytes[0x480..0x680], &bytes[0x880..0xa80], Flags::Boolean)
    }

    fn made() -> Vec<u8> {
        let mut bytes = vec![0xff; 0x2000];
        bytes[0x400..0x480].fill(b'n');
        bytes[0xa80..0xc00].fill(b'n');
        let mut data = b"altbootcmd=run second\0\0".to_vec();
        data.resize(0x200 - 5, 0);
        let crc = crc32(&data).to_le_bytes();
        for (at, flag) in [(0x480, 1), (0x880, 0)] {
            bytes[at..at + 4].copy_from_slice(&crc);
            bytes[at + 4] = flag;
            bytes[at + 5..at + 0x200].copy_from_slice(&data);
        }
        bytes
    }

    fn crc32(data: &[u8]) -> u32 {
        let table =
            |byte: u32| (0..8).fold(byte, |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 });
        !data.iter().fold(!0, |crc: u32, byte| table((crc ^ u32::from(*byte)) & 0xff) ^ (crc >> 8))
    }

    /// Arms with so many tries; power fails after `left` bytes.
    fn arm(bytes: Vec<u8>, tries: u32, left: usize) -> (Vec<u8>, bool) {
        let (env, config) = (read(&bytes).unwrap(), config());
        let medium = Medium::Raw { config: &config, lengths: (0x2000, 0x2000), flags: Flags::Boolean };
        let plan = Plan { steps: Vec::new(), after: BootVersion { boot: 0, sub: 0 }, is_swap: false };
        let change = uboot::arm(&env, &medium, plan, tries, false).unwrap();
        let nor = Nor { bytes: RefCell::new(bytes), left: Cell::new(left) };
        let done = change.steps.iter().all(|step| match step {
            Step::Overwrite { offset, bytes, .. } => write(&nor, CHIP, *offset, bytes).is_ok(),
            _ => true,
        });
        (nor.bytes.into_inner(), done)
    }

    fn limit(bytes: &[u8]) -> Option<String> {
        read(bytes).expect("one good copy").vars.get("bootlimit").map(String::from)
    }

    #[test]
    fn copies_take_turns_and_neighbours_stay() {
        let mut bytes = made();
        for tries in 1..6 {
            let (now, done) = arm(bytes, tries, usize::MAX);
            assert!(done);
            assert_eq!(limit(&now), Some(tries.to_string()));
            assert_eq!(now[0x484] + now[0x884], 1, "one copy is in use");
            assert!(now[0x400..0x480].iter().chain(&now[0xa80..0xc00]).all(|byte| *byte == b'n'));
            bytes = now;
        }
    }

    #[test]
    fn power_that_fails_after_any_byte_leaves_the_old_or_the_new() {
        let before = arm(made(), 1, usize::MAX).0;
        let mut cut = 0;
        loop {
            let (bytes, done) = arm(before.clone(), 2, cut);
            let limit = limit(&bytes);
            assert!(
                limit.as_deref() == Some("2") || !done && limit.as_deref() == Some("1"),
                "{cut}: {limit:?}"
            );
            if done {
                break;
            }
            cut += 1;
        }
        assert_eq!(cut, 0x400 + 0x400 + 1, "a block erased, written, and a flag");
    }

    #[test]
    fn copies_that_share_a_block_and_other_flash_are_refused() {
        let config = |text: &str| EnvConfig::parse(text).unwrap();
        for (text, shared) in [
            ("/dev/mtd0 0x400 0x200\n/dev/mtd0 0x600 0x200\n", true),
            ("/dev/mtd0 0x400 0x200\n/dev/mtd0 0x800 0x200\n", false),
            ("/dev/mtd0 0x400 0x500\n/dev/mtd0 0xa00 0x500\n", true),
            ("/dev/mtd0 0x400 0x200\n/dev/mtd1 0x600 0x200\n", false),
            ("/dev/mtd0 -0x400 0x200\n/dev/mtd0 -0x200 0x200\n", true),
        ] {
            let config = config(text);
            assert_eq!(share_block(&config.first, config.second.as_ref().unwrap(), CHIP), shared, "{text}");
        }
        for (device, good) in [
            ("/dev/mtd0", true),
            ("/dev/mtd12", true),
            ("/dev/mtd", false),
            ("/dev/mtdblock0", false),
            ("/dev/ubi0_0", false),
        ] {
            assert_eq!(check(device).is_ok(), good, "{device}");
        }
        // a file that is none
        let file = tempfile::tempfile().unwrap();
        assert!(Mtd::of(&file).unwrap().is_none());
    }
}
