//! What a name in a manifest or an exclude list means.
//!
//! In dnf's order: a package by its name or NEVRA, then by something it provides, then by a path.

use std::cmp::Reverse;
use std::collections::HashMap;

use anyhow::{Result, bail};

use super::glob;
use super::index::Index;
use crate::repo::{Dependency, Evr, Excluded, PackageId, Pool, RelOp, Sym, in_primary, split_evr};

/// Whether a package is meant by a name, NEVRA or pattern of either; capabilities and paths do not count.
pub fn matches_spec(pool: &Pool, id: PackageId, pattern: &str) -> bool {
    let package = pool.package(id);
    let (name, arch) = (pool.text(package.name), pool.text(package.arch));
    let is_pattern = glob::is_pattern(pattern);
    if !is_pattern && !pattern.contains(name) {
        return false;
    }
    let version = pool.text(package.evr.version);
    let release = package.evr.release.map_or("", |release| pool.text(release));
    let epoch = package.evr.epoch;
    let vr = format!("{version}-{release}");
    let forms = [
        name.to_string(),
        format!("{name}.{arch}"),
        format!("{name}-{version}"),
        format!("{name}-{epoch}:{version}"),
        format!("{name}-{vr}"),
        format!("{name}-{vr}.{arch}"),
        format!("{name}-{epoch}:{vr}"),
        format!("{name}-{epoch}:{vr}.{arch}"),
        format!("{epoch}:{name}-{vr}.{arch}"),
    ];
    forms.iter().any(|form| if is_pattern { glob::matches(pattern, form) } else { form == pattern })
}

/// The choices a manifest entry leaves, each a list of packages of which one is to be installed.
///
/// A plain name is one choice: its best version, or what obsoletes it. A pattern is one choice for each name it matches.
pub(super) fn choices(pool: &Pool, index: &Index, text: &str) -> Result<Vec<Vec<PackageId>>> {
    let ids = candidates(pool, index, text)?;
    if !glob::is_pattern(text) {
        return Ok(vec![ids]);
    }
    let mut names: Vec<(Sym, Vec<PackageId>)> = Vec::new();
    for id in ids {
        let name = pool.package(id).name;
        match names.iter_mut().find(|(known, _)| *known == name) {
            Some((_, ids)) => ids.push(id),
            None => names.push((name, vec![id])),
        }
    }
    Ok(names.into_iter().map(|(_, ids)| ids).collect())
}

fn candidates(pool: &Pool, index: &Index, text: &str) -> Result<Vec<PackageId>> {
    if let Some(group) = text.strip_prefix('@') {
        bail!("package group {group:?}: groups are not supported, expected package names");
    }
    let mut all = by_name(pool, index, text);
    if all.is_empty() {
        all = by_capability(pool, index, text);
    }
    if all.is_empty() {
        bail!("no package, capability or path {text:?} in repositories {}", repo_names(pool));
    }
    let usable: Vec<PackageId> =
        all.iter().copied().filter(|&id| pool.package(id).excluded.is_none()).collect();
    if usable.is_empty() {
        let names: Vec<_> = all.iter().map(|&id| excluded_text(pool, id)).collect();
        bail!("{text:?} matches only excluded packages: {}", names.join(", "));
    }
    let mut ids = best(pool, usable);
    if pool.strings.find(text).is_some_and(|name| !index.named(name).is_empty()) {
        ids.extend(obsoleters(pool, &ids));
    }
    Ok(ids)
}

/// Packages that may be installed and obsolete one of `ids`, in their best version.
fn obsoleters(pool: &Pool, ids: &[PackageId]) -> Vec<PackageId> {
    let hits = |id: &PackageId| {
        let package = pool.package(*id);
        package.excluded.is_none()
            && package
                .obsoletes
                .iter()
                .any(|obsoleted| ids.iter().any(|&old| old != *id && pool.is_named(old, obsoleted)))
    };
    best(pool, pool.ids().filter(hits).collect())
}

/// A package with the reason why it may not be installed.
pub(super) fn excluded_text(pool: &Pool, id: PackageId) -> String {
    let by = match pool.package(id).excluded {
        Some(Excluded::Manifest) => "excluded by exclude-packages",
        Some(Excluded::Repo) => "excluded by its repository's configuration",
        None => "not excluded",
    };
    format!("{} ({by})", pool.nevra(id))
}

fn repo_names(pool: &Pool) -> String {
    pool.repos.iter().map(|repo| repo.id.as_str()).collect::<Vec<_>>().join(", ")
}

fn by_name(pool: &Pool, index: &Index, text: &str) -> Vec<PackageId> {
    if !glob::is_pattern(text)
        && let Some(name) = pool.strings.find(text)
        && !index.named(name).is_empty()
    {
        return index.named(name).to_vec();
    }
    pool.ids().filter(|&id| matches_spec(pool, id, text)).collect()
}

fn by_capability(pool: &Pool, index: &Index, text: &str) -> Vec<PackageId> {
    let mut words = text.split_whitespace();
    let (Some(name), sign, version) = (words.next(), words.next(), words.next()) else { return Vec::new() };
    if name.starts_with('/') && !in_primary(name) {
        index.miss_path();
    }
    let Some(name) = pool.strings.find(name) else { return Vec::new() };
    let version = match (sign.and_then(RelOp::from_sign), version) {
        (Some(op), Some(version)) => {
            let (epoch, version, release) = split_evr(version);
            // a version nobody has ever written cannot be interned here; it equals nothing, so nothing is lost
            let Some(version) = pool.strings.find(version) else { return Vec::new() };
            Some((
                op,
                Evr { epoch, version, release: release.and_then(|release| pool.strings.find(release)) },
            ))
        }
        _ => None,
    };
    index.all_providers(pool, &Dependency { name, version })
}

/// Of each name and architecture: the best repository priority, and there the highest version.
fn best(pool: &Pool, ids: Vec<PackageId>) -> Vec<PackageId> {
    let mut groups: HashMap<_, Vec<PackageId>> = HashMap::new();
    for &id in &ids {
        groups.entry((pool.package(id).name, pool.package(id).arch)).or_default().push(id);
    }
    let mut kept: Vec<PackageId> = Vec::new();
    for group in groups.into_values() {
        let rank = |id: PackageId| Reverse(pool.repos[pool.package(id).repo].priority);
        let Some(top) = group.iter().map(|&id| rank(id)).max() else { continue };
        let group: Vec<PackageId> = group.into_iter().filter(|&id| rank(id) == top).collect();
        let evr = |id: PackageId| &pool.package(id).evr;
        let Some(newest) = group.iter().copied().max_by(|&a, &b| pool.compare(evr(a), evr(b))) else {
            continue;
        };
        kept.extend(group.iter().filter(|&&id| pool.compare(evr(id), evr(newest)).is_eq()));
    }
    kept.sort_unstable();
    kept
}
