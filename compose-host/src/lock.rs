//! The lock file: exactly which packages go into a tree.
//!
//! ```json
//! {
//!   "metadata": {"basearch": "x86_64", "request": {"packages": ["bash"], "exclude-packages": [], "recommends": true}},
//!   "packages": {
//!     "bash": {
//!       "evra": "5.2.15-2.x86_64", "digest": "sha256:...",
//!       "repo": "base", "location": "packages/bash.rpm", "size": 1492, "buildtime": 1700000000
//!     }
//!   }
//! }
//! ```
//!
//! `packages`, `evra` and `digest` are those of rpm-ostree's lock files, which are accepted too; what such a file does
//! not say is looked up in the repositories. A complete lock file needs no repository metadata at all.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::fetch::Digest;
use crate::manifest::Manifest;
use crate::repo::{PackageId, Pool, split_evr};

/// The packages of a tree, sorted by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Lock {
    /// The base architecture, where the file says it.
    pub basearch: Option<String>,
    /// What was asked for, where the file says it.
    request: Option<Value>,
    /// The packages.
    pub packages: Vec<Locked>,
}

/// One package.
#[derive(Clone, Debug, PartialEq)]
pub struct Locked {
    /// Name.
    pub name: String,
    /// `[epoch:]version-release.arch`.
    pub evra: String,
    /// Checksum of the RPM file.
    pub digest: Digest,
    /// Where it is; rpm-ostree's lock files do not say.
    pub place: Option<Place>,
}

/// Where a package is.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The repository's name.
    pub repo: String,
    /// A URL in place of the repository's own.
    pub base: Option<String>,
    /// Path below the URL.
    pub location: String,
    /// Size of the RPM file.
    pub size_bytes: u64,
    /// When the package was built, in seconds.
    pub build_time: u64,
}

impl Lock {
    /// The lock of solved packages.
    pub fn new(manifest: &Manifest, pool: &Pool, ids: &[PackageId]) -> Result<Lock> {
        let mut packages: Vec<Locked> = ids.iter().map(|&id| locked(pool, id)).collect();
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        for pair in packages.windows(2) {
            if let [a, b] = pair
                && a.name == b.name
            {
                bail!("two versions of {} in one tree, {} and {}, expected one", a.name, a.evra, b.evra);
            }
        }
        Ok(Lock { basearch: Some(manifest.basearch.clone()), request: Some(request(manifest)), packages })
    }

    /// Reads a lock file and checks that it was made for this manifest.
    pub fn read(path: &Path, manifest: &Manifest) -> Result<Lock> {
        let text = std::fs::read_to_string(path).with_context(|| format!("lock file {}", path.display()))?;
        let lock = Lock::parse(&text).with_context(|| format!("lock file {}", path.display()))?;
        lock.check(manifest).with_context(|| format!("lock file {}", path.display()))?;
        Ok(lock)
    }

    fn parse(text: &str) -> Result<Lock> {
        let value: Value = serde_json::from_str(text).context("not valid JSON")?;
        let Some(entries) = value.get("packages").and_then(Value::as_object) else {
            bail!("no \"packages\" mapping")
        };
        let mut packages = Vec::new();
        for (name, entry) in entries {
            packages.push(parse_package(name, entry).with_context(|| format!("package {name:?}"))?);
        }
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        let metadata = value.get("metadata");
        let basearch = metadata.and_then(|m| m.get("basearch")).and_then(Value::as_str).map(str::to_string);
        Ok(Lock { basearch, request: metadata.and_then(|m| m.get("request")).cloned(), packages })
    }

