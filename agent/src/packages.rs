//! Package lists of commits (`rpmostree.rpmdb.pkglist`) and how their difference is shown.

use std::fmt::Write as _;

use rootling_object::commit::{Commit, key};
use rootling_object::pkglist::{self, Package, PackageDiff};

use crate::error::{Error, Result};
use crate::json::Json;
use crate::text::printable;

/// The packages of a commit; `None` if it was not composed from packages.
pub fn of(commit: &Commit) -> Result<Option<Vec<Package>>> {
    match commit.metadata.get(key::PKGLIST) {
        None => Ok(None),
        Some(value) => {
            pkglist::decode(value).map(Some).map_err(|error| Error::corrupt(format_args!("{error}")))
        }
    }
}

/// What changes from one commit to another; `None` if one of them has no list.
pub fn between(old: &Commit, new: &Commit) -> Result<Option<PackageDiff>> {
    match (of(old)?, of(new)?) {
        (Some(old), Some(new)) => Ok(Some(pkglist::diff(&old, &new))),
        _ => Ok(None),
    }
}

/// Sections as `rpm-ostree db diff` prints them; empty if nothing changes.
pub fn text(diff: &PackageDiff) -> String {
    let mut out = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(out, "{title}:");
            for line in lines {
                let _ = writeln!(out, "  {}", printable(&line));
            }
        }
    };
    let arrow = |(old, new): &(Package, Package)| format!("{} {} -> {}", old.name, old.evr(), new.evr());
    let whole = |package: &Package| format!("{}-{}.{}", package.name, package.evr(), package.arch);
    section("Upgraded", diff.upgraded.iter().map(arrow).collect());
    section("Downgraded", diff.downgraded.iter().map(arrow).collect());
    section("Removed", diff.removed.iter().map(whole).collect());
    section("Added", diff.added.iter().map(whole).collect());
    out
}

/// One JSON object with `upgraded`, `downgraded`, `removed` and `added`.
pub fn json(event: &str, diff: &PackageDiff) -> String {
    let pairs = |j: &mut Json, pairs: &[(Package, Package)]| {
        for (old, new) in pairs {
            j.item(|j| {
                j.str("name", &new.name);
                j.str("arch", &new.arch);
                j.str("from", &old.evr());
                j.str("to", &new.evr());
            });
        }
    };
    let singles = |j: &mut Json, packages: &[Package]| {
        for package in packages {
            j.item(|j| {
                j.str("name", &package.name);
                j.str("arch", &package.arch);
                j.str("evr", &package.evr());
            });
        }
    };
    Json::object(|j| {
        j.str("event", event);
        j.list("upgraded", |j| pairs(j, &diff.upgraded));
        j.list("downgraded", |j| pairs(j, &diff.downgraded));
        j.list("removed", |j| singles(j, &diff.removed));
        j.list("added", |j| singles(j, &diff.added));
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Package {
        let text = str::to_owned;
        Package {
            name: text(name),
            epoch: text("0"),
            version: text(version),
            release: text("1"),
            arch: text("x86_64"),
        }
    }

    #[test]
    fn shows_each_kind_of_change_once() {
        let old = [package("a", "1"), package("b", "2"), package("c", "1"), package("same", "1")];
        let new = [package("a", "2"), package("b", "1"), package("d", "1"), package("same", "1")];
        let diff = pkglist::diff(&old, &new);
        assert_eq!(
            text(&diff),
            "Upgraded:\n  a 1-1 -> 2-1\nDowngraded:\n  b 2-1 -> 1-1\nRemoved:\n  c-1-1.x86_64\nAdded:\n  d-1-1.x86_64\n"
        );
        assert!(json("packages", &diff).starts_with(
            r#"{"event":"packages","upgraded":[{"name":"a","arch":"x86_64","from":"1-1","to":"2-1"}]"#
        ));
        assert_eq!(text(&pkglist::diff(&old, &old)), "");
    }
}
