//! Which commits a device may come from, and where it goes.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use rootling_object::{Checksum, ObjectKind, ObjectName};
use rootling_store::Repo;

use super::trees::check_whole;

/// What was asked for.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// From one revision, or from the parent, to another.
    One {
        /// `None`: the parent of `to`.
        from: Option<String>,
        /// Where to.
        to: String,
    },
    /// From nothing.
    Empty {
        /// Where to.
        to: String,
    },
    /// To what each ref names now, from that many commits before it.
    Last(usize),
    /// To what each ref names now, from all commits in the history of any ref.
    Matrix,
}

/// A delta to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Where to.
    pub to: Checksum,
    /// Where from; `None` for nothing.
    pub from: Option<Checksum>,
}

/// The pairs in a fixed order; a commit that is missing or partial is refused by name.
pub fn pairs(repo: &Repo, wanted: &Wanted) -> Result<Vec<Pair>> {
    let pairs: BTreeSet<Pair> = match wanted {
        Wanted::Empty { to } => [Pair { to: repo.resolve(to)?, from: None }].into(),
        Wanted::One { from, to } => {
            let to = repo.resolve(to)?;
            let from = match from {
                Some(from) => repo.resolve(from)?,
                None => repo.load_commit(&to)?.parent.with_context(|| {
                    format!("commit {to} has no parent: name one with --from, or use --empty")
                })?,
            };
            if from == to {
                bail!("--from and --to both name commit {to}");
            }
            [Pair { to, from: Some(from) }].into()
        }
        Wanted::Last(count) => {
            let mut pairs = BTreeSet::new();
            for (_, to) in repo.list_refs()? {
                let history = history(repo, to)?;
                pairs.extend(history.iter().skip(1).take(*count).map(|from| Pair { to, from: Some(*from) }));
            }
            pairs
        }
        Wanted::Matrix => {
            let tips: BTreeSet<Checksum> = repo.list_refs()?.into_iter().map(|(_, tip)| tip).collect();
            let mut all = BTreeSet::new();
            for tip in &tips {
                all.extend(history(repo, *tip)?);
            }
            let from = |to: Checksum| all.iter().filter(move |from| **from != to);
            tips.iter().flat_map(|to| from(*to).map(|from| Pair { to: *to, from: Some(*from) })).collect()
        }
    };
    for pair in &pairs {
        check_whole(repo, &pair.to)?;
        pair.from.iter().try_for_each(|from| check_whole(repo, from))?;
    }
    Ok(pairs.into_iter().collect())
}

/// A commit and its ancestors as far as the repo has them whole.
fn history(repo: &Repo, tip: Checksum) -> Result<Vec<Checksum>> {
    let mut all = vec![tip];
    let mut next = repo.load_commit(&tip)?.parent;
    while let Some(commit) = next {
        if !repo.has(&ObjectName::new(ObjectKind::Commit, commit)) || repo.is_partial(&commit) {
            break;
        }
        all.push(commit);
        next = repo.load_commit(&commit)?.parent;
    }
    Ok(all)
}
