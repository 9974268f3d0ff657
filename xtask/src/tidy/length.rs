//! Files above 400 lines that are not tests need a reason in xtask/long-files.txt.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::source::{FOLDERS, Source, rust_files, without_tests};

const LONG: usize = 400;

/// Compares the length of every Rust file with the list.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let list = fs::read_to_string(root.join("xtask/long-files.txt")).context("read xtask/long-files.txt")?;
    Ok(complaints(&rust_files(root, FOLDERS)?, &list))
}

fn complaints(files: &[Source], list: &str) -> Vec<String> {
    let lines = list.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let reasons: Vec<(&str, &str)> = lines.map(|line| line.split_once(' ').unwrap_or((line, ""))).collect();
    let mut found = Vec::new();
    for (path, text) in files {
        let count = without_tests(text).count();
        let reason = reasons.iter().find(|(listed, _)| listed == path);
        match reason {
            None if count > LONG => {
                found.push(format!("{path} has {count} lines without tests, expected {LONG} at most"))
            }
            Some((_, "")) => found.push(format!("{path} is in xtask/long-files.txt without a reason")),
            Some(_) if count <= LONG => {
                found.push(format!("{path} is short again: take it out of xtask/long-files.txt"))
            }
            _ => {}
        }
    }
    let gone = reasons.iter().filter(|(listed, _)| !files.iter().any(|(path, _)| path == listed));
    found.extend(gone.map(|(listed, _)| format!("{listed} in xtask/long-files.txt is not there")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_need_a_reason_and_short_ones_none() {
        let long = ("a/long.rs".to_owned(), "x\n".repeat(LONG + 1));
        let short = ("a/short.rs".to_owned(), "x\n".repeat(LONG));
        let files = [long, short];
        for (list, expected) in [
            ("", Some("a/long.rs has 401 lines")),
            ("# comment\na/long.rs one table\n", None),
            ("a/long.rs\n", Some("without a reason")),
            ("a/long.rs r\na/short.rs r\n", Some("a/short.rs is short again")),
            ("a/long.rs r\na/gone.rs r\n", Some("a/gone.rs in")),
        ] {
            let found = complaints(&files, list);
            assert_eq!(found.len(), usize::from(expected.is_some()), "{found:?}");
            assert!(found.iter().all(|complaint| complaint.contains(expected.unwrap_or("?"))), "{found:?}");
        }
    }
}
