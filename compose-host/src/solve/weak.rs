//! Weak dependencies: what the chosen packages recommend, and what supplements them.
//!
//! One package is added at a time, in the order in which libsolv takes them, until nothing more fits. A package that
//! does not fit beside what is there is left out; nothing that is there ever leaves for it.

use std::collections::HashSet;

use resolvo::{Problem, Solver};

use super::formula;
use super::index::Index;
use super::needed::needed;
use super::provider::Provider;
use crate::repo::{PackageId, Pool};

/// The solution `ids` with weak dependencies.
pub(super) fn extend(
    pool: &Pool,
    index: &Index,
    solver: &mut Solver<Provider>,
    mut roots: Vec<Vec<PackageId>>,
    mut ids: Vec<PackageId>,
) -> Vec<PackageId> {
    let supplementers: Vec<PackageId> = pool
        .ids()
        .filter(|&id| !pool.package(id).supplements.is_empty() && pool.package(id).excluded.is_none())
        .collect();
    let mut refused: HashSet<PackageId> = HashSet::new();
    loop {
        let installed: HashSet<PackageId> = ids.iter().copied().collect();
        let wanted = wanted(pool, index, &supplementers, &installed, &refused);
        let Some(next) = solver.provider().first(&wanted) else { return ids };
        // what is there is required as it is, so that only what `next` brings along is chosen
        let provider = solver.provider();
        let all =
            ids.iter().chain([&next]).flat_map(|&id| provider.requirement(&[id], &pool.nevra(id))).collect();
        match solver.solve(Problem::new().requirements(all)) {
            Ok(solution) => {
                let solution: Vec<PackageId> =
                    solution.into_iter().map(|id| solver.provider().package(id)).collect();
                roots.push(vec![next]);
                ids = needed(solver.provider(), &roots, &solution);
            }
            Err(_) => {
                refused.insert(next);
            }
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
    wanted.retain(|id| {
        !installed.contains(id) && !refused.contains(id) && !names.contains(&pool.package(*id).name)
    });
    wanted
}
