//! The transaction order: what a package needs comes before it.
//!
//! Edges, strongest first: a package that owns a symlink goes before those with files below it (`/lib` -> `usr/lib`);
//! what %pre needs; what %post and unmarked prerequisites need; all other requirements and `OrderWithRequires`; what
//! only %posttrans needs. Where packages need each other in a circle, its weakest edges give way, those of the package
//! that most others need first. Same packages, same order, however they were listed.

use crate::rpmfile::deps::{self, Dependency};
use crate::rpmfile::files::{FileType, Files};
use crate::rpmfile::{Header, Package};
use anyhow::{Context as _, Result};
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

/// How much an edge matters; only used to break circles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Late,
    Plain,
    Post,
    Pre,
    Link,
}

/// For each package, what it must come after.
type Edges = Vec<HashMap<usize, Strength>>;

/// The order in which packages are unpacked and their scriptlets run, as indices into `packages`.
pub fn order(packages: &[Package]) -> Result<Vec<usize>> {
    let mut by_name: Vec<usize> = (0..packages.len()).collect();
    by_name.sort_by(|a, b| packages[*a].nevra.cmp(&packages[*b].nevra));
    let headers: Vec<&Header> = by_name.iter().map(|index| &packages[*index].header).collect();
    let files = headers.iter().zip(&by_name);
    let files =
        files.map(|(header, index)| Files::of(header).with_context(|| packages[*index].nevra.to_string()));
    let files = files.collect::<Result<Vec<_>>>()?;
    let sorted = sort(&edges(&headers, &files));
    Ok(sorted.into_iter().map(|position| by_name[position]).collect())
}

fn edges(headers: &[&Header], files: &[Files]) -> Edges {
    let provides = Provides::of(headers, files);
    let mut edges: Edges = vec![HashMap::new(); headers.len()];
    for (package, header) in headers.iter().enumerate() {
        let mut add = |dependency: &Dependency, strength: Strength| {
            let names = capabilities(&dependency.name);
            let rich = names.len() != 1 || names[0] != dependency.name;
            for name in names {
                let wanted = if rich { None } else { Some(dependency) };
                if let Some(provider) = provides.find(name, wanted, package) {
                    let edge = edges[package].entry(provider).or_insert(strength);
                    *edge = (*edge).max(strength);
                }
            }
        };
        for dependency in deps::requires(header) {
            if let Some(strength) = strength(&dependency) {
                add(&dependency, strength);
            }
        }
        for dependency in deps::order_with(header) {
            add(&dependency, Strength::Plain);
        }
    }
    link_edges(files, &mut edges);
    edges
}

fn strength(dependency: &Dependency) -> Option<Strength> {
    let flags = dependency.flags;
    if flags & (deps::RPMLIB | deps::META) != 0 || dependency.name.starts_with("rpmlib(") {
        return None;
    }
    // needed at removal only
    let removal = deps::SCRIPT_PREUN | deps::SCRIPT_POSTUN | deps::SCRIPT_VERIFY;
    Some(if flags & (deps::SCRIPT_PRE | deps::PRETRANS) != 0 {
        Strength::Pre
    } else if flags & deps::SCRIPT_POST != 0 || (flags & deps::PREREQ != 0 && flags & removal == 0) {
        Strength::Post
    } else if flags & deps::POSTTRANS != 0 {
        Strength::Late
    } else {
        Strength::Plain
    })
}

fn link_edges(files: &[Files], edges: &mut Edges) {
    let mut links: HashMap<&str, usize> = HashMap::new();
    for (package, files) in files.iter().enumerate() {
        for entry in files.entries.iter().filter(|entry| entry.kind == FileType::Symlink && !entry.ghost) {
            links.entry(&entry.path).or_insert(package);
        }
    }
    for (package, files) in files.iter().enumerate() {
        let mut directories: BTreeSet<&str> = BTreeSet::new();
        for entry in &files.entries {
            let mut path = entry.path.as_str();
            while let Some((parent, _)) = path.rsplit_once('/') {
                if parent.is_empty() || !directories.insert(parent) {
                    break;
                }
                path = parent;
            }
        }
        for owner in directories.iter().filter_map(|directory| links.get(directory)) {
            if *owner != package {
                edges[package].insert(*owner, Strength::Link);
            }
        }
    }
}