    fn check(&self, manifest: &Manifest) -> Result<()> {
        if let Some(basearch) = self.basearch.as_ref().filter(|basearch| **basearch != manifest.basearch) {
            bail!("architecture: expected {}, got {basearch}", manifest.basearch);
        }
        let Some(locked) = &self.request else { return Ok(()) };
        let wanted = request(manifest);
        for key in ["packages", "exclude-packages"] {
            let list = |value: &Value| -> Vec<String> {
                let items = value.get(key).and_then(Value::as_array).into_iter().flatten();
                items.filter_map(Value::as_str).map(str::to_string).collect()
            };
            let (old, new) = (list(locked), list(&wanted));
            let only = |these: &[String], those: &[String]| -> Vec<String> {
                these.iter().filter(|item| !those.contains(item)).cloned().collect()
            };
            if old != new {
                bail!(
                    "made for another manifest: \"{key}\" has gained [{}] and lost [{}] since, make the lock file anew",
                    only(&new, &old).join(", "),
                    only(&old, &new).join(", ")
                );
            }
        }
        if *locked != wanted {
            bail!("made for another manifest: expected {wanted}, got {locked}, make the lock file anew");
        }
        Ok(())
    }

    /// Looks up in the repositories what the file does not say; a package that is gone or has changed is an error.
    pub fn complete(&mut self, pool: &Pool) -> Result<()> {
        for package in self.packages.iter_mut().filter(|package| package.place.is_none()) {
            let same_name = pool.ids().filter(|&id| pool.text(pool.package(id).name) == package.name);
            let found: Vec<Locked> =
                same_name.map(|id| locked(pool, id)).filter(|found| found.evra == package.evra).collect();
            package.place = match found.iter().find(|found| found.digest == package.digest) {
                Some(found) => found.place.clone(),
                None => match found.first() {
                    Some(found) => bail!(
                        "package {}-{} has changed: expected {}, got {}",
                        package.name,
                        package.evra,
                        package.digest,
                        found.digest
                    ),
                    None => bail!("package {}-{} is in no repository any more", package.name, package.evra),
                },
            };
        }
        Ok(())
    }

    /// Whether the repositories' metadata is needed.
    pub fn is_complete(&self) -> bool {
        self.packages.iter().all(|package| package.place.is_some())
    }

    /// The time of the newest package, in seconds.
    pub fn newest_build_time(&self) -> u64 {
        self.packages
            .iter()
            .filter_map(|package| package.place.as_ref())
            .map(|p| p.build_time)
            .max()
            .unwrap_or(0)
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut packages = Map::new();
        for package in &self.packages {
            let mut entry = json!({"evra": package.evra, "digest": package.digest.to_string()});
            if let Some(place) = &package.place {
                entry["repo"] = place.repo.as_str().into();
                entry["location"] = place.location.as_str().into();
                entry["size"] = place.size_bytes.into();
                entry["buildtime"] = place.build_time.into();
                if let Some(base) = &place.base {
                    entry["base"] = base.as_str().into();
                }
            }
            packages.insert(package.name.clone(), entry);
        }
        let mut metadata = Map::new();
        if let Some(basearch) = &self.basearch {
            metadata.insert("basearch".into(), basearch.as_str().into());
        }
        if let Some(request) = &self.request {
            metadata.insert("request".into(), request.clone());
        }
        let text = serde_json::to_string_pretty(&json!({"metadata": metadata, "packages": packages}));
        text.expect("JSON values always have a text") + "\n"
    }
}

impl Locked {
    /// `name-[epoch:]version-release.arch`.
    pub fn nevra(&self) -> String {
        format!("{}-{}", self.name, self.evra)
    }

    /// The package as a commit lists it.
    pub fn listed(&self) -> rootling_object::pkglist::Package {
        let (evr, arch) = self.evra.rsplit_once('.').unwrap_or((&self.evra, ""));
        let (epoch, version, release) = split_evr(evr);
        rootling_object::pkglist::Package {
            name: self.name.clone(),
            epoch: epoch.to_string(),
            version: version.to_string(),
            release: release.unwrap_or_default().to_string(),
            arch: arch.to_string(),
        }
    }
}

fn locked(pool: &Pool, id: PackageId) -> Locked {
    let package = pool.package(id);
    Locked {
        name: pool.text(package.name).to_string(),
        evra: format!("{}.{}", pool.evr_text(&package.evr), pool.text(package.arch)),
        digest: package.digest.clone(),
        place: Some(Place {
            repo: pool.repos[package.repo].id.clone(),
            base: package.base.as_deref().map(str::to_string),
            location: package.location.to_string(),
            size_bytes: package.size_bytes,
            build_time: package.build_time,
        }),
    }
}

