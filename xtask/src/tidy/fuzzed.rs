//! Every decoder has a fuzz target: fuzz/decoders.txt maps each file that decodes foreign bytes to its target.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::source::{Source, code, rust_files, without_tests};

/// Where decoders live.
const FOLDERS: &[&str] = &[
    "boot/src",
    "delta/src",
    "object/src",
    "store/src",
    "trust/src",
    "compose-host/src",
    "agent/src",
    "prepare-root/src",
];

/// How a function that takes foreign bytes or text is called here.
const VERBS: &[&str] =
    &["decode", "decode_archive", "parse", "parse_base64", "parse_hex", "trust_lines", "verify_commit"];

/// Compares the decoders in the sources with the list, and the list with the targets.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let list = fs::read_to_string(root.join("fuzz/decoders.txt")).context("read fuzz/decoders.txt")?;
    let targets = fs::read_dir(root.join("fuzz/fuzz_targets")).context("read fuzz/fuzz_targets")?;
    let targets: Vec<String> =
        targets.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
    Ok(complaints(&rust_files(root, FOLDERS)?, &list, &targets))
}

fn complaints(files: &[Source], list: &str, targets: &[String]) -> Vec<String> {
    let lines = list.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let listed: Vec<(&str, &str)> = lines.map(|line| line.split_once(' ').unwrap_or((line, ""))).collect();
    let mut found = Vec::new();
    for (path, text) in files {
        let decodes = without_tests(text).any(|line| is_decoder(code(line)));
        if decodes && !listed.iter().any(|(file, _)| file == path) {
            found.push(format!("{path} decodes, but is not in fuzz/decoders.txt"));
        }
    }
    for (file, target) in listed {
        if !files.iter().any(|(path, _)| path == file) {
            found.push(format!("fuzz/decoders.txt: {file} is not there"));
        }
        let (name, reason) = target.split_once(' ').unwrap_or((target, ""));
        let excused = name == "-" && !reason.is_empty();
        if !excused && !targets.iter().any(|known| known == name) {
            found.push(format!(
                "fuzz/decoders.txt: {file}: no fuzz target {name:?}, and no reason after a dash"
            ));
        }
    }
    found
}

fn is_decoder(line: &str) -> bool {
    let Some((before, after)) = line.split_once("fn ") else { return false };
    let name = after.split(['(', '<']).next().unwrap_or_default();
    before.trim_start().starts_with("pub") && VERBS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_without_a_target_is_named() {
        let files = [("a/x.rs".to_owned(), "pub fn decode(bytes: &[u8]) {}".to_owned())];
        let targets = ["x".to_owned()];
        for (list, expected) in [
            ("a/x.rs x\n", None),
            ("a/x.rs - only checks a length\n", None),
            ("", Some("a/x.rs decodes")),
            ("a/x.rs y\n", Some("no fuzz target \"y\"")),
            ("a/x.rs -\n", Some("no reason")),
            ("a/x.rs x\na/gone.rs x\n", Some("a/gone.rs is not there")),
        ] {
            let found = complaints(&files, list, &targets);
            assert_eq!(found.len(), usize::from(expected.is_some()), "{list:?} {found:?}");
            assert!(found.iter().all(|complaint| complaint.contains(expected.unwrap_or("?"))), "{found:?}");
        }
    }
}