/// Capabilities and files of all packages.
struct Provides {
    names: HashMap<String, Vec<(usize, Dependency)>>,
    paths: HashMap<String, usize>,
}

impl Provides {
    fn of(headers: &[&Header], files: &[Files]) -> Provides {
        let mut names: HashMap<String, Vec<(usize, Dependency)>> = HashMap::new();
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for (package, header) in headers.iter().enumerate() {
            for provide in deps::provides(header) {
                names.entry(provide.name.clone()).or_default().push((package, provide));
            }
            let needs = deps::requires(header).into_iter().chain(deps::order_with(header));
            for need in needs {
                wanted.extend(
                    capabilities(&need.name)
                        .into_iter()
                        .filter(|name| name.starts_with('/'))
                        .map(str::to_owned),
                );
            }
        }
        let mut paths = HashMap::new();
        for (package, files) in files.iter().enumerate() {
            for entry in files.entries.iter().filter(|entry| wanted.contains(&entry.path)) {
                paths.entry(entry.path.clone()).or_insert(package);
            }
        }
        Provides { names, paths }
    }

    /// The first package, other than the one that asks, with the capability; none when that one has it itself.
    fn find(&self, name: &str, wanted: Option<&Dependency>, asking: usize) -> Option<usize> {
        let matches =
            |provide: &&(usize, Dependency)| wanted.is_none_or(|wanted| satisfies(&provide.1, wanted));
        let mut providers =
            self.names.get(name).into_iter().flatten().filter(matches).map(|(package, _)| *package);
        let first = providers.next().or_else(|| self.paths.get(name).copied())?;
        (first != asking && providers.all(|package| package != asking)).then_some(first)
    }
}

/// Names in a dependency: itself, or the operands of a rich one.
fn capabilities(name: &str) -> Vec<&str> {
    if !name.starts_with('(') {
        return vec![name];
    }
    let words = name.split_whitespace().map(|word| {
        let word = word.trim_start_matches('(');
        // the closing brackets that are not the name's own, as in `(libc.so.6()(64bit) or x)`
        let opened = word.matches('(').count();
        let excess = word.matches(')').count().saturating_sub(opened);
        &word[..word.len() - excess.min(word.len())]
    });
    let mut names = Vec::new();
    let mut version = false;
    for word in words {
        match word {
            "" | "and" | "or" | "if" | "else" | "with" | "without" | "unless" => {}
            "<" | "<=" | "=" | ">=" | ">" => version = true,
            _ if version => version = false,
            name => names.push(name),
        }
    }
    names
}

/// Whether what is offered meets what is asked; rpm's `rpmdsCompare`.
fn satisfies(provide: &Dependency, require: &Dependency) -> bool {
    const SENSE: u64 = deps::LESS | deps::GREATER | deps::EQUAL;
    let (offered, asked) = (provide.flags & SENSE, require.flags & SENSE);
    if offered == 0 || asked == 0 || provide.version.is_empty() || require.version.is_empty() {
        return true;
    }
    match compare_evr(&provide.version, &require.version) {
        Ordering::Equal => offered & asked != 0,
        Ordering::Less => asked & deps::LESS != 0 || offered & deps::GREATER != 0,
        Ordering::Greater => asked & deps::GREATER != 0 || offered & deps::LESS != 0,
    }
}