fn parse_package(name: &str, entry: &Value) -> Result<Locked> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let number = |key: &str| entry.get(key).and_then(Value::as_u64);
    let evra = text("evra").context("no \"evra\"")?;
    if evra.rsplit_once('.').is_none_or(|(evr, _)| split_evr(evr).2.is_none()) {
        bail!("\"evra\": expected [epoch:]version-release.arch, got {evra:?}");
    }
    let digest = Digest::parse_prefixed(text("digest").context("no \"digest\"")?)?;
    let place = match text("location") {
        None => None,
        Some(location) => {
            if location.starts_with('/')
                || location.contains("://")
                || location.split('/').any(|part| part == "..")
            {
                bail!("\"location\": expected a path below the repository, got {location:?}");
            }
            Some(Place {
                repo: text("repo").context("\"location\" without \"repo\"")?.to_string(),
                base: text("base").map(str::to_string),
                location: location.to_string(),
                size_bytes: number("size").context("\"location\" without \"size\"")?,
                build_time: number("buildtime").context("\"location\" without \"buildtime\"")?,
            })
        }
    };
    Ok(Locked { name: name.to_string(), evra: evra.to_string(), digest, place })
}

/// The part of a manifest that decides which packages are solved for.
fn request(manifest: &Manifest) -> Value {
    json!({
        "packages": manifest.packages,
        "exclude-packages": manifest.exclude_packages,
        "recommends": manifest.recommends,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest { packages: vec!["a".into()], basearch: "x86_64".into(), ..Manifest::default() }
    }

    fn lock() -> Lock {
        let digest = Digest::parse("sha256", &"ab".repeat(32)).unwrap();
        let place =
            Place { repo: "r".into(), base: None, location: "p/a.rpm".into(), size_bytes: 5, build_time: 7 };
        let package = Locked { name: "a".into(), evra: "1:2-3.noarch".into(), digest, place: Some(place) };
        Lock { basearch: Some("x86_64".into()), request: Some(request(&manifest())), packages: vec![package] }
    }

    #[test]
    fn reads_what_it_writes() {
        let lock = lock();
        let read = Lock::parse(&lock.to_text()).unwrap();
        assert_eq!(read, lock);
        read.check(&manifest()).unwrap();
        assert_eq!(read.packages[0].listed().to_string(), "a-1:2-3.noarch");
        assert_eq!(read.newest_build_time(), 7);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let text = lock().to_text();
        for (from, to, expected) in [
            ("\"packages\": {", "\"pakages\": {", "no \"packages\" mapping"),
            ("1:2-3.noarch", "12", "\"evra\": expected"),
            ("sha256:ab", "md5:ab", "md5"),
            ("p/a.rpm", "../a.rpm", "expected a path below the repository"),
            ("\"x86_64\"", "\"aarch64\"", "architecture: expected x86_64, got aarch64"),
            ("\"recommends\": false", "\"recommends\": true", "made for another manifest"),
            ("{", "", "not valid JSON"),
        ] {
            let text = text.replacen(from, to, 1);
            let error = Lock::parse(&text).and_then(|lock| lock.check(&manifest())).unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{from}: {error:#}");
        }
        let more = Manifest { packages: vec!["a".into(), "b".into()], ..manifest() };
        let error = lock().check(&more).unwrap_err().to_string();
        assert!(error.contains("\"packages\" has gained [b] and lost []"), "{error}");
    }

    #[test]
    fn takes_rpm_ostrees_lock_files() {
        let hex = "ab".repeat(32);
        let text = format!(r#"{{"packages": {{"a": {{"evra": "2-3.noarch", "digest": "sha256:{hex}"}}}}}}"#);
        let mut lock = Lock::parse(&text).unwrap();
        lock.check(&manifest()).unwrap();
        assert!(!lock.is_complete());
        let error = lock.complete(&Pool::default()).unwrap_err().to_string();
        assert_eq!(error, "package a-2-3.noarch is in no repository any more");
    }
}
