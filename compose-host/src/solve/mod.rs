//! The solver: from names in the manifest to a set of packages, the same set `dnf` would install.
//!
//! ```text
//! names --spec--> candidates --provider (index, formula)--> resolvo --weak--> set, or explain --> text
//! ```
//!
//! Rules taken from libsolv as dnf uses it: a name is installed in its best version; of several providers the one
//! of the best repository priority wins, then one that a chosen package recommends, then an obsoleting one over the
//! obsoleted, then the name that comes first in the alphabet, then the higher version. What nobody needs in the end leaves again ([`needed`]). Weak dependencies are
//! added one at a time after the hard ones are solved, and never change what the hard ones chose.

mod asked;
mod explain;
mod formula;
mod glob;
mod index;
mod needed;
mod provider;
mod spec;
mod weak;

use anyhow::{Result, anyhow, bail};
use resolvo::{Problem, Solver, UnsolvableOrCancelled};

use crate::fetch::Cache;
use crate::repo::{self, Loaded, PackageId, Pool};
use index::Index;
use provider::Provider;

pub use spec::matches_spec;

/// What to solve.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Names, NEVRAs, capabilities or paths to install.
    pub packages: &'a [String],
    /// Patterns of packages that must not be installed.
    pub exclude: &'a [String],
    /// Whether recommended packages are added.
    pub recommends: bool,
}

/// Solves; reads filelists.xml only when a path is asked for that primary.xml cannot answer.
///
/// The answer is sorted by name.
pub fn solve(loaded: &mut Loaded, request: &Request, cache: &Cache) -> Result<Vec<PackageId>> {
    exclude(&mut loaded.pool, request.exclude);
    let first = solve_pool(&loaded.pool, request, false);
    let outcome = match first {
        Outcome::NeedsFilelists => {
            let paths: Vec<String> =
                request.packages.iter().filter(|p| p.starts_with('/')).cloned().collect();
            repo::load_filelists(loaded, &paths, cache)?;
            solve_pool(&loaded.pool, request, true)
        }
        outcome => outcome,
    };
    match outcome {
        Outcome::Solved(ids) => Ok(ids),
        Outcome::Failed(error) => Err(error),
        Outcome::NeedsFilelists => Err(anyhow!("filelists asked for a second time, which is a bug")),
    }
}

enum Outcome {
    Solved(Vec<PackageId>),
    Failed(anyhow::Error),
    NeedsFilelists,
}

fn solve_pool(pool: &Pool, request: &Request, has_filelists: bool) -> Outcome {
    let index = Index::new(pool);
    let result = solve_indexed(pool, &index, request);
    if !has_filelists && index.missed_paths() {
        return Outcome::NeedsFilelists;
    }
    match result {
        Ok(ids) => Outcome::Solved(ids),
        Err(error) => Outcome::Failed(error),
    }
}

fn solve_indexed(pool: &Pool, index: &Index, request: &Request) -> Result<Vec<PackageId>> {
    let mut wanted = Vec::new();
    let mut unknown = Vec::new();
    for text in request.packages {
        match spec::choices(pool, index, text) {
            Ok(choices) => wanted.extend(choices.into_iter().map(|ids| (text.as_str(), ids))),
            Err(error) => unknown.push(error.to_string()),
        }
    }
    if !unknown.is_empty() {
        bail!("{}", unknown.join("\n"));
    }
    let mut solver = Solver::new(Provider::new(pool, index));
    let mut ids = solve_hard(pool, index, &mut solver, &wanted)?;
    // what the chosen packages recommend decides between equal providers, and that is known only now
    if solver.provider().prefer_recommended_by(&ids) {
        solver = Solver::new(solver.provider().renewed());
        ids = solve_hard(pool, index, &mut solver, &wanted)?;
    }
    if request.recommends {
        let roots = wanted.into_iter().map(|(_, ids)| ids).collect();
        ids = weak::extend(pool, index, &mut solver, roots, ids);
    }
    if let Some(broken) = solver.provider().broken(&ids) {
        bail!("the solver left {broken}, which is a bug");
    }
    ids.sort_by(|&a, &b| {
        let (a, b) = (pool.package(a), pool.package(b));
        pool.text(a.name).cmp(pool.text(b.name)).then_with(|| pool.compare(&a.evr, &b.evr))
    });
    Ok(ids)
}

fn solve_hard(
    pool: &Pool,
    index: &Index,
    solver: &mut Solver<Provider>,
    wanted: &[(&str, Vec<PackageId>)],
) -> Result<Vec<PackageId>> {
    let provider = solver.provider();
    let requirements = wanted.iter().flat_map(|(text, ids)| provider.requirement(ids, text)).collect();
    match solver.solve(Problem::new().requirements(requirements)) {
        Ok(solution) => {
            let ids: Vec<PackageId> = solution.into_iter().map(|id| solver.provider().package(id)).collect();
            let roots: Vec<Vec<PackageId>> = wanted.iter().map(|(_, ids)| ids.clone()).collect();
            Ok(needed::needed(solver.provider(), &roots, &ids))
        }
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => {
            let graph = conflict.graph(solver);
            bail!("{}", explain::explain(pool, index, solver.provider(), &graph))
        }
        Err(UnsolvableOrCancelled::Cancelled(_)) => bail!("the solver stopped by itself, which is a bug"),
    }
}

fn exclude(pool: &mut Pool, patterns: &[String]) {
    for id in pool.ids() {
        if patterns.iter().any(|pattern| matches_spec(pool, id, pattern)) {
            pool.packages[id as usize].excluded = Some(repo::Excluded::Manifest);
        }
    }
}
