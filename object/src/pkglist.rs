//! The list of packages in a commit (`rpmostree.rpmdb.pkglist`) and the difference of two lists.

use crate::error::{Error, Result};
use crate::variant::Value;
use std::cmp::Ordering;
use std::fmt;

/// One package: `(sssss)` in the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Epoch as text, `0` where there is none.
    pub epoch: String,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture.
    pub arch: String,
}

impl Package {
    /// `[epoch:]version-release`, without an epoch of 0.
    pub fn evr(&self) -> String {
        let Package { epoch, version, release, .. } = self;
        if epoch.is_empty() || epoch == "0" {
            format!("{version}-{release}")
        } else {
            format!("{epoch}:{version}-{release}")
        }
    }

    /// Orders two packages by epoch, version and release as RPM does.
    pub fn cmp_evr(&self, other: &Package) -> Ordering {
        let epoch =
            |package: &Package| if package.epoch.is_empty() { "0".into() } else { package.epoch.clone() };
        rpm_version_cmp(&epoch(self), &epoch(other))
            .then_with(|| rpm_version_cmp(&self.version, &other.version))
            .then_with(|| rpm_version_cmp(&self.release, &other.release))
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.{}", self.name, self.evr(), self.arch)
    }
}

/// Reads `a(sssss)`.
pub fn decode(value: &Value) -> Result<Vec<Package>> {
    let bad = || Error::malformed("package list", "type", "a(sssss)", value.type_string());
    let items = match value {
        Value::Array { element, items } if element == "(sssss)" => items,
        _ => return Err(bad()),
    };
    items
        .iter()
        .map(|item| {
            let texts =
                item.items().unwrap_or_default().iter().map(Value::as_str).collect::<Option<Vec<_>>>();
            match texts.as_deref() {
                Some([name, epoch, version, release, arch]) => {
                    let [name, epoch, version, release, arch] =
                        [name, epoch, version, release, arch].map(|text| (*text).to_owned());
                    Ok(Package { name, epoch, version, release, arch })
                }
                _ => Err(bad()),
            }
        })
        .collect()
}

/// Writes `a(sssss)` in the order given; rpm-ostree sorts by name.
pub fn encode(packages: &[Package]) -> Value {
    let items = packages
        .iter()
        .map(|package| {
            let Package { name, epoch, version, release, arch } = package;
            Value::Tuple([name, epoch, version, release, arch].map(|text| Value::str(text.as_str())).into())
        })
        .collect();
    Value::Array { element: "(sssss)".into(), items }
}

/// What changes from one list to another, each part ascending by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageDiff {
    /// Only in the new list.
    pub added: Vec<Package>,
    /// Only in the old list.
    pub removed: Vec<Package>,
    /// Old and new, where the new one is higher.
    pub upgraded: Vec<(Package, Package)>,
    /// Old and new, where the new one is lower.
    pub downgraded: Vec<(Package, Package)>,
}

impl PackageDiff {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == PackageDiff::default()
    }
}

/// Compares two lists. Packages pair by name and architecture; where several versions of one are installed, those
/// that are in both lists are left out first.
pub fn diff(old: &[Package], new: &[Package]) -> PackageDiff {
    let only_in = |these: &[Package], others: &[Package]| {
        let mut others: Vec<&Package> = others.iter().collect();
        others.sort_unstable();
        let mut rest: Vec<Package> =
            these.iter().filter(|package| others.binary_search(package).is_err()).cloned().collect();
        rest.sort_by(|a, b| (&a.name, &a.arch).cmp(&(&b.name, &b.arch)).then_with(|| a.cmp_evr(b)));
        rest
    };
    let mut diff = PackageDiff { removed: only_in(old, new), ..PackageDiff::default() };
    for package in only_in(new, old) {
        let same = |before: &Package| before.name == package.name && before.arch == package.arch;
        match diff.removed.iter().position(same) {
            None => diff.added.push(package),
            Some(index) => {
                let before = diff.removed.remove(index);
                match before.cmp_evr(&package) {
                    Ordering::Greater => diff.downgraded.push((before, package)),
                    _ => diff.upgraded.push((before, package)),
                }
            }
        }
    }
    diff
}

