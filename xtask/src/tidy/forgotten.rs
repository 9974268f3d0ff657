//! Every file of tests/it is a module of its main.rs, and no test is switched off.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::source::{FOLDERS, Source, rust_files};

/// Looks for files that are no module, and for tests that never run.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut found: Vec<String> = rust_files(root, FOLDERS)?.iter().flat_map(switched_off).collect();
    let it = root.join("tests/it");
    let Ok(main) = fs::read_to_string(it.join("main.rs")) else { return Ok(found) };
    for entry in fs::read_dir(&it)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if stem != "main" && (path.is_dir() || path.extension().is_some_and(|e| e == "rs")) {
            found.extend(forgotten(&main, &stem));
        }
    }
    Ok(found)
}

fn forgotten(main: &str, stem: &str) -> Option<String> {
    let declared = main.lines().any(|line| {
        line.trim_start_matches("pub ").strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'))
            == Some(stem)
    });
    (!declared).then(|| format!("tests/it/{stem}: not a module of tests/it/main.rs"))
}

fn switched_off((path, text): &Source) -> Vec<String> {
    let word = concat!("#[ign", "ore");
    let lines = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with(word));
    lines.map(|(index, _)| format!("{path}:{}: a test that is switched off", index + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgotten_and_ignored_tests_are_named() {
        assert!(forgotten("mod a;\n", "b").is_some());
        assert!(forgotten("mod a;\nmod b;\n", "b").is_none());
        let text = concat!("#[test]\n#[ign", "ore = \"slow\"]\n");
        assert_eq!(switched_off(&("a.rs".into(), text.into())), ["a.rs:2: a test that is switched off"]);
    }
}
