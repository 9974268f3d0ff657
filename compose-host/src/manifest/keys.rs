//! One file's keys: which exist, and what type each has.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use super::node::{At, Data, Entry, Node};
use crate::initramfs::{Compression, Program};
use crate::postprocess::Compressed;

/// The values one manifest file sets; `None` and empty mean that it does not.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    pub(crate) reference: Option<String>,
    pub(crate) repos: Vec<String>,
    pub(crate) packages: Vec<String>,
    pub(crate) exclude_packages: Vec<String>,
    pub(crate) recommends: Option<bool>,
    pub(crate) documentation: Option<bool>,
    pub(crate) releasever: Option<String>,
    pub(crate) units: Vec<String>,
    pub(crate) default_target: Option<String>,
    /// Host path and path in the tree.
    pub(crate) add_files: Vec<(PathBuf, String)>,
    pub(crate) remove_files: Vec<String>,
    pub(crate) uncompress: Vec<Compressed>,
    pub(crate) automatic_version_prefix: Option<String>,
    pub(crate) add_commit_metadata: Map<String, Value>,
    pub(crate) no_initramfs: Option<bool>,
    pub(crate) initramfs: Option<By>,
    pub(crate) initramfs_args: Vec<String>,
    pub(crate) initramfs_modules: Vec<String>,
    pub(crate) initramfs_program: Option<Program>,
    pub(crate) initramfs_compression: Option<Compression>,
    pub(crate) tmp_is_dir: Option<bool>,
    pub(crate) machineid_compat: Option<bool>,
    pub(crate) postprocess: Vec<String>,
}

/// A value of `initramfs`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    Rootling,
    Dracut,
}

/// A file to include, and where that is said.
#[derive(Debug)]
pub(crate) struct Include {
    pub(crate) path: String,
    pub(crate) at: At,
}

/// Sorts the keys of one document into a layer and its includes.
pub(crate) fn read(document: Node, dir: &Path, basearch: &str) -> Result<(Layer, Vec<Include>)> {
    let mut layer = Layer::default();
    let (mut includes, mut arch_includes) = (Vec::new(), Vec::new());
    for Entry { key, at, value } in map(document, "the manifest")? {
        match key.as_str() {
            "ref" => layer.reference = Some(text(value, &key)?),
            "repos" => layer.repos = texts(value, &key)?,
            "packages" => layer.packages.extend(words(value, &key)?),
            "exclude-packages" => layer.exclude_packages = texts(value, &key)?,
            "recommends" => layer.recommends = Some(boolean(value, &key)?),
            "documentation" => layer.documentation = Some(boolean(value, &key)?),
            "releasever" => layer.releasever = Some(number_or_text(value, &key)?),
            "units" => layer.units = texts(value, &key)?,
            "default-target" => layer.default_target = Some(text(value, &key)?),
            "add-files" => layer.add_files = pairs(value, &key, dir)?,
            "remove-files" => layer.remove_files = texts(value, &key)?,
            "uncompress" => {
                for name in words(value, &key)? {
                    let Some(kind) = Compressed::named(&name) else {
                        bail!("{at}: uncompress {name:?} is not known, expected documentation or modules")
                    };
                    layer.uncompress.push(kind);
                }
            }
            "automatic-version-prefix" => layer.automatic_version_prefix = Some(number_or_text(value, &key)?),
            "add-commit-metadata" => {
                for entry in map(value, &key)? {
                    layer.add_commit_metadata.insert(entry.key, entry.value.to_json());
                }
            }
            "boot-location" => match text(value, &key)?.as_str() {
                "modules" => {}
                other => bail!("{at}: boot-location {other:?} is not supported, expected \"modules\""),
            },
            "selinux" => {
                if boolean(value, &key)? {
                    bail!("{at}: selinux: true is not supported, expected false or no such key");
                }
            }
            "no-initramfs" => layer.no_initramfs = Some(boolean(value, &key)?),
            "initramfs" => match text(value, &key)?.as_str() {
                "rootling" => layer.initramfs = Some(By::Rootling),
                "dracut" => layer.initramfs = Some(By::Dracut),
                other => bail!("{at}: initramfs {other:?} is not known, expected rootling or dracut"),
            },
            "initramfs-args" => layer.initramfs_args = texts(value, &key)?,
            "initramfs-modules" => layer.initramfs_modules.extend(words(value, &key)?),
            "initramfs-program" => {
                let path = text(value, &key)?;
                layer.initramfs_program = Some(if path.starts_with('/') {
                    Program::Tree(path)
                } else {
                    Program::Host(dir.join(path))
                });
            }
            "initramfs-compression" => {
                let name = text(value, &key)?;
                let Some(compression) = Compression::named(&name) else {
                    bail!(
                        "{at}: initramfs-compression {name:?} is not known, expected none, gzip, zstd or xz"
                    )
                };
                layer.initramfs_compression = Some(compression);
            }
            "tmp-is-dir" => layer.tmp_is_dir = Some(boolean(value, &key)?),
            "machineid-compat" => layer.machineid_compat = Some(boolean(value, &key)?),
            "postprocess" => layer.postprocess = texts(value, &key)?,
            "include" => includes = include_paths(value, &key)?,
            "arch-include" => {
                for entry in map(value, &key)? {
                    let paths = include_paths(entry.value, &key)?;
                    if entry.key == basearch {
                        arch_includes.extend(paths);
                    }
                }
            }
            other => match other.strip_prefix("packages-") {
                Some(arch) if ARCHES.contains(&arch) => {
                    let names = words(value, &key)?;
                    if arch == basearch {
                        layer.packages.extend(names);
                    }
                }
                Some(arch) => bail!(
                    "{at}: unknown key {key:?}: {arch:?} is not an architecture, expected one of {}",
                    ARCHES.join(", ")
                ),
                None => bail!("{at}: unknown key {key:?}"),
            },
        }
    }
    includes.extend(arch_includes);
    Ok((layer, includes))
}

