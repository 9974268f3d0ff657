//! Who provides what.

use std::cell::Cell;
use std::collections::HashMap;

use crate::repo::{Dependency, Evr, PackageId, Pool, RelOp, Sym, in_primary};

/// Packages by name, by capability and by path.
pub(super) struct Index {
    names: HashMap<Sym, Vec<PackageId>>,
    provides: HashMap<Sym, Vec<Provided>>,
    files: HashMap<Sym, Vec<PackageId>>,
    missed_paths: Cell<bool>,
}

/// Who, and in which versions.
type Provided = (PackageId, Option<(RelOp, Evr)>);

impl Index {
    pub(super) fn new(pool: &Pool) -> Index {
        let mut index = Index {
            names: HashMap::new(),
            provides: HashMap::new(),
            files: HashMap::new(),
            missed_paths: Cell::new(false),
        };
        for id in pool.ids() {
            let package = pool.package(id);
            index.names.entry(package.name).or_default().push(id);
            for provided in &package.provides {
                index.provides.entry(provided.name).or_default().push((id, provided.version));
            }
            for &path in &package.files {
                index.files.entry(path).or_default().push(id);
            }
        }
        index
    }

    /// All packages of a name, excluded ones too.
    pub(super) fn named(&self, name: Sym) -> &[PackageId] {
        self.names.get(&name).map_or(&[], Vec::as_slice)
    }

    /// Packages that satisfy a plain dependency, in order, excluded ones too.
    pub(super) fn all_providers(&self, pool: &Pool, wanted: &Dependency) -> Vec<PackageId> {
        let mut ids: Vec<PackageId> = self
            .provides
            .get(&wanted.name)
            .into_iter()
            .flatten()
            .filter(|(_, version)| pool.versions_overlap(version.as_ref(), wanted.version.as_ref()))
            .map(|(id, _)| *id)
            .collect();
        let text = pool.text(wanted.name);
        if text.starts_with('/') {
            if !in_primary(text) {
                self.missed_paths.set(true);
            }
            ids.extend(self.files.get(&wanted.name).into_iter().flatten());
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Packages that satisfy a plain dependency and may be installed.
    pub(super) fn providers(&self, pool: &Pool, wanted: &Dependency) -> Vec<PackageId> {
        let mut ids = self.all_providers(pool, wanted);
        ids.retain(|&id| pool.package(id).excluded.is_none());
        ids
    }

    /// Notes that a path was looked up which only filelists.xml knows.
    pub(super) fn miss_path(&self) {
        self.missed_paths.set(true);
    }

    /// Whether a path was looked up that only filelists.xml knows.
    pub(super) fn missed_paths(&self) -> bool {
        self.missed_paths.get()
    }
}
