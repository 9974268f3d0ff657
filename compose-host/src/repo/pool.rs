//! All packages of all repositories in one place.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;

use super::evr::compare_versions;
use super::{RepoConfig, Rich, Strings, Sym};
use crate::fetch::Digest;

/// A package's place in [`Pool::packages`].
pub type PackageId = u32;

/// Epoch, version, and a release that dependencies may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Evr {
    /// 0 where there is none.
    pub epoch: u32,
    /// The version.
    pub version: Sym,
    /// The release.
    pub release: Option<Sym>,
}

/// How a dependency compares, as a set of less, equal, greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RelOp {
    /// Less matches.
    pub lt: bool,
    /// Equal matches.
    pub eq: bool,
    /// Greater matches.
    pub gt: bool,
}

impl RelOp {
    /// `=`.
    pub const EQ: RelOp = RelOp { lt: false, eq: true, gt: false };

    /// The operator of a `flags` attribute in repository metadata.
    pub fn from_flags(flags: &str) -> Option<RelOp> {
        let (lt, eq, gt) = match flags {
            "LT" => (true, false, false),
            "LE" => (true, true, false),
            "EQ" => (false, true, false),
            "GE" => (false, true, true),
            "GT" => (false, false, true),
            _ => return None,
        };
        Some(RelOp { lt, eq, gt })
    }

    /// The operator as it is written in dependencies, `>=` for example.
    pub fn from_sign(sign: &str) -> Option<RelOp> {
        Self::from_flags(match sign {
            "<" => "LT",
            "<=" => "LE",
            "=" | "==" => "EQ",
            ">=" => "GE",
            ">" => "GT",
            _ => return None,
        })
    }
}

impl fmt::Display for RelOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (set, sign) in [(self.lt, "<"), (self.gt, ">"), (self.eq, "=")] {
            if set {
                f.write_str(sign)?;
            }
        }
        Ok(())
    }
}

/// One capability provided or asked for; a rich dependency has its whole text as the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dependency {
    /// Name, path, or a text that starts with `(`.
    pub name: Sym,
    /// The version condition.
    pub version: Option<(RelOp, Evr)>,
}

/// One package as its repository describes it.
#[derive(Debug)]
pub struct Package {
    /// Index in [`Pool::repos`].
    pub repo: usize,
    /// Name.
    pub name: Sym,
    /// Architecture.
    pub arch: Sym,
    /// Version, always with a release.
    pub evr: Evr,
    /// Checksum of the RPM file, from the metadata.
    pub digest: Digest,
    /// Size of the RPM file in bytes.
    pub size_bytes: u64,
    /// When it was built, in seconds.
    pub build_time: u64,
    /// Path below the repository's URL.
    pub location: Box<str>,
    /// Another URL the location is below, where the metadata gives one.
    pub base: Option<Box<str>>,
    /// What it provides.
    pub provides: Vec<Dependency>,
    /// What it cannot be without.
    pub requires: Vec<Dependency>,
    /// What must not be there with it.
    pub conflicts: Vec<Dependency>,
    /// Package names it takes the place of.
    pub obsoletes: Vec<Dependency>,
    /// What it wants.
    pub recommends: Vec<Dependency>,
    /// What wants it to be there when that is there.
    pub supplements: Vec<Dependency>,
    /// The paths that primary.xml lists, and those of filelists.xml that were asked for.
    pub files: Vec<Sym>,
    /// Why it may not be chosen.
    pub excluded: Option<Excluded>,
}

/// Who took a package out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excluded {
    /// `exclude-packages` of the manifest.
    Manifest,
    /// `excludepkgs` or `includepkgs` of the repository.
    Repo,
}

/// All packages, their strings and their repositories.
#[derive(Debug, Default)]
pub struct Pool {
    /// Strings in the order of their first appearance.
    pub strings: Strings,
    /// Repositories in the order they were loaded.
    pub repos: Vec<RepoConfig>,
    /// Packages in repository order.
    pub packages: Vec<Package>,
    /// Rich dependencies by their text; `None` where the text is not understood.
    pub rich: HashMap<Sym, Option<Rich>>,
    /// By package checksum, for the reader of filelists.xml.
    pub(super) by_digest: HashMap<(usize, String), Vec<PackageId>>,
}

impl Pool {
    /// The text of `sym`.
    pub fn text(&self, sym: Sym) -> &str {
        self.strings.text(sym)
    }

    /// The package `id`.
    pub fn package(&self, id: PackageId) -> &Package {
        &self.packages[id as usize]
    }

    /// Adds a path to a package, once.
    pub(super) fn add_file(&mut self, id: PackageId, path: Sym) {
        let files = &mut self.packages[id as usize].files;
        if !files.contains(&path) {
            files.push(path);
        }
    }

