//! What of a solution is needed: the solver may have chosen a package before a later choice made it superfluous.

use std::collections::HashSet;

use super::formula::Clause;
use super::provider::Provider;
use crate::repo::PackageId;

/// The packages of `solution` that the choices in `roots` need, directly or through others.
///
/// What only one package can satisfy is taken first; only then is a choice made among several, as a solver that
/// propagates before it decides.
pub(super) fn needed(
    provider: &Provider,
    roots: &[Vec<PackageId>],
    solution: &[PackageId],
) -> Vec<PackageId> {
    let installed: HashSet<PackageId> = solution.iter().copied().collect();
    let mut kept: HashSet<PackageId> = HashSet::new();
    let mut open: Vec<Vec<PackageId>> = Vec::new();
    let mut queue: Vec<Clause> =
        roots.iter().map(|ids| Clause { have: ids.clone(), lack: Vec::new() }).collect();
    loop {
        while let Some(clause) = queue.pop() {
            let active = clause.lack.iter().all(|set| set.iter().any(|id| installed.contains(id)));
            let choices: Vec<PackageId> =
                clause.have.into_iter().filter(|id| installed.contains(id)).collect();
            match choices[..] {
                [only] if active => keep(provider, only, &mut kept, &mut queue),
                [] | [_] => {}
                _ if active => open.push(choices),
                _ => {}
            }
        }
        open.retain(|choices| !choices.iter().any(|id| kept.contains(id)));
        let Some(choices) = open.pop() else { break };
        if let Some(first) = provider.first(&choices) {
            keep(provider, first, &mut kept, &mut queue);
        }
    }
    solution.iter().copied().filter(|id| kept.contains(id)).collect()
}

fn keep(provider: &Provider, id: PackageId, kept: &mut HashSet<PackageId>, queue: &mut Vec<Clause>) {
    if kept.insert(id) {
        queue.extend(provider.clauses(id));
    }
}
