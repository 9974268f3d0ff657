//! Whole-system tests: our programs and crates against the real tools.

#[path = "../../store/tests/sysroot/bootcheck.rs"]
mod bootcheck;
mod common;
mod crash_kill;
mod delta_kill;
mod oracle_commit;
mod oracle_composed;
mod oracle_fsck;
mod oracle_read;
mod replay;

/// A test file that no `mod` line names would be compiled by nobody and fail nowhere.
#[test]
fn every_file_here_is_a_module() {
    let main = include_str!("main.rs");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/it")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(name == "main" || main.contains(&format!("mod {name};")), "{name} is not in main.rs");
    }
}
