//! Which entry systemd-boot boots: the first in its order.
//!
//! Bad entries last; entries with a `sort-key` first and by it, then by `machine-id`, then the highest `version`
//! first; all others by file name, the highest first. Versions compare as UAPI.10 lays down. Source: the Boot
//! Loader Specification; proved against `systemd-analyze compare-versions`.

use super::name::CountedName;
use crate::entry::Entry;
use std::cmp::Ordering;

/// An entry and its file name.
pub type Listed = (CountedName, Entry);

/// The order in which the menu shows two entries.
pub fn boot_order(a: &Listed, b: &Listed) -> Ordering {
    let ((name_a, a), (name_b, b)) = (a, b);
    let bad = name_a.is_bad().cmp(&name_b.is_bad());
    let keyed = match (a.get("sort-key"), b.get("sort-key")) {
        (Some(key_a), Some(key_b)) => {
            let by_text = |key| a.get(key).unwrap_or_default().cmp(b.get(key).unwrap_or_default());
            let version = |entry: &Entry| entry.get("version").unwrap_or_default().to_string();
            let versions = version_order(&version(b), &version(a));
            key_a.cmp(key_b).then_with(|| by_text("machine-id")).then(versions)
        }
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    let left = |name: &CountedName| name.counter.map(|counter| counter.left);
    bad.then(keyed)
        .then_with(|| version_order(&name_b.good().to_string(), &name_a.good().to_string()))
        .then_with(|| left(name_b).cmp(&left(name_a)))
}

/// Compares two versions: `~` before everything, then the end, `-`, `^`, `.`, letters; digits as numbers.
pub fn version_order(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        (a, b) = (meaningful(a), meaningful(b));
        let lower = below(&mut a, &mut b, '~');
        if lower.is_ne() || a.is_empty() || b.is_empty() {
            return lower.then(b.is_empty().cmp(&a.is_empty()));
        }
        for mark in ['-', '^', '.'] {
            let lower = below(&mut a, &mut b, mark);
            if lower.is_ne() {
                return lower;
            }
        }
        let digit = |c: char| c.is_ascii_digit();
        let belongs: fn(char) -> bool = if a.starts_with(digit) || b.starts_with(digit) {
            |c| c.is_ascii_digit()
        } else {
            |c| c.is_ascii_alphabetic()
        };
        let ((run_a, rest_a), (run_b, rest_b)) = (split(a, belongs), split(b, belongs));
        let order = match belongs('0') {
            true => run_b.is_empty().cmp(&run_a.is_empty()).then_with(|| compare_numbers(run_a, run_b)),
            false => run_a.cmp(run_b),
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

/// The one that goes on with a mark is the lower; where both do, it is read over.
fn below(a: &mut &str, b: &mut &str, mark: char) -> Ordering {
    match (a.strip_prefix(mark), b.strip_prefix(mark)) {
        (Some(rest_a), Some(rest_b)) => {
            (*a, *b) = (rest_a, rest_b);
            Ordering::Equal
        }
        (marked_a, marked_b) => marked_b.is_some().cmp(&marked_a.is_some()),
    }
}

/// Numbers of any length, zeros in front without meaning.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn meaningful(text: &str) -> &str {
    text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '~' | '^'))
}

fn split(text: &str, belongs: fn(char) -> bool) -> (&str, &str) {
    let rest = text.trim_start_matches(belongs);
    (text.strip_suffix(rest).unwrap_or_default(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rise() {
        let chain = "122.1 123~rc1-1 123 123-a 123-a.1 123-1 123-1.1 123^post1 123.a-1 123.1-1 123a-1 124-1";
        let chain: Vec<&str> = chain.split(' ').collect();
        for (i, a) in chain.iter().enumerate() {
            for (j, b) in chain.iter().enumerate() {
                assert_eq!(version_order(a, b), i.cmp(&j), "{a} against {b}");
            }
        }
    }

    #[test]
    fn the_highest_good_entry_comes_first() {
        let listed = |name: &str, text: &str| (CountedName::parse(name).unwrap(), Entry::parse(text));
        let mut list = [
            listed("ostree-9+0-3.conf", ""),
            listed("ostree-2.conf", ""),
            listed("ostree-10+02-01.conf", ""),
            listed("a.conf", "sort-key x\nversion 1\n"),
            listed("b.conf", "sort-key x\nversion 2\n"),
            listed("c.conf", "sort-key w\nversion 0\n"),
        ];
        list.sort_by(boot_order);
        let names: Vec<String> = list.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(
            names,
            ["c.conf", "b.conf", "a.conf", "ostree-10+02-01.conf", "ostree-2.conf", "ostree-9+0-3.conf"]
        );
    }
}