    /// All package ids.
    pub fn ids(&self) -> std::ops::Range<PackageId> {
        0..u32::try_from(self.packages.len())
            .expect("metadata of less than 4 GiB has fewer packages than 2^32")
    }

    /// `version-release`, with `epoch:` in front if it is not 0.
    pub fn evr_text(&self, evr: &Evr) -> String {
        let mut text = String::new();
        if evr.epoch != 0 {
            text = format!("{}:", evr.epoch);
        }
        text.push_str(self.text(evr.version));
        if let Some(release) = evr.release {
            text.push('-');
            text.push_str(self.text(release));
        }
        text
    }

    /// `name-[epoch:]version-release.arch`.
    pub fn nevra(&self, id: PackageId) -> String {
        let package = self.package(id);
        format!("{}-{}.{}", self.text(package.name), self.evr_text(&package.evr), self.text(package.arch))
    }

    /// `name` or `name >= version`.
    pub fn dependency_text(&self, dependency: &Dependency) -> String {
        match &dependency.version {
            Some((op, evr)) => format!("{} {op} {}", self.text(dependency.name), self.evr_text(evr)),
            None => self.text(dependency.name).to_string(),
        }
    }

    /// Compares two versions; releases count only if both sides have one.
    pub fn compare(&self, a: &Evr, b: &Evr) -> Ordering {
        a.epoch
            .cmp(&b.epoch)
            .then_with(|| compare_versions(self.text(a.version), self.text(b.version)))
            .then_with(|| match (a.release, b.release) {
                (Some(a), Some(b)) => compare_versions(self.text(a), self.text(b)),
                _ => Ordering::Equal,
            })
    }

    /// Whether a dependency means the package by its own name and version, as obsoletes do.
    pub fn is_named(&self, id: PackageId, dependency: &Dependency) -> bool {
        let package = self.package(id);
        let own = (RelOp::EQ, package.evr);
        package.name == dependency.name && self.versions_overlap(Some(&own), dependency.version.as_ref())
    }

    /// Whether something provided in `provided` versions satisfies `wanted` versions; names are not compared.
    pub fn versions_overlap(&self, provided: Option<&(RelOp, Evr)>, wanted: Option<&(RelOp, Evr)>) -> bool {
        let (Some((p, p_evr)), Some((r, r_evr))) = (provided, wanted) else { return true };
        if (p.lt && r.lt) || (p.gt && r.gt) {
            return true;
        }
        match self.compare(p_evr, r_evr) {
            // "> 2.36" is not satisfied by 2.36-9: a missing release compares as equal
            Ordering::Equal => p.eq && r.eq,
            Ordering::Less => r.lt || p.gt,
            Ordering::Greater => r.gt || p.lt,
        }
    }
}

/// Whether primary.xml lists every package's entry for this path, so that filelists.xml is not needed.
pub fn in_primary(path: &str) -> bool {
    path.starts_with("/etc/") || path.contains("bin/") || path == "/usr/lib/sendmail"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(pool: &mut Pool, text: &str) -> Option<(RelOp, Evr)> {
        let (sign, evr) = text.split_once(' ')?;
        let (epoch, version, release) = super::super::split_evr(evr);
        let version = pool.strings.intern(version);
        let release = release.map(|release| pool.strings.intern(release));
        Some((RelOp::from_sign(sign).unwrap(), Evr { epoch, version, release }))
    }

    #[test]
    fn versions_match_as_in_rpm() {
        let mut pool = Pool::default();
        for (provided, wanted, expected) in [
            ("= 1-1", "= 1-1", true),
            ("= 1-1", "= 1", true),
            ("= 1-1", "> 1", false),
            ("= 1-1", ">= 1", true),
            ("= 1-1", "< 1", false),
            ("= 1-1", "<= 1-1", true),
            ("= 1-2", "> 1-1", true),
            ("= 1-2", "< 1-1", false),
            ("= 1:1-1", "> 2", true),
            ("= 1", "= 1-5", true),
            ("< 2", "< 1", true),
            ("< 2", "> 1", true),
            ("< 1", "> 2", false),
            ("> 1", "< 2", true),
            ("> 2", "= 1", false),
            ("<= 2", ">= 2", true),
            ("< 2", ">= 2", false),
            ("", "> 99", true),
            ("= 1", "", true),
        ] {
            let provided_side = side(&mut pool, provided);
            let wanted_side = side(&mut pool, wanted);
            let got = pool.versions_overlap(provided_side.as_ref(), wanted_side.as_ref());
            assert_eq!(got, expected, "{provided:?} for {wanted:?}");
        }
    }

    #[test]
    fn primary_paths() {
        for (path, expected) in [
            ("/etc/passwd", true),
            ("/usr/bin/sh", true),
            ("/sbin/x", true),
            ("/usr/lib/sendmail", true),
            ("/usr/lib/x", false),
        ] {
            assert_eq!(in_primary(path), expected, "{path}");
        }
    }
}