/// Base architectures of RPM distributions, as `packages-$basearch` may name them.
const ARCHES: [&str; 9] =
    ["aarch64", "armhfp", "i386", "i686", "loongarch64", "ppc64le", "riscv64", "s390x", "x86_64"];

fn wrong<T>(node: &Node, key: &str, expected: &str) -> Result<T> {
    bail!("{}: {key:?} is {}, expected {expected}", node.at, node.kind())
}

fn text(node: Node, key: &str) -> Result<String> {
    match node.data {
        Data::Text(text) => Ok(text),
        _ => wrong(&node, key, "a string"),
    }
}

fn number_or_text(node: Node, key: &str) -> Result<String> {
    match node.data {
        Data::Text(text) | Data::Number(_, text) | Data::Fraction(_, text) => Ok(text),
        _ => wrong(&node, key, "a string or a number"),
    }
}

fn boolean(node: Node, key: &str) -> Result<bool> {
    match node.data {
        Data::Bool(value) => Ok(value),
        _ => wrong(&node, key, "true or false"),
    }
}

fn list(node: Node, key: &str) -> Result<Vec<Node>> {
    match node.data {
        Data::List(items) => Ok(items),
        _ => wrong(&node, key, "a list"),
    }
}

fn map(node: Node, key: &str) -> Result<Vec<Entry>> {
    match node.data {
        Data::Map(entries) => Ok(entries),
        _ => wrong(&node, key, "a mapping"),
    }
}

fn texts(node: Node, key: &str) -> Result<Vec<String>> {
    list(node, key)?.into_iter().map(|item| text(item, key)).collect()
}

/// A list whose entries hold one or more names each, separated by spaces; `'single quotes'` keep spaces.
fn words(node: Node, key: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    for item in list(node, key)? {
        let at = item.at.clone();
        let text = text(item, key)?;
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (word, after) = match rest.strip_prefix('\'') {
                Some(quoted) => match quoted.split_once('\'') {
                    Some(parts) => parts,
                    None => bail!("{at}: {key:?} has a quote that does not end: {text:?}"),
                },
                None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
            };
            words.push(word.to_string());
            rest = after.trim_start();
        }
    }
    Ok(words)
}

fn pairs(node: Node, key: &str, dir: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut pairs = Vec::new();
    for item in list(node, key)? {
        let at = item.at.clone();
        let [source, dest] = <[Node; 2]>::try_from(list(item, key)?).map_err(|got| {
            anyhow::anyhow!(
                "{at}: {key:?} has an entry of {} parts, expected [source, destination]",
                got.len()
            )
        })?;
        pairs.push((dir.join(text(source, key)?), text(dest, key)?));
    }
    Ok(pairs)
}

fn include_paths(node: Node, key: &str) -> Result<Vec<Include>> {
    let items = match node.data {
        Data::Text(_) => vec![node],
        Data::List(items) => items,
        _ => return wrong(&node, key, "a string or a list of strings"),
    };
    items.into_iter().map(|item| Ok(Include { at: item.at.clone(), path: text(item, key)? })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Layer, Vec<Include>)> {
        read(Node::parse("m.yaml", text)?, Path::new("/d"), "x86_64")
    }

    #[test]
    fn names_key_file_and_line_of_what_it_refuses() {
        for (text, expected) in [
            ("ref: a\npakages: [x]\n", "m.yaml:2: unknown key \"pakages\""),
            ("ref: a\n\npackages-amd64: [x]\n", "m.yaml:3: unknown key \"packages-amd64\""),
            ("packages: x\n", "m.yaml:1: \"packages\" is a string, expected a list"),
            ("packages:\n - a\n - b: c\n", "m.yaml:3: \"packages\" is a mapping, expected a string"),
            ("recommends: 'no'\n", "m.yaml:1: \"recommends\" is a string, expected true or false"),
            ("boot-location: new\n", "m.yaml:1: boot-location \"new\" is not supported"),
            ("add-files:\n  - [a]\n", "m.yaml:2: \"add-files\" has an entry of 1 parts"),
            ("ref: a\nselinux: true\n", "m.yaml:2: selinux: true is not supported"),
            ("packages: [\"'a b\"]\n", "m.yaml:1: \"packages\" has a quote that does not end"),
            (
                "\ninitramfs: mkosi\n",
                "m.yaml:2: initramfs \"mkosi\" is not known, expected rootling or dracut",
            ),
            ("initramfs-args: --no-x\n", "m.yaml:1: \"initramfs-args\" is a string, expected a list"),
            ("initramfs-compression: lz4\n", "m.yaml:1: initramfs-compression \"lz4\" is not known"),
            ("- a\n", "m.yaml:1: \"the manifest\" is a list, expected a mapping"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn splits_package_entries_at_spaces() {
        let (layer, _) = parse("packages: ['a b  c', d, \"'(x or y)' e\"]\npackages-aarch64: [f]\n").unwrap();
        assert_eq!(layer.packages, ["a", "b", "c", "d", "(x or y)", "e"]);
    }

    #[test]
    fn takes_only_the_own_architecture() {
        let text = "include: a\narch-include:\n  aarch64: b\n  x86_64: [c, d]\npackages-x86_64: [p]\n";
        let (layer, includes) = parse(text).unwrap();
        assert_eq!(includes.iter().map(|i| i.path.as_str()).collect::<Vec<_>>(), ["a", "c", "d"]);
        assert_eq!(layer.packages, ["p"]);
    }
}
