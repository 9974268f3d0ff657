//! Every format document says where we learnt the format and how we proved it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Looks through docs/formats.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join("docs/formats")).context("read docs/formats")? {
        let path = entry?.path();
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        found.extend(
            complaints(&text).into_iter().map(|complaint| format!("docs/formats/{name}: {complaint}")),
        );
    }
    if found.is_empty() && !root.join("docs/formats").exists() {
        found.push("docs/formats is empty".to_owned());
    }
    Ok(found)
}

fn complaints(text: &str) -> Vec<String> {
    let missing = ["**Source:**", "**Proof:**"].into_iter().filter(|word| {
        !text.lines().any(|line| line.strip_prefix(word).is_some_and(|rest| rest.trim().len() > 10))
    });
    missing.map(|word| format!("no line that starts with {word}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn source_and_proof_are_asked_for() {
        let good = "# X\n**Source:** the manual of x, section 3\n**Proof:** golden file x, test y\n";
        assert!(super::complaints(good).is_empty());
        assert_eq!(super::complaints("# X\n**Source:** y\n").len(), 2);
    }
}
