//! The two traits through which resolvo asks a [`Provider`].

use std::fmt::Display;

use resolvo::{
    Candidates, Condition, ConditionId, Dependencies, DependencyProvider, Interner, KnownDependencies,
    NameId, SolvableId, SolverCache, StringId, VersionSetId, VersionSetUnionId,
};

use super::provider::{Name, Provider};
use crate::repo::PackageId;

impl Interner for Provider<'_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        self.pool.nevra(self.package(solvable))
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        match self.solver.resolve_package_name(name) {
            Name::Package(sym) => self.pool.text(*sym),
            Name::Nothing(text) => text,
        }
    }

    fn display_version_set(&self, version_set: VersionSetId) -> impl Display + '_ {
        self.version_set_text(version_set)
    }

    fn display_string(&self, string_id: StringId) -> impl Display + '_ {
        self.solver.resolve_string(string_id)
    }

    fn version_set_name(&self, version_set: VersionSetId) -> NameId {
        self.solver.resolve_version_set_package_name(version_set)
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        self.solver.resolve_solvable(solvable).name
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.solver.resolve_version_set_union(union)
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        self.solver.resolve_condition(condition).clone()
    }
}

impl DependencyProvider for Provider<'_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        version_set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let ids = &self.solver.resolve_version_set(version_set).ids;
        candidates
            .iter()
            .copied()
            .filter(|&candidate| ids.binary_search(&self.package(candidate)).is_ok() != inverse)
            .collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let Name::Package(sym) = *self.solver.resolve_package_name(name) else { return None };
        let candidates = self
            .index
            .named(sym)
            .iter()
            .filter(|&&id| self.pool.package(id).excluded.is_none())
            .map(|&id| self.solvable(id))
            .collect();
        Some(Candidates {
            candidates,
            allow_multiple: self.installs_in_parallel(sym),
            ..Candidates::default()
        })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        let mut ids: Vec<PackageId> = solvables.iter().map(|&id| self.package(id)).collect();
        self.prefer(&mut ids);
        for (slot, id) in solvables.iter_mut().zip(ids) {
            *slot = self.solvable(id);
        }
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let id = self.package(solvable);
        let package = self.pool.package(id);
        let mut known = KnownDependencies::default();
        for dependency in &package.requires {
            self.require(id, dependency, &mut known);
        }
        for dependency in &package.conflicts {
            self.conflict(id, dependency, &mut known);
        }
        for dependency in &package.obsoletes {
            self.obsolete(id, dependency, &mut known);
        }
        Dependencies::Known(known)
    }
}
