//! Files kept by their checksum.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::digest::copy_checked;
use super::{Expected, Source};

/// The folder of downloaded files.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// Makes the folder.
    pub fn new(dir: &Path) -> Result<Cache> {
        for sub in ["metadata", "packages"] {
            let path = dir.join(sub);
            std::fs::create_dir_all(&path).with_context(|| format!("{}", path.display()))?;
        }
        Ok(Cache { dir: dir.to_path_buf() })
    }

    /// A metadata file, downloaded if it is not there.
    pub fn metadata(&self, source: &Source, location: &str, expected: &Expected) -> Result<PathBuf> {
        let path = self.dir.join("metadata").join(expected.digest.file_name());
        self.get(source, None, location, expected, path)
    }

    /// A package, downloaded if it is not there.
    pub fn package(
        &self,
        source: &Source,
        base: Option<&str>,
        location: &str,
        expected: &Expected,
    ) -> Result<PathBuf> {
        let path = self.dir.join("packages").join(format!("{}.rpm", expected.digest.file_name()));
        self.get(source, base, location, expected, path)
    }

    fn get(
        &self,
        source: &Source,
        base: Option<&str>,
        location: &str,
        expected: &Expected,
        path: PathBuf,
    ) -> Result<PathBuf> {
        if let Ok(file) = File::open(&path) {
            match copy_checked(file, std::io::sink(), expected, &path.display().to_string()) {
                Ok(()) => return Ok(path),
                Err(error) => log::warn!("cached file is broken and is downloaded again: {error:#}"),
            }
        }
        let dir = path.parent().unwrap_or(&self.dir);
        source.open(base, location, &mut |input, url| {
            let mut temporary =
                tempfile::NamedTempFile::new_in(dir).with_context(|| format!("{}", dir.display()))?;
            let mut writer = BufWriter::new(temporary.as_file_mut());
            copy_checked(input, &mut writer, expected, url)?;
            writer.flush().with_context(|| format!("{}", dir.display()))?;
            drop(writer);
            temporary.persist(&path).with_context(|| format!("{}", path.display()))?;
            Ok(())
        })?;
        Ok(path)
    }
}