/// Releases count only when both sides have one.
fn compare_evr(a: &str, b: &str) -> Ordering {
    let parts = |evr: &str| {
        let (epoch, rest) = evr.split_once(':').unwrap_or(("0", evr));
        let (version, release) = rest.rsplit_once('-').map_or((rest, None), |(v, r)| (v, Some(r.to_owned())));
        (epoch.parse::<u64>().unwrap_or(0), version.to_owned(), release)
    };
    let (a, b) = (parts(a), parts(b));
    let versions = || rpm_version::rpm_evr_compare(&a.1, &b.1);
    a.0.cmp(&b.0).then_with(versions).then_with(|| match (&a.2, &b.2) {
        (Some(a), Some(b)) => rpm_version::rpm_evr_compare(a, b),
        _ => Ordering::Equal,
    })
}

/// Sorts topologically; nodes are in name order already.
fn sort(edges: &Edges) -> Vec<usize> {
    let mut sorted = Vec::with_capacity(edges.len());
    sort_part(&(0..edges.len()).collect::<Vec<_>>(), &mut edges.clone(), &mut sorted);
    sorted
}

fn sort_part(nodes: &[usize], edges: &mut Edges, sorted: &mut Vec<usize>) {
    let members: BTreeSet<usize> = nodes.iter().copied().collect();
    let next = |node: usize| {
        let mut next: Vec<usize> = edges[node].keys().copied().filter(|to| members.contains(to)).collect();
        next.sort_unstable();
        next
    };
    for circle in circles(nodes, next) {
        match circle.as_slice() {
            [single] => sorted.push(*single),
            _ => {
                break_circle(&circle, edges);
                sort_part(&circle, edges, sorted);
            }
        }
    }
}

/// Drops the weakest edges of a circle from the package that most packages need, so that it comes first.
fn break_circle(circle: &[usize], edges: &mut Edges) {
    let mut weakest = Strength::Link;
    let mut needed: HashMap<usize, usize> = HashMap::new();
    let inside = |edges: &Edges, from: usize| -> Vec<(usize, Strength)> {
        let list = edges[from].iter().map(|(to, strength)| (*to, *strength));
        list.filter(|(to, _)| *to != from && circle.binary_search(to).is_ok()).collect()
    };
    for from in circle {
        weakest = inside(edges, *from).iter().fold(weakest, |weakest, (_, strength)| weakest.min(*strength));
    }
    for to in edges.iter().flat_map(|edges| edges.keys()) {
        *needed.entry(*to).or_default() += 1;
    }
    let weak = |from: &&usize| inside(edges, **from).iter().any(|(_, strength)| *strength == weakest);
    // the first of equals, which are in name order
    let most =
        circle.iter().filter(weak).rev().max_by_key(|node| needed.get(node).copied().unwrap_or(0)).copied();
    if let Some(most) = most {
        edges[most].retain(|to, strength| *strength != weakest || circle.binary_search(to).is_err());
    }
}

