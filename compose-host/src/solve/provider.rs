//! The pool in resolvo's terms.
//!
//! | RPM | resolvo |
//! |---|---|
//! | package name | `NameId` |
//! | package | `SolvableId`, numbered as in the pool |
//! | anything required | union of version sets, each the explicit set of packages of one name that provide it |
//! | conflict, obsoletes | version set of the packages of one name that are *not* hit |
//! | `A if B` | requirement with a condition |

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::{self, Display};
use std::rc::Rc;

use resolvo::utils::{Pool as SolverPool, VersionSet};
use resolvo::{
    Condition, ConditionId, ConditionalRequirement, KnownDependencies, LogicalOperator, Requirement,
    SolvableId, VersionSetId,
};

use super::formula::{self, Clause};
use super::index::Index;
use crate::repo::{Dependency, PackageId, Pool, Sym};

/// A set of packages of one name, with the dependency it stands for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Set {
    pub(super) ids: Rc<[PackageId]>,
    text: Rc<str>,
}

/// A package id, which resolvo wants to print.
pub(super) struct Record(pub(super) PackageId);

impl Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl VersionSet for Set {
    type V = Record;
}

/// The pool as resolvo asks it.
pub(super) struct Provider<'a> {
    pub(super) pool: &'a Pool,
    pub(super) index: &'a Index,
    pub(super) solver: SolverPool<Set, Name>,
    /// By package id.
    solvables: Vec<SolvableId>,
    /// What packages that are probably chosen recommend.
    recommended: RefCell<HashSet<PackageId>>,
}

/// A package name, or a dependency nobody provides.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Name {
    Package(Sym),
    Nothing(Rc<str>),
}

/// rpm features our unpacker and scriptlet runner have.
const RPMLIB: [&str; 19] = [
    "rpmlib(BuiltinLuaScripts)",
    "rpmlib(CaretInVersions)",
    "rpmlib(CompressedFileNames)",
    "rpmlib(ConcurrentAccess)",
    "rpmlib(ExplicitPackageProvide)",
    "rpmlib(FileCaps)",
    "rpmlib(FileDigests)",
    "rpmlib(HeaderLoadSortsTags)",
    "rpmlib(LargeFiles)",
    "rpmlib(PartialHardlinkSets)",
    "rpmlib(PayloadFilesHavePrefix)",
    "rpmlib(PayloadIsBzip2)",
    "rpmlib(PayloadIsXz)",
    "rpmlib(PayloadIsZstd)",
    "rpmlib(RichDependencies)",
    "rpmlib(ScriptletExpansion)",
    "rpmlib(ScriptletInterpreterArgs)",
    "rpmlib(TildeInVersions)",
    "rpmlib(VersionedDependencies)",
];

impl<'a> Provider<'a> {
    pub(super) fn new(pool: &'a Pool, index: &'a Index) -> Self {
        let solver = SolverPool::new();
        let solvables = pool
            .ids()
            .map(|id| {
                let name = solver.intern_package_name(Name::Package(pool.package(id).name));
                solver.intern_solvable(name, Record(id))
            })
            .collect();
        Provider { pool, index, solver, solvables, recommended: RefCell::default() }
    }

