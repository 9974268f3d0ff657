//! Debian relation fields to RPM dependencies.
//!
//! `a (>= 1) | b:any, c` is two dependencies: the rich `(a >= 1 or b)` and `c` (Debian Policy 7.1; rich
//! dependencies: rpm's `docs/manual/more_dependencies.md`). Architecture qualifiers are dropped: one RPM
//! repository holds one architecture.

use rpm::{Dependency, DependencyFlags};

use super::version::{RpmVersion, operator};

/// One alternative of a relation: a name and perhaps a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Package or virtual package name, without qualifier.
    pub name: String,
    /// RPM operator and version.
    pub version: Option<(&'static str, RpmVersion)>,
}

impl Bound {
    fn parse(text: &str) -> Option<Bound> {
        let text = text.split('[').next()?.trim();
        let (name, bound) = match text.split_once('(') {
            Some((name, bound)) => (name.trim(), Some(bound.trim_end_matches(')').trim())),
            None => (text, None),
        };
        let name = name.split(':').next()?.trim();
        if name.is_empty() {
            return None;
        }
        let version = bound.and_then(|bound| {
            let at = bound.find(|c: char| !"<>=".contains(c))?;
            Some(limit(&bound[..at], RpmVersion::parse(bound[at..].trim())))
        });
        Some(Bound { name: name.to_owned(), version })
    }

    /// As a dependency of its own.
    pub fn dependency(&self) -> Dependency {
        match &self.version {
            None => Dependency::any(&self.name),
            Some((operator, version)) => {
                let (name, version) = (self.name.clone(), version.to_string());
                match *operator {
                    "<" => Dependency::less(name, version),
                    "<=" => Dependency::less_eq(name, version),
                    "=" => Dependency::eq(name, version),
                    ">" => Dependency::greater(name, version),
                    _ => Dependency::greater_eq(name, version),
                }
            }
        }
    }
}

/// RPM's operator and version for Debian's.
///
/// Debian's `<< 1.2-.` and `<< 1.2-~` style revisions hold no letter or digit; the first sorts after all revisions of
/// 1.2 and is written `<= 1.2`, since RPM ignores such characters.
fn limit(debian: &str, version: RpmVersion) -> (&'static str, RpmVersion) {
    match version.release.as_deref() {
        Some(release) if debian == "<<" && release.chars().all(|c| ".+".contains(c)) => {
            ("<=", RpmVersion { release: None, ..version })
        }
        release => (operator(debian, release.is_some()), version),
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        self.version.as_ref().map_or(Ok(()), |(operator, version)| write!(f, " {operator} {version}"))
    }
}

/// A relation field: all must hold, of each at least one alternative.
pub type Relations = Vec<Vec<Bound>>;

/// Splits a relation field.
pub fn parse(field: &str) -> Relations {
    let groups = field.split(',').map(|group| group.split('|').filter_map(Bound::parse).collect());
    groups.filter(|group: &Vec<Bound>| !group.is_empty()).collect()
}

/// RPM dependencies of a relation field; alternatives become one rich dependency.
pub fn dependencies(relations: &Relations) -> Vec<Dependency> {
    let one = |group: &Vec<Bound>| match group.as_slice() {
        [bound] => bound.dependency(),
        many => {
            let text: Vec<String> = many.iter().map(Bound::to_string).collect();
            Dependency::any(format!("({})", text.join(" or ")))
        }
    };
    relations.iter().map(one).collect()
}

/// What the `Provides` field of a package of version `own` provides.
///
/// A name without a version gets the package's own: in Debian a bare `Provides` never meets a bounded relation, in RPM
/// it meets all, so that `Breaks: perl-modules (<< 5.36)` would drive away the very package that replaced it.
pub fn provides(relations: &Relations, own: &RpmVersion) -> Vec<Dependency> {
    let one = |bound: &Bound| match bound.version {
        Some(_) => bound.dependency(),
        None => Dependency::eq(&bound.name, own.to_string()),
    };
    relations.iter().flatten().map(one).collect()
}

/// The dependencies of `relations` with a scriptlet phase (`Requires(pre)` and the like).
pub fn with_phase(dependencies: Vec<Dependency>, phase: DependencyFlags) -> Vec<Dependency> {
    let mark = |mut dependency: Dependency| {
        dependency.flags |= phase;
        dependency
    };
    dependencies.into_iter().map(mark).collect()
}

/// What `Replaces` means for RPM: an obsoleted name.
///
/// In Debian `Replaces` alone is about files that changed owner, which RPM needs no word for. Only together with
/// `Conflicts` or `Breaks` and `Provides` of the same name it says that the package takes the other's place
/// (Debian Policy 7.6.2); it is kept to bounded relations, since an RPM `Obsoletes` without one also drives away
/// packages that a user asked for (all mail servers replace each other).
pub fn obsoletes(replaces: &Relations, against: &Relations, provides: &Relations) -> Vec<Dependency> {
    let names =
        |relations: &Relations, name: &str| relations.iter().flatten().any(|bound| bound.name == name);
    let taken = replaces.iter().flatten().filter(|bound| {
        bound.version.is_some() && names(against, &bound.name) && names(provides, &bound.name)
    });
    taken.map(Bound::dependency).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_relation_fields() {
        for (field, expected) in [
            ("libc6 (>= 2.34), libselinux1 (>= 3.1~)", "libc6 >= 2.34|libselinux1 >= 3.1~"),
            ("python3:any (>= 3.7)", "python3 >= 3.7"),
            ("debconf (>= 0.5) | debconf-2.0", "(debconf >= 0.5 or debconf-2.0)"),
            ("a (<< 1:2-3), b (= 4), c (>> 5), d (>> 5-1)", "a < 1:2-3|b = 4|c >= 5|d > 5-1"),
            ("", ""),
            ("git-man (<< 1:2.39.5-.)", "git-man <= 1:2.39.5"),
            (" x [amd64] ,", "x"),
        ] {
            let text: Vec<String> = dependencies(&parse(field)).iter().map(ToString::to_string).collect();
            assert_eq!(text.join("|"), expected, "{field}");
        }
    }

    #[test]
    fn provides_carry_a_version() {
        let own = RpmVersion::parse("1:5.36.0-7");
        let text: Vec<String> =
            provides(&parse("a, b (= 3)"), &own).iter().map(ToString::to_string).collect();
        assert_eq!(text, ["a = 1:5.36.0-7", "b = 3"]);
    }

    #[test]
    fn obsoletes_only_what_is_bounded_replaced_fought_and_provided() {
        let both = parse("old (<< 2-1), file-owner (<< 3), mta");
        for (against, provides, expected) in [
            ("old (<< 2-1), mta", "old, mta", vec!["old < 2-1"]),
            ("old (<< 2-1)", "", vec![]),
            ("", "old", vec![]),
            ("mta", "mta", vec![]),
        ] {
            let found = obsoletes(&both, &parse(against), &parse(provides));
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{against}");
        }
    }
}
