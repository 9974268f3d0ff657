//! Golden vectors: made by the real ostree, kept in the tree, remade and compared on demand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::run::{output, step};
use crate::{place, tools};

/// The version in the folder's name; another one makes its own folder.
const VERSION: &str = "2022.7";

/// Remakes the vectors and compares; with `save` they replace those in the tree.
pub fn golden(save: bool) -> Result<()> {
    tools::ensure(&[tools::ORACLES])?;
    let about = output(Command::new("ostree").arg("--version"))?;
    ensure!(
        about.contains(&format!("'{VERSION}'")),
        "expected ostree {VERSION}, got {}",
        about.lines().nth(1).unwrap_or_default()
    );
    let kept = place::root().join("tests/golden").join(format!("ostree-{VERSION}"));
    let made = place::target().join("golden");
    if made.exists() {
        fs::remove_dir_all(&made).with_context(|| format!("remove {}", made.display()))?;
    }
    fs::create_dir_all(&made)?;
    step("ostree makes the vectors", || {
        output(Command::new("bash").arg(place::root().join("xtask/golden.sh")).arg(&made))
    })?;
    if save {
        for (name, bytes) in files(&made)? {
            let path = kept.join(&name);
            fs::create_dir_all(path.parent().unwrap_or(&kept))?;
            fs::write(path, bytes)?;
        }
    }
    let differences = differences(&files(&kept)?, &files(&made)?);
    if !differences.is_empty() {
        bail!("{} and what ostree makes now differ:\n{}", kept.display(), differences.join("\n"));
    }
    eprintln!("   {} files are the same", files(&made)?.len());
    Ok(())
}

/// Files and their bytes by their path below `folder`; symlinks and folders are not followed up.
fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("read {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder)?.display().to_string(), fs::read(&path)?);
            }
        }
    }
    Ok(found)
}

fn differences(kept: &BTreeMap<String, Vec<u8>>, made: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, bytes) in kept {
        match made.get(name) {
            None if name != "README.md" => found.push(format!("{name}: not made any more")),
            Some(other) if other != bytes && !has_time(name) => found.push(format!("{name}: other bytes")),
            _ => {}
        }
    }
    found.extend(made.keys().filter(|name| !kept.contains_key(*name)).map(|name| format!("{name}: new")));
    found
}

/// A summary carries the time it was made at; tests compare it by its fields.
fn has_time(name: &str) -> bool {
    name.ends_with("/summary")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_missing_and_new_files_are_named() {
        let set = |files: &[(&str, &str)]| {
            files.iter().map(|(n, b)| ((*n).to_owned(), b.as_bytes().to_vec())).collect()
        };
        let kept = set(&[("README.md", ""), ("a", "1"), ("b", "1"), ("repo/summary", "1")]);
        let made = set(&[("a", "2"), ("c", "1"), ("repo/summary", "2")]);
        assert_eq!(differences(&kept, &made), ["a: other bytes", "b: not made any more", "c: new"]);
    }
}