/// Strongly connected components, each after those it has edges to (Tarjan, with a stack of its own).
fn circles(nodes: &[usize], next: impl Fn(usize) -> Vec<usize>) -> Vec<Vec<usize>> {
    struct Visit {
        node: usize,
        next: std::vec::IntoIter<usize>,
    }
    let mut number: HashMap<usize, usize> = HashMap::new();
    let mut low: HashMap<usize, usize> = HashMap::new();
    let mut open: Vec<usize> = Vec::new();
    let mut closed: BTreeSet<usize> = BTreeSet::new();
    let mut found = Vec::new();
    for start in nodes {
        if number.contains_key(start) {
            continue;
        }
        let mut path: Vec<Visit> = Vec::new();
        let mut enter = Some(*start);
        loop {
            if let Some(node) = enter.take() {
                let index = number.len();
                number.insert(node, index);
                low.insert(node, index);
                open.push(node);
                path.push(Visit { node, next: next(node).into_iter() });
            }
            let Some(visit) = path.last_mut() else { break };
            let node = visit.node;
            match visit.next.next() {
                Some(to) if !number.contains_key(&to) => enter = Some(to),
                Some(to) if !closed.contains(&to) => {
                    let reached = number[&to];
                    low.entry(node).and_modify(|low| *low = (*low).min(reached));
                }
                Some(_) => {}
                None => {
                    path.pop();
                    let reached = low[&node];
                    if let Some(parent) = path.last() {
                        low.entry(parent.node).and_modify(|low| *low = (*low).min(reached));
                    }
                    if reached == number[&node] {
                        let at = open.iter().position(|open| *open == node).unwrap_or(0);
                        let mut circle = open.split_off(at);
                        circle.sort_unstable();
                        closed.extend(&circle);
                        found.push(circle);
                    }
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(count: usize, list: &[(usize, usize, Strength)]) -> Edges {
        let mut edges = vec![HashMap::new(); count];
        for (from, to, strength) in list {
            edges[*from].insert(*to, *strength);
        }
        edges
    }

    #[test]
    fn needed_comes_first_and_names_decide_the_rest() {
        use Strength::Plain;
        assert_eq!(sort(&graph(4, &[])), [0, 1, 2, 3]);
        assert_eq!(sort(&graph(4, &[(0, 3, Plain), (3, 2, Plain)])), [2, 3, 0, 1]);
    }

    #[test]
    fn circles_break_at_their_weakest_edges() {
        use Strength::{Link, Plain, Post, Pre};
        assert_eq!(sort(&graph(2, &[(0, 1, Post), (1, 0, Plain)])), [1, 0]);
        assert_eq!(sort(&graph(2, &[(0, 1, Plain), (1, 0, Post)])), [0, 1]);
        assert_eq!(sort(&graph(2, &[(0, 1, Pre), (1, 0, Post)])), [1, 0]);
        assert_eq!(sort(&graph(2, &[(0, 1, Link), (1, 0, Pre)])), [1, 0]);
        assert_eq!(sort(&graph(3, &[(0, 1, Plain), (1, 2, Plain), (2, 0, Plain)])), [0, 2, 1]);
        // glibc: what most of the circle needs comes first
        assert_eq!(sort(&graph(3, &[(0, 2, Plain), (1, 2, Plain), (2, 0, Plain)])), [2, 0, 1]);
        // the circle as a whole still comes before what needs it, and after what it needs
        let edges = graph(4, &[(0, 1, Plain), (1, 2, Pre), (2, 1, Plain), (2, 3, Plain)]);
        assert_eq!(sort(&edges), [3, 2, 1, 0]);
    }

    #[test]
    fn finds_the_names_in_rich_dependencies() {
        for (name, expected) in [
            ("a", &["a"][..]),
            ("(a or b)", &["a", "b"]),
            ("((a >= 1.0 and b) if libc.so.6()(64bit))", &["a", "b", "libc.so.6()(64bit)"]),
            ("(libz.so.1()(64bit) or x = 2)", &["libz.so.1()(64bit)", "x"]),
        ] {
            assert_eq!(capabilities(name), expected, "{name}");
        }
    }

    #[test]
    fn compares_versions_as_rpm_does() {
        let dependency =
            |flags, version: &str| Dependency { name: "x".into(), flags, version: version.into() };
        use deps::{EQUAL, GREATER, LESS};
        for (offered, asked, expected) in [
            (dependency(EQUAL, "2.36-9"), dependency(GREATER | EQUAL, "2.36"), true),
            (dependency(EQUAL, "2.36-9"), dependency(GREATER, "2.36"), false),
            (dependency(EQUAL, "2.36-9"), dependency(EQUAL, "2.36"), true),
            (dependency(EQUAL, "1:1.0-1"), dependency(GREATER, "9.0"), true),
            (dependency(EQUAL, "1.0-1"), dependency(LESS, "1.0-2"), true),
            (dependency(EQUAL, "1.10"), dependency(LESS, "1.9"), false),
            (dependency(0, ""), dependency(EQUAL, "3"), true),
        ] {
            assert_eq!(satisfies(&offered, &asked), expected, "{offered:?} {asked:?}");
        }
    }
}