    /// The same pool and preferences without what a solver has already asked.
    pub(super) fn renewed(&self) -> Provider<'a> {
        Provider { recommended: self.recommended.clone(), ..Provider::new(self.pool, self.index) }
    }

    /// From now on prefers what `ids` recommend; whether that can change anything.
    pub(super) fn prefer_recommended_by(&self, ids: &[PackageId]) -> bool {
        let recommends = ids.iter().flat_map(|&id| &self.pool.package(id).recommends);
        let clauses =
            recommends.filter_map(|one| formula::clauses(self.pool, self.index, one, false)).flatten();
        let recommended: HashSet<PackageId> = clauses.flat_map(|clause| clause.have).collect();
        let changes = recommended.iter().any(|id| !ids.contains(id));
        self.recommended.replace(recommended);
        changes
    }

    /// A dependency that does not hold in `ids`.
    pub(super) fn broken(&self, ids: &[PackageId]) -> Option<String> {
        let installed: HashSet<PackageId> = ids.iter().copied().collect();
        let pool = self.pool;
        ids.iter().find_map(|&id| {
            let package = pool.package(id);
            if let Some(clause) = self.clauses(id).iter().find(|clause| !clause.holds(&installed)) {
                let names: Vec<_> = clause.have.iter().map(|&id| pool.nevra(id)).collect();
                return Some(format!("{} without any of {}", pool.nevra(id), names.join(", ")));
            }
            let others = || ids.iter().filter(|&&other| other != id);
            let obsoleted =
                package.obsoletes.iter().find_map(|o| others().find(|&&other| pool.is_named(other, o)));
            let conflicting = package.conflicts.iter().find_map(|conflict| {
                let hit = formula::clauses(pool, self.index, conflict, false)?;
                let plain = hit.iter().all(|clause| clause.lack.is_empty());
                others().find(|&other| plain && hit.iter().all(|clause| clause.have.contains(other)))
            });
            let other = obsoleted.or(conflicting)?;
            Some(format!("{} beside {}", pool.nevra(id), pool.nevra(*other)))
        })
    }

    /// The package of a solvable.
    pub(super) fn package(&self, id: SolvableId) -> PackageId {
        self.solver.resolve_solvable(id).record.0
    }

    /// The solvable of a package.
    pub(super) fn solvable(&self, id: PackageId) -> SolvableId {
        self.solvables[id as usize]
    }

    /// The text of the dependency a requirement was made from.
    pub(super) fn requirement_text(&self, requirement: &Requirement) -> String {
        let set = match requirement {
            Requirement::Single(id) => Some(*id),
            Requirement::Union(id) => self.solver.resolve_version_set_union(*id).next(),
        };
        set.map(|id| self.version_set_text(id)).unwrap_or_default()
    }

    /// The text of the dependency a version set was made from.
    pub(super) fn version_set_text(&self, id: VersionSetId) -> String {
        self.solver.resolve_version_set(id).text.to_string()
    }

    /// What a package requires, as clauses that do not count the package itself.
    pub(super) fn clauses(&self, id: PackageId) -> Vec<Clause> {
        let requires = &self.pool.package(id).requires;
        let clauses = requires.iter().filter_map(|one| formula::clauses(self.pool, self.index, one, false));
        clauses.flatten().filter_map(|clause| clause.seen_from(id)).collect()
    }

    /// A requirement for one of `ids`.
    pub(super) fn requirement(&self, ids: &[PackageId], text: &str) -> Option<ConditionalRequirement> {
        let sets = self.sets(ids, text);
        let (&first, rest) = sets.split_first()?;
        Some(if rest.is_empty() {
            first.into()
        } else {
            self.solver.intern_version_set_union(first, rest.iter().copied()).into()
        })
    }

    /// The package to take first.
    pub(super) fn first(&self, ids: &[PackageId]) -> Option<PackageId> {
        let set = *self.sets(ids, "").first()?;
        let mut ids = self.solver.resolve_version_set(set).ids.to_vec();
        self.prefer(&mut ids);
        ids.first().copied()
    }

    /// One version set per name, best name first.
    fn sets(&self, ids: &[PackageId], text: &str) -> Vec<VersionSetId> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        self.prefer(&mut ids);
        let mut groups: Vec<(Sym, Vec<PackageId>)> = Vec::new();
        for id in ids {
            let name = self.pool.package(id).name;
            match groups.iter_mut().find(|(known, _)| *known == name) {
                Some((_, group)) => group.push(id),
                None => groups.push((name, vec![id])),
            }
        }
        self.put_obsoleters_first(&mut groups);
        groups
            .into_iter()
            .map(|(name, mut group)| {
                group.sort_unstable();
                let name = self.solver.intern_package_name(Name::Package(name));
                self.solver.intern_version_set(name, Set { ids: group.into(), text: text.into() })
            })
            .collect()
    }

    /// Sorts by what to try first.
    pub(super) fn prefer(&self, ids: &mut [PackageId]) {
        ids.sort_by(|&a, &b| {
            let (pa, pb) = (self.pool.package(a), self.pool.package(b));
            let (ra, rb) = (&self.pool.repos[pa.repo], &self.pool.repos[pb.repo]);
            let recommended = self.recommended.borrow();
            ra.priority
                .cmp(&rb.priority)
                .then(recommended.contains(&b).cmp(&recommended.contains(&a)))
                .then_with(|| self.pool.text(pa.name).cmp(self.pool.text(pb.name)))
                .then_with(|| self.pool.compare(&pb.evr, &pa.evr))
                .then(ra.cost.cmp(&rb.cost))
                .then(a.cmp(&b))
        });
    }

    fn put_obsoleters_first(&self, groups: &mut [(Sym, Vec<PackageId>)]) {
        // each group is its best package; few providers, so the square does not matter
        for _ in 0..groups.len() {
            let mut moved = false;
            for later in 1..groups.len() {
                let winner = groups[later].1[0];
                let loser = (0..later).find(|&earlier| self.obsoletes(winner, groups[earlier].1[0]));
                if let Some(earlier) = loser {
                    groups[earlier..=later].rotate_right(1);
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
    }

    fn obsoletes(&self, winner: PackageId, loser: PackageId) -> bool {
        self.pool.package(winner).obsoletes.iter().any(|obsoleted| self.pool.is_named(loser, obsoleted))
    }

    pub(super) fn require(&self, id: PackageId, dependency: &Dependency, known: &mut KnownDependencies) {
        let name = self.pool.text(dependency.name);
        if name.starts_with("rpmlib(") {
            if !RPMLIB.contains(&name) {
                known.requirements.push(self.nothing(&self.pool.dependency_text(dependency)).into());
            }
            return;
        }
        let text = self.pool.dependency_text(dependency);
        match formula::clauses(self.pool, self.index, dependency, false) {
            Some(clauses) => {
                for clause in clauses.into_iter().filter_map(|clause| clause.seen_from(id)) {
                    self.add(clause, &text, known);
                }
            }
            None => known.requirements.push(self.nothing(&format!("{text} (not understood)")).into()),
        }
    }

    pub(super) fn conflict(&self, id: PackageId, dependency: &Dependency, known: &mut KnownDependencies) {
        let text = self.pool.dependency_text(dependency);
        // a rich conflict that is not understood cannot be violated knowingly
        let clauses = formula::clauses(self.pool, self.index, dependency, true).unwrap_or_default();
        for mut clause in clauses {
            // no package conflicts with itself
            for set in &mut clause.lack {
                set.retain(|&other| other != id);
            }
            if let Some(clause) = clause.seen_from(id) {
                self.add(clause, &format!("conflicts with {text}"), known);
            }
        }
    }

    pub(super) fn obsolete(&self, id: PackageId, dependency: &Dependency, known: &mut KnownDependencies) {
        let text = format!("obsoletes {}", self.pool.dependency_text(dependency));
        let hit: Vec<PackageId> = self
            .index
            .named(dependency.name)
            .iter()
            .copied()
            .filter(|&other| other != id && self.pool.is_named(other, dependency))
            .collect();
        self.forbid(&hit, &text, known);
    }

    fn add(&self, clause: Clause, text: &str, known: &mut KnownDependencies) {
        if clause.have.is_empty() && clause.lack.len() == 1 {
            return self.forbid(&clause.lack[0], text, known);
        }
        let requirement = match self.requirement(&clause.have, text) {
            Some(requirement) => requirement.requirement,
            None => self.nothing(text),
        };
        let condition = clause
            .lack
            .iter()
            .map(|set| {
                let parts =
                    self.sets(set, text).into_iter().map(|set| self.condition(Condition::Requirement(set)));
                self.combine(LogicalOperator::Or, parts)
            })
            .collect::<Option<Vec<_>>>()
            .and_then(|sets| self.combine(LogicalOperator::And, sets.into_iter()));
        known.requirements.push(match condition {
            Some(condition) => requirement.with_condition(condition),
            None => requirement.into(),
        });
    }

    fn combine(
        &self,
        operator: LogicalOperator,
        parts: impl Iterator<Item = ConditionId>,
    ) -> Option<ConditionId> {
        parts.reduce(|left, right| self.condition(Condition::Binary(operator, left, right)))
    }

    fn condition(&self, condition: Condition) -> ConditionId {
        self.solver.intern_condition(condition)
    }

    /// Allows of each name in `hit` only the packages that are not hit.
    fn forbid(&self, hit: &[PackageId], text: &str, known: &mut KnownDependencies) {
        let mut names: Vec<Sym> = hit.iter().map(|&id| self.pool.package(id).name).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let rest: Rc<[PackageId]> =
                self.index.named(name).iter().copied().filter(|id| !hit.contains(id)).collect();
            let name = self.solver.intern_package_name(Name::Package(name));
            known.constrains.push(self.solver.intern_version_set(name, Set { ids: rest, text: text.into() }));
        }
    }

    /// A requirement that nothing satisfies.
    fn nothing(&self, text: &str) -> Requirement {
        let name = self.solver.intern_package_name(Name::Nothing(text.into()));
        self.solver.intern_version_set(name, Set { ids: Rc::new([]), text: text.into() }).into()
    }

    /// Whether several versions of a name may be installed beside each other.
    pub(super) fn installs_in_parallel(&self, name: Sym) -> bool {
        self.index.named(name).iter().any(|&id| {
            self.pool.package(id).provides.iter().any(|provided| {
                let text = self.pool.text(provided.name);
                text.starts_with("installonlypkg(") || text == "multiversion(kernel)" || text == "kernel"
            })
        })
    }
}
