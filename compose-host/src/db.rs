//! `db list` and `db diff`: the packages that commits say they hold.

use anyhow::{Context, Result};
use rootling_object::commit::key;
use rootling_object::pkglist::{self, Package};
use rootling_object::{Checksum, Commit};
use rootling_store::Repo;

/// The packages of a commit.
pub fn packages(commit: &Commit) -> Result<Vec<Package>> {
    let value =
        commit.metadata.get(key::PKGLIST).with_context(|| format!("the commit has no {}", key::PKGLIST))?;
    Ok(pkglist::decode(value)?)
}

/// The packages of each revision, as text.
pub fn list(repo: &Repo, revisions: &[String]) -> Result<String> {
    let mut out = String::new();
    for revision in revisions {
        let (checksum, packages) = load(repo, revision)?;
        out += &format!("ostree commit: {revision} ({checksum})\n");
        for package in packages {
            out += &format!(" {package}\n");
        }
    }
    Ok(out)
}

/// What changes between two revisions, as text.
pub fn diff(repo: &Repo, from: &str, to: &str) -> Result<String> {
    let ((old_checksum, old), (new_checksum, new)) = (load(repo, from)?, load(repo, to)?);
    let mut out = format!(
        "ostree diff commit from: {from} ({old_checksum})\nostree diff commit to:   {to} ({new_checksum})\n"
    );
    let diff = pkglist::diff(&old, &new);
    for (title, pairs) in [("Upgraded", &diff.upgraded), ("Downgraded", &diff.downgraded)] {
        section(&mut out, title, pairs.iter().map(|(a, b)| format!("{} {} -> {}", a.name, a.evr(), b.evr())));
    }
    for (title, packages) in [("Removed", &diff.removed), ("Added", &diff.added)] {
        section(&mut out, title, packages.iter().map(Package::to_string));
    }
    Ok(out)
}

fn section(out: &mut String, title: &str, lines: impl ExactSizeIterator<Item = String>) {
    if lines.len() > 0 {
        *out += &format!("{title}:\n");
        lines.for_each(|line| *out += &format!("  {line}\n"));
    }
}

fn load(repo: &Repo, revision: &str) -> Result<(Checksum, Vec<Package>)> {
    let checksum = repo.resolve(revision)?;
    let packages = packages(&repo.load_commit(&checksum)?).with_context(|| format!("commit {revision}"))?;
    Ok((checksum, packages))
}
