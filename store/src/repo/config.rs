//! A repo's `config`.

use super::Repo;
use crate::error::{Error, Result};
use rootling_object::Keyfile;

impl Repo {
    /// The configuration as it was when the repo was opened or last written by [`Repo::write_config`].
    pub fn config(&self) -> &Keyfile {
        &self.config
    }

    /// Replaces the configuration. Durable once it returns; after a power failure the old or the new one is there.
    pub fn write_config(&mut self, config: Keyfile) -> Result<()> {
        crate::fs::replace(&self.root.join("config"), config.to_string().as_bytes())?;
        self.config = config;
        Ok(())
    }

    pub(crate) fn flag(&self, key: &str, otherwise: bool) -> Result<bool> {
        let value =
            self.config.bool("core", key).map_err(Error::corrupt(self.root.join("config").display()))?;
        Ok(value.unwrap_or(otherwise))
    }

    pub(crate) fn number(&self, key: &str, otherwise: u64) -> Result<u64> {
        let value =
            self.config.u64("core", key).map_err(Error::corrupt(self.root.join("config").display()))?;
        Ok(value.unwrap_or(otherwise))
    }

    /// Whether writes are made durable (`core.fsync`, true unless said otherwise).
    pub fn fsync(&self) -> Result<bool> {
        self.flag("fsync", true)
    }
}
