//! The environment that U-Boot counts in, read from where it lies.

use super::flash;
use crate::error::{Error, Result};
use rootling_boot::uboot::{Area, EnvConfig, Environment, Flags, Medium, Start};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// U-Boot's environment, and the lengths of what it lies on.
pub(super) struct Stored<'a> {
    pub(super) env: Environment,
    config: &'a EnvConfig,
    lengths: (u64, u64),
    flags: Flags,
}

impl<'a> Stored<'a> {
    pub(super) fn read(sysroot: &Path, config: &'a EnvConfig) -> Result<Stored<'a>> {
        let flags = flash::flags(config)?;
        let (first, length) = read_area(sysroot, &config.first)?;
        let place = |error| Error::refused(format_args!("{}: {error}", config.first.device));
        let (env, second) = match &config.second {
            None => (Environment::decode(&first).map_err(place)?, 0),
            Some(area) => {
                let (second, length) = read_area(sysroot, area)?;
                config.check(length).map_err(place)?;
                (Environment::decode_two(&first, &second, flags).map_err(place)?, length)
            }
        };
        Ok(Stored { env, config, lengths: (length, second), flags })
    }

    /// Whether what each copy lies on is there, whatever it says.
    pub(super) fn reach(sysroot: &Path, config: &EnvConfig) -> Result<()> {
        areas(config).try_for_each(|area| open(&sysroot.join(&area.device)).map(drop))
    }

    /// Whether no copy was ever written: none is there, or flash as it is erased, or zeros.
    pub(super) fn is_blank(sysroot: &Path, config: &EnvConfig) -> bool {
        areas(config).all(|area| {
            let same = |bytes: &[u8]| bytes.iter().all(|b| *b == 0) || bytes.iter().all(|b| *b == 0xff);
            read_area(sysroot, area).map_or(!sysroot.join(&area.device).exists(), |(bytes, _)| same(&bytes))
        })
    }

    /// A plain file that is the environment and nothing else is replaced; all else is written over.
    pub(super) fn medium(&self) -> Medium<'_> {
        let Area { device, start, size, .. } = &self.config.first;
        let whole = *start == Start::FromStart(0) && self.lengths.0 == *size as u64;
        match self.config.second.is_none() && whole && !device.starts_with('/') {
            true => Medium::File(device),
            false => Medium::Raw { config: self.config, lengths: self.lengths, flags: self.flags },
        }
    }
}

fn areas(config: &EnvConfig) -> impl Iterator<Item = &Area> {
    [Some(&config.first), config.second.as_ref()].into_iter().flatten()
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(Error::io("open", path))
}

/// The bytes of one copy, and the length of the file or device.
fn read_area(sysroot: &Path, area: &Area) -> Result<(Vec<u8>, u64)> {
    let path = sysroot.join(&area.device);
    let mut file = open(&path)?;
    let length = file.seek(SeekFrom::End(0)).map_err(Error::io("seek in", &path))?;
    let start = area.start.on(length);
    file.seek(SeekFrom::Start(start)).map_err(Error::io("seek in", &path))?;
    let mut bytes = Vec::new();
    file.take(area.size as u64).read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
    if bytes.len() != area.size {
        let got = bytes.len();
        return Err(Error::refused(format_args!(
            "{}: expected {} bytes at {start}, got {got}",
            path.display(),
            area.size
        )));
    }
    Ok((bytes, length))
}
