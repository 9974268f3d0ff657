//! Weak dependencies: what the chosen packages recommend, and what supplements them.
//!
//! One package is added at a time, in the order in which libsolv takes them, until nothing more fits. A package that
//! does not fit beside what is there is left out; nothing that is there ever leaves for it.

use std::collections::HashSet;

use anyhow::{Result, bail};
use resolvo::{ConditionalRequirement, Problem, Solver};

use super::formula;
use super::index::Index;
use super::provider::Provider;
use crate::repo::{PackageId, Pool};

/// The solution `ids` with weak dependencies.
pub(super) fn extend(
    pool: &Pool,
    index: &Index,
    solver: &mut Solver<Provider>,
    requirements: &[ConditionalRequirement],
    mut ids: Vec<PackageId>,
) -> Result<Vec<PackageId>> {
    let supplementers: Vec<PackageId> = pool
        .ids()
        .filter(|&id| !pool.package(id).supplements.is_empty() && pool.package(id).excluded.is_none())
        .collect();
    let mut accepted: Vec<PackageId> = Vec::new();
    let mut refused: HashSet<PackageId> = HashSet::new();
    loop {
        let installed: HashSet<PackageId> = ids.iter().copied().collect();
        let wanted = wanted(pool, index, &supplementers, &installed, &refused);
        let Some(next) = solver.provider().first(&wanted) else { return Ok(ids) };
        let soft: Vec<_> = accepted.iter().chain([&next]).map(|&id| solver.provider().solvable(id)).collect();
        let problem = Problem::new().requirements(requirements.to_vec()).soft_requirements(soft);
        let Ok(solution) = solver.solve(problem) else {
            bail!("a weak dependency made the packages unsolvable, which is a bug")
        };
        let solution: Vec<PackageId> = solution.into_iter().map(|id| solver.provider().package(id)).collect();
        if solution.contains(&next) && ids.iter().all(|id| solution.contains(id)) {
            accepted.push(next);
            ids = solution;
        } else {
            refused.insert(next);
        }
    }
}

/// Packages that would satisfy an unsatisfied weak dependency.
fn wanted(
    pool: &Pool,
    index: &Index,
    supplementers: &[PackageId],
    installed: &HashSet<PackageId>,
    refused: &HashSet<PackageId>,
) -> Vec<PackageId> {
    let names: HashSet<_> = installed.iter().map(|&id| pool.package(id).name).collect();
    let mut wanted = Vec::new();
    for &id in installed {
        for dependency in &pool.package(id).recommends {
            for clause in formula::clauses(pool, index, dependency, false).unwrap_or_default() {
                if !clause.holds(installed) {
                    wanted.extend(clause.have);
                }
            }
        }
    }
    for &id in supplementers {
        let package = pool.package(id);
        if package.supplements.iter().any(|dependency| formula::holds(pool, index, dependency, installed)) {
            wanted.push(id);
        }
    }
    wanted.retain(|id| !installed.contains(id) && !refused.contains(id) && !names.contains(&pool.package(*id).name));
    wanted
}
