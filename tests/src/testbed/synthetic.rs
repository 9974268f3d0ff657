//! Packages made from nothing: `filesystem`, `basesystem` and the `syn-*` set, described in `synthetic.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rpm::{FileOptions, PackageBuilder};
use serde::{Deserialize, Serialize};

use super::convert::{add_scriptlets, build_config, parse_dependency};
use super::deb::Deb;
use super::distilled::Distilled;
use super::version::RpmVersion;
use super::{Arch, State, cached};

/// Build time of all of them, seconds since 1970.
const BUILT: u32 = 1_700_000_000;

/// One package; relations are in RPM's words.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Synthetic {
    name: String,
    /// `[EPOCH:]VERSION-RELEASE` by state; it is not in a state that is not named.
    versions: BTreeMap<String, String>,
    summary: String,
    requires: Vec<String>,
    provides: Vec<String>,
    conflicts: Vec<String>,
    obsoletes: Vec<String>,
    recommends: Vec<String>,
    suggests: Vec<String>,
    supplements: Vec<String>,
    enhances: Vec<String>,
    /// Requires Debian's essential packages too.
    essential: bool,
    distilled: Distilled,
    entries: Vec<Entry>,
}

/// One path: a folder (`dir` is its mode), a link, a ghost or a file with text.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Entry {
    path: String,
    dir: Option<String>,
    link: Option<String>,
    text: String,
    ghost: bool,
    /// Octal, 0644 unless named.
    mode: Option<String>,
    user: Option<String>,
    group: Option<String>,
    config: bool,
    license: bool,
    caps: Option<String>,
    /// Files of one such name are one inode.
    hardlink: Option<String>,
    /// The only architecture that has it.
    only: Option<String>,
}

fn table() -> Result<Vec<Synthetic>> {
    serde_norway::from_str(include_str!("synthetic.yaml")).context("synthetic.yaml")
}

/// Paths that `filesystem` owns, so no other package needs to.
pub fn base_folders() -> BTreeSet<String> {
    let packages = table().expect("synthetic.yaml is tested");
    let entries = packages.into_iter().filter(|package| package.name == "filesystem");
    entries.flat_map(|package| package.entries).map(|entry| entry.path).collect()
}

/// Builds those of a state; `essential` are the names that `basesystem` requires.
pub fn build_all(arch: Arch, state: State, essential: &[String], cache: &Path) -> Result<Vec<PathBuf>> {
    let mut rpms = Vec::new();
    for mut package in table()? {
        let Some(version) = package.versions.get(state.name()).cloned() else { continue };
        if package.essential {
            package.requires.extend_from_slice(essential);
        }
        package.entries.retain(|entry| entry.only.as_deref().is_none_or(|only| only == arch.debian()));
        let key = format!("{version}\n{}", serde_norway::to_string(&package)?);
        let name = package.name.clone();
        let rpm =
            cached(cache, &key, || build(package, &version)).with_context(|| format!("build {name}"))?;
        rpms.push(rpm);
    }
    Ok(rpms)
}

fn build(package: Synthetic, version: &str) -> Result<rpm::Package> {
    let version = RpmVersion::parse(version);
    let mut builder = PackageBuilder::new(&package.name, &version.version, "MIT", "noarch", &package.summary);
    builder.using_config(build_config(&package.name, BUILT)).release(version.release_or_zero());
    builder.group("Test").vendor("Rootling test bed").build_host("testbed");
    if let Some(epoch) = version.epoch {
        builder.epoch(epoch);
    }
    type Add = fn(&mut PackageBuilder, rpm::Dependency) -> &mut PackageBuilder;
    let relations: [(&[String], Add); 8] = [
        (&package.requires, PackageBuilder::requires),
        (&package.provides, PackageBuilder::provides),
        (&package.conflicts, PackageBuilder::conflicts),
        (&package.obsoletes, PackageBuilder::obsoletes),
        (&package.recommends, PackageBuilder::recommends),
        (&package.suggests, PackageBuilder::suggests),
        (&package.supplements, PackageBuilder::supplements),
        (&package.enhances, PackageBuilder::enhances),
    ];
    for (texts, add) in relations {
        for text in texts {
            add(&mut builder, parse_dependency(text));
        }
    }
    add_scriptlets(&mut builder, &package.distilled.scriptlets(&Deb::default()), &package.distilled);
    for entry in &package.entries {
        entry.add(&mut builder, &version.version)?;
    }
    Ok(builder.build()?)
}

impl Entry {
    fn add(&self, builder: &mut PackageBuilder, version: &str) -> Result<()> {
        let path = self.path.as_str();
        let octal = |text: &str| u16::from_str_radix(text, 8).with_context(|| format!("{path}: mode {text}"));
        let mut options = match (&self.dir, &self.link) {
            (Some(mode), _) => FileOptions::dir(path).permissions(octal(mode)?),
            (None, Some(target)) => FileOptions::symlink(path, target).permissions(0o777),
            _ if self.ghost => {
                FileOptions::ghost(path).permissions(octal(self.mode.as_deref().unwrap_or("0644"))?)
            }
            _ => FileOptions::new(path).permissions(octal(self.mode.as_deref().unwrap_or("0644"))?),
        };
        let owner = |name: &Option<String>| name.clone().unwrap_or_else(|| "root".to_owned());
        options =
            options.user(owner(&self.user)).group(owner(&self.group)).modified_at(rpm::Timestamp(BUILT));
        if self.config {
            options = options.config().noreplace();
        } else if self.license {
            options = options.license();
        } else if path.starts_with("/usr/share/doc/") {
            options = options.doc();
        }
        if let Some(caps) = &self.caps {
            options = options.caps(caps)?;
        }
        if let Some(identity) = &self.hardlink {
            options = options.hardlink(identity);
        }
        match (&self.dir, &self.link) {
            (Some(_), _) => builder.with_dir_entry(options)?,
            (None, Some(_)) => builder.with_symlink(options)?,
            _ if self.ghost => builder.with_ghost(options)?,
            _ => builder.with_file_contents(self.text.replace("{version}", version), options)?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_builds_in_each_state() {
        let cache = tempfile::tempdir().expect("temporary folder");
        let essential = ["bash".to_owned()];
        for (state, has, lacks) in
            [(State::Base, "syn-gone", "syn-added"), (State::Sec, "syn-added", "syn-gone")]
        {
            let rpms = build_all(Arch::Amd64, state, &essential, cache.path()).expect("builds");
            let names: Vec<_> =
                rpms.iter().map(|rpm| rpm.file_name().and_then(|n| n.to_str()).unwrap_or("")).collect();
            assert!(names.iter().any(|name| name.starts_with(has)), "{names:?}");
            assert!(!names.iter().any(|name| name.starts_with(lacks)), "{names:?}");
        }
    }

    #[test]
    fn filesystem_owns_the_merged_links() {
        let folders = base_folders();
        for path in ["/bin", "/usr/bin", "/lib64", "/var/run"] {
            assert!(folders.contains(path), "{path}");
        }
    }
}
