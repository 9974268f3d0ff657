//! Which Debian packages the test bed takes: `packages.yaml`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Arch;
use super::apt::DebFile;
use super::deb::Deb;

/// The package lists.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lists {
    /// Names in the operating system's manifest.
    pub os: Vec<String>,
    /// More requests, each resolved for itself.
    extras: Vec<Vec<String>>,
    /// Kernel meta package for each architecture.
    kernels: BTreeMap<String, String>,
    /// Debian packages that have no use in an RPM world.
    leave_out: Vec<String>,
}

impl Lists {
    /// Reads the lists built into the program.
    pub fn load() -> Result<Lists> {
        serde_norway::from_str(include_str!("packages.yaml")).context("packages.yaml")
    }

    /// What apt is asked to install, request by request; Debian's essential packages are in each.
    pub fn requests(&self) -> Vec<Vec<String>> {
        let essential = ["?essential".to_owned(), "usr-is-merged".to_owned()];
        let with = |names: &Vec<String>| essential.iter().chain(names).cloned().collect();
        std::iter::once(&self.os).chain(&self.extras).map(with).collect()
    }

    /// The kernel's meta package.
    pub fn kernel(&self, arch: Arch) -> Result<&str> {
        let found = self.kernels.get(arch.debian());
        Ok(found.with_context(|| format!("packages.yaml: no kernel for {}", arch.debian()))?)
    }

    /// Whether a downloaded package is not converted.
    pub fn left_out(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split('_').next());
        self.leave_out.iter().any(|left| Some(left.as_str()) == name)
    }

    /// Names of the essential packages among `debs`.
    pub fn essential(&self, debs: &[DebFile]) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for file in debs {
            let control = Deb::read_control_only(&std::fs::read(&file.path)?)?;
            if control.get("Essential").is_some_and(|value| value == "yes") {
                names.push(control["Package"].clone());
            }
        }
        Ok(names)
    }
}
