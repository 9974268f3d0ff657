//! Rust files of the workspace, and what in them is not a test.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders of packages, and `cross`.
pub const FOLDERS: &[&str] = &[
    "agent",
    "boot",
    "compose-host",
    "cross",
    "delta",
    "fuzz",
    "object",
    "prepare-root",
    "store",
    "tests",
    "trust",
    "xtask",
];

/// A file: its path below the checkout, and its text.
pub type Source = (String, String);

/// All Rust files below some folders of the checkout.
pub fn rust_files(root: &Path, folders: &[&str]) -> Result<Vec<Source>> {
    let mut files = Vec::new();
    for folder in folders {
        collect(root, &root.join(folder), &mut files)?;
    }
    files.sort();
    Ok(files)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<Source>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path: PathBuf = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            files.push((path.strip_prefix(root)?.display().to_string(), text));
        }
    }
    Ok(())
}

/// The lines before the tests at the bottom of a file.
pub fn without_tests(text: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = text.lines().collect();
    let test = |pair: &[&str]| pair[0].starts_with("#[cfg(test)]") && pair[1].starts_with("mod ");
    let end = lines.windows(2).position(test).unwrap_or(lines.len());
    lines.into_iter().take(end)
}

/// A line without its comment.
pub fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_at_the_bottom_do_not_count() {
        let text = "fn a() {}\n#[cfg(test)]\nfn b() {}\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(without_tests(text).count(), 3);
        assert_eq!(code("a; // unsafe"), "a; ");
    }
}
