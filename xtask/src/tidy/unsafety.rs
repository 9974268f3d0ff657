//! `unsafe` only in files called sys.rs, each block with its reason.

use std::path::Path;

use anyhow::Result;

use super::source::{FOLDERS, Source, code, rust_files};

/// Looks for `unsafe` in every Rust file.
pub fn check(root: &Path) -> Result<Vec<String>> {
    Ok(rust_files(root, FOLDERS)?.iter().flat_map(complaints).collect())
}

fn complaints((path, text): &Source) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, _) in lines.iter().enumerate().filter(|(_, line)| is_unsafe(code(line))) {
        let at = format!("{path}:{}", index + 1);
        if !path.ends_with("/sys.rs") {
            found.push(format!("{at}: unsafe outside a file called sys.rs"));
        } else if !lines[index.saturating_sub(6)..index].iter().any(|line| line.contains("SAFETY:")) {
            found.push(format!("{at}: unsafe without a SAFETY: line above it"));
        }
    }
    found
}

/// The keyword, not a lint's name nor a word in a text.
fn is_unsafe(code: &str) -> bool {
    let keyword = concat!("uns", "afe");
    ["{", "fn ", "impl ", "extern ", "trait "].iter().any(|next| code.contains(&format!("{keyword} {next}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_elsewhere_or_without_reason_is_named() {
        let block = concat!("let x = uns", "afe { f() };\n");
        for (path, text, expected) in [
            ("a/b.rs", block.to_owned(), Some("outside")),
            ("a/sys.rs", block.to_owned(), Some("SAFETY")),
            ("a/sys.rs", format!("// SAFETY: f is fine.\n{block}"), None),
            ("a/b.rs", "#![forbid(unsafe_code)]\n".to_owned(), None),
        ] {
            let found = complaints(&(path.into(), text));
            assert_eq!(
                found.first().map(|c| c.contains(expected.unwrap_or("?"))),
                expected.map(|_| true),
                "{found:?}"
            );
        }
    }
}