/// Compares two versions or releases as `rpmvercmp` does: runs of digits by number, runs of letters by bytes, `~`
/// before everything, `^` after the end but before anything else.
pub fn rpm_version_cmp(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    loop {
        let separator = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'~' && *byte != b'^';
        left = skip(left, separator);
        right = skip(right, separator);
        match (left.first(), right.first()) {
            (None, None) => return Ordering::Equal,
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                left = left.get(1..).unwrap_or_default();
                right = right.get(1..).unwrap_or_default();
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), _) => return Ordering::Less,
            (_, Some(b'^')) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(first), Some(_)) => {
                let digits = first.is_ascii_digit();
                let kind =
                    |byte: &u8| if digits { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
                let (run_left, rest_left) = left.split_at(run(left, kind));
                let (run_right, rest_right) = right.split_at(run(right, kind));
                if run_right.is_empty() {
                    return if digits { Ordering::Greater } else { Ordering::Less };
                }
                let order = if digits { cmp_numbers(run_left, run_right) } else { run_left.cmp(run_right) };
                if order != Ordering::Equal {
                    return order;
                }
                (left, right) = (rest_left, rest_right);
            }
        }
    }
}

fn run(bytes: &[u8], kind: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| kind(byte)).count()
}

fn skip(bytes: &[u8], kind: impl Fn(&u8) -> bool) -> &[u8] {
    bytes.get(run(bytes, kind)..).unwrap_or_default()
}

fn cmp_numbers(left: &[u8], right: &[u8]) -> Ordering {
    let (left, right) = (skip(left, |byte| *byte == b'0'), skip(right, |byte| *byte == b'0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Package {
        let [epoch, release, arch] = ["0", "1", "x86_64"].map(str::to_owned);
        Package { name: name.into(), epoch, version: version.into(), release, arch }
    }

    #[test]
    fn compares_versions_as_rpm_does() {
        for (low, high) in [
            ("1.0", "1.1"),
            ("1.9", "1.10"),
            ("1.0~rc1", "1.0"),
            ("1.0", "1.0^git1"),
            ("1.0^git1", "1.0.1"),
            ("1.0a", "1.0.1"),
            ("a", "1"),
            ("1", "1.0"),
            ("1.0~~", "1.0~"),
            ("2.50", "10.0001"),
        ] {
            assert_eq!(rpm_version_cmp(low, high), Ordering::Less, "{low} {high}");
            assert_eq!(rpm_version_cmp(high, low), Ordering::Greater, "{high} {low}");
        }
        for (left, right) in [("1.0", "1_0"), ("1.01", "1.1"), ("", "")] {
            assert_eq!(rpm_version_cmp(left, right), Ordering::Equal, "{left} {right}");
        }
    }

    #[test]
    fn lists_go_there_and_back() {
        let list = vec![package("a", "1"), package("b", "2")];
        assert_eq!(decode(&encode(&list)), Ok(list));
        assert_eq!(encode(&[]).type_string(), "a(sssss)");
        assert!(decode(&Value::strv(["a"])).is_err());
    }

    #[test]
    fn differences_pair_by_name() {
        let old = [
            package("down", "2"),
            package("gone", "1"),
            package("kernel", "1"),
            package("kernel", "2"),
            package("up", "1"),
        ];
        let new = [
            package("down", "1"),
            package("kernel", "2"),
            package("kernel", "3"),
            package("new", "1"),
            package("up", "2"),
        ];
        let diff = diff(&old, &new);
        assert_eq!(diff.added, [package("new", "1")]);
        assert_eq!(diff.removed, [package("gone", "1")]);
        assert_eq!(
            diff.upgraded,
            [(package("kernel", "1"), package("kernel", "3")), (package("up", "1"), package("up", "2"))]
        );
        assert_eq!(diff.downgraded, [(package("down", "2"), package("down", "1"))]);
        assert!(super::diff(&old, &old).is_empty());
    }
}
