//! Why there is no solution, in sentences.

use std::collections::{HashMap, HashSet, VecDeque};

use resolvo::conflict::{ConflictCause, ConflictEdge, ConflictGraph, ConflictNode};

use super::index::Index;
use super::provider::Provider;
use super::spec::excluded_text;
use crate::repo::{Dependency, PackageId, Pool};

/// More lines than this do not explain anything.
const MAX_LINES: usize = 60;

/// Walks the conflict from the manifest outwards, one line for each fact.
pub(super) fn explain(pool: &Pool, index: &Index, provider: &Provider, conflict: &ConflictGraph) -> String {
    let graph = &conflict.graph;
    let mut edges = HashMap::new();
    for edge in graph.edge_indices() {
        if let Some((from, to)) = graph.edge_endpoints(edge) {
            edges.entry(from).or_insert_with(Vec::new).push((graph[edge], to));
        }
    }
    let label = |node| match graph[node] {
        ConflictNode::Root => "the manifest".to_string(),
        ConflictNode::Solvable(id) => pool.nevra(provider.package(id)),
        ConflictNode::UnresolvedDependency | ConflictNode::Excluded(_) => "nothing".to_string(),
    };
    let mut lines: Vec<String> = Vec::new();
    let mut seen = HashSet::from([conflict.root_node]);
    let mut queue = VecDeque::from([conflict.root_node]);
    while let Some(node) = queue.pop_front() {
        let from = label(node);
        let mut providers: Vec<(String, Vec<String>)> = Vec::new();
        for (edge, to) in edges.remove(&node).unwrap_or_default() {
            match edge {
                ConflictEdge::Requires(requirement) => {
                    let text = provider.requirement_text(&requirement);
                    if matches!(graph[to], ConflictNode::UnresolvedDependency) {
                        lines.push(format!(
                            "nothing provides {text} needed by {from}{}",
                            excluded_providers(pool, index, &text)
                        ));
                        continue;
                    }
                    match providers.iter_mut().find(|(known, _)| *known == text) {
                        Some((_, list)) => list.push(label(to)),
                        None => providers.push((text, vec![label(to)])),
                    }
                }
                ConflictEdge::Conflict(ConflictCause::Constrains(set)) => {
                    lines.push(format!("{from} {}, which {} is", provider.version_set_text(set), label(to)));
                }
                ConflictEdge::Conflict(ConflictCause::ForbidMultipleInstances | ConflictCause::Locked(_)) => {
                    lines.push(format!("{from} and {} cannot be installed together", label(to)));
                }
                ConflictEdge::Conflict(ConflictCause::Excluded) => {
                    lines.push(format!("{from} is excluded"));
                }
            }
            if seen.insert(to) {
                queue.push_back(to);
            }
        }
        for (text, mut list) in providers {
            list.sort();
            list.dedup();
            let verb = if node == conflict.root_node { "asks for" } else { "requires" };
            lines.push(format!("{from} {verb} {text}, provided by {}", list.join(", ")));
        }
    }
    let mut said = HashSet::new();
    lines.retain(|line| said.insert(line.clone()));
    let total = lines.len();
    lines.truncate(MAX_LINES);
    let mut text = String::from("the packages cannot be installed together:");
    for line in lines {
        text.push_str("\n  - ");
        text.push_str(&line);
    }
    if total > MAX_LINES {
        text.push_str(&format!("\n  - and {} facts more", total - MAX_LINES));
    }
    text
}

/// Excluded packages that would provide what nothing else does.
fn excluded_providers(pool: &Pool, index: &Index, text: &str) -> String {
    let Some(name) = text.split_whitespace().next().and_then(|name| pool.strings.find(name)) else {
        return String::new();
    };
    let ids: Vec<PackageId> = index
        .all_providers(pool, &Dependency { name, version: None })
        .into_iter()
        .filter(|&id| pool.package(id).excluded.is_some())
        .collect();
    if ids.is_empty() {
        return String::new();
    }
    let names: Vec<String> = ids.into_iter().map(|id| excluded_text(pool, id)).collect();
    format!(", except {}", names.join(", "))
}
