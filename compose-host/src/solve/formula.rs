//! Dependencies as clauses: "one of these packages, unless one of each of those sets is missing".

use std::collections::HashSet;

use super::index::Index;
use crate::repo::{Dependency, PackageId, Pool, Rich};

/// `any of have, or none of one of the sets in lack`: `have ∨ ¬lack[0] ∨ ¬lack[1] ...`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Clause {
    /// Packages of which one is enough.
    pub(super) have: Vec<PackageId>,
    /// Sets; if nothing of one of them is installed, that is enough too.
    pub(super) lack: Vec<Vec<PackageId>>,
}

/// A dependency may not multiply into more clauses than this.
const MAX_CLAUSES: usize = 4096;

/// The clauses that say that `dependency` holds (or does not, if `negated`); `None` if it is not understood.
pub(super) fn clauses(
    pool: &Pool,
    index: &Index,
    dependency: &Dependency,
    negated: bool,
) -> Option<Vec<Clause>> {
    match pool.rich.get(&dependency.name) {
        Some(Some(rich)) => cnf(pool, index, rich, negated),
        Some(None) => None,
        None => Some(literal(index.providers(pool, dependency), negated)),
    }
}

/// Whether `dependency` holds with these packages installed.
pub(super) fn holds(
    pool: &Pool,
    index: &Index,
    dependency: &Dependency,
    installed: &HashSet<PackageId>,
) -> bool {
    clauses(pool, index, dependency, false)
        .is_some_and(|clauses| clauses.iter().all(|clause| clause.holds(installed)))
}

impl Clause {
    /// Whether the clause is true with these packages installed.
    pub(super) fn holds(&self, installed: &HashSet<PackageId>) -> bool {
        self.have.iter().any(|id| installed.contains(id))
            || self.lack.iter().any(|set| !set.iter().any(|id| installed.contains(id)))
    }

    /// The clause for a package that is itself installed; `None` if that already makes it true.
    pub(super) fn seen_from(mut self, id: PackageId) -> Option<Clause> {
        if self.have.contains(&id) {
            return None;
        }
        self.lack.retain(|set| !set.contains(&id));
        // "without something that nobody is" is always true
        if self.lack.iter().any(Vec::is_empty) { None } else { Some(self) }
    }
}

fn literal(ids: Vec<PackageId>, negated: bool) -> Vec<Clause> {
    let clause = if negated {
        Clause { have: Vec::new(), lack: vec![ids] }
    } else {
        Clause { have: ids, lack: Vec::new() }
    };
    vec![clause]
}

fn cnf(pool: &Pool, index: &Index, rich: &Rich, negated: bool) -> Option<Vec<Clause>> {
    let part = |rich: &Rich, negated: bool| cnf(pool, index, rich, negated);
    let parts = |all: &[Rich]| all.iter().map(|rich| part(rich, negated)).collect::<Option<Vec<_>>>();
    match rich {
        Rich::One(dependency) => Some(literal(index.providers(pool, dependency), negated)),
        Rich::With(_) | Rich::Without(..) => Some(literal(set(pool, index, rich)?, negated)),
        Rich::And(all) if negated => any(parts(all)?),
        Rich::And(all) => every(parts(all)?),
        Rich::Or(all) if negated => every(parts(all)?),
        Rich::Or(all) => any(parts(all)?),
        // A ∨ ¬B, with else also B ∨ C
        Rich::If(a, b, None) if !negated => any(vec![part(a, false)?, part(b, true)?]),
        Rich::If(a, b, Some(c)) if !negated => every(vec![
            any(vec![part(a, false)?, part(b, true)?])?,
            any(vec![part(b, false)?, part(c, false)?])?,
        ]),
        // ¬A ∧ B, with else (¬A ∨ ¬B) ∧ (B ∨ ¬C)
        Rich::If(a, b, None) => every(vec![part(a, true)?, part(b, false)?]),
        Rich::If(a, b, Some(c)) => every(vec![
            any(vec![part(a, true)?, part(b, true)?])?,
            any(vec![part(b, false)?, part(c, true)?])?,
        ]),
        // A ∧ ¬B, with else (A ∨ B) ∧ (C ∨ ¬B)
        Rich::Unless(a, b, None) if !negated => every(vec![part(a, false)?, part(b, true)?]),
        Rich::Unless(a, b, Some(c)) if !negated => every(vec![
            any(vec![part(a, false)?, part(b, false)?])?,
            any(vec![part(c, false)?, part(b, true)?])?,
        ]),
        Rich::Unless(a, b, None) => any(vec![part(a, true)?, part(b, false)?]),
        Rich::Unless(a, b, Some(c)) => every(vec![
            any(vec![part(a, true)?, part(b, false)?])?,
            any(vec![part(c, true)?, part(b, true)?])?,
        ]),
    }
}

/// The packages that one expression of `with`, `without` and `or` describes.
fn set(pool: &Pool, index: &Index, rich: &Rich) -> Option<Vec<PackageId>> {
    match rich {
        Rich::One(dependency) => Some(index.providers(pool, dependency)),
        Rich::With(all) => {
            let mut sets =
                all.iter().map(|rich| set(pool, index, rich)).collect::<Option<Vec<_>>>()?.into_iter();
            let mut ids = sets.next()?;
            for other in sets {
                ids.retain(|id| other.contains(id));
            }
            Some(ids)
        }
        Rich::Without(a, b) => {
            let (mut ids, other) = (set(pool, index, a)?, set(pool, index, b)?);
            ids.retain(|id| !other.contains(id));
            Some(ids)
        }
        Rich::Or(all) => {
            let mut ids = all.iter().map(|rich| set(pool, index, rich)).collect::<Option<Vec<_>>>()?.concat();
            ids.sort_unstable();
            ids.dedup();
            Some(ids)
        }
        Rich::And(_) | Rich::If(..) | Rich::Unless(..) => None,
    }
}

/// All of these formulas.
fn every(parts: Vec<Vec<Clause>>) -> Option<Vec<Clause>> {
    Some(parts.concat())
}

/// One of these formulas: every combination of one clause from each.
fn any(parts: Vec<Vec<Clause>>) -> Option<Vec<Clause>> {
    let mut product = vec![Clause::default()];
    for part in parts {
        if product.len().saturating_mul(part.len()) > MAX_CLAUSES {
            return None;
        }
        product = product
            .iter()
            .flat_map(|left| {
                part.iter().map(|right| Clause {
                    have: [&left.have[..], &right.have[..]].concat(),
                    lack: [&left.lack[..], &right.lack[..]].concat(),
                })
            })
            .collect();
    }
    Some(product)
}
