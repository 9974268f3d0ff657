//! Every target over its seeds and a fixed number of mutations: the part of fuzzing that runs on every change.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rootling_fuzz::mutate::{Random, mutate};
use rootling_fuzz::{Target, targets};

const MUTATIONS: usize = 4000;
/// For targets that write files for each input.
const MUTATIONS_ON_DISK: usize = 300;
const ON_DISK: &[&str] = &["filez", "manifest", "repo_file", "repodata"];

fn once(target: &Target, data: &[u8]) {
    let result = catch_unwind(AssertUnwindSafe(|| (target.run)(data)));
    assert!(result.is_ok(), "fuzz target {}, input {}", target.name, data.escape_ascii());
}

#[test]
fn every_target_stands_its_seeds_and_their_mutations() {
    for target in targets() {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        let mut random = Random::new(target.name.bytes().map(u64::from).sum());
        seeds.iter().for_each(|seed| once(&target, seed));
        let rounds = if ON_DISK.contains(&target.name) { MUTATIONS_ON_DISK } else { MUTATIONS };
        for round in 0..rounds {
            let other = &seeds[random.below(seeds.len())];
            let input = mutate(&seeds[round % seeds.len()], other, &mut random);
            once(&target, &input);
        }
    }
}

#[test]
fn every_target_has_a_file_for_libfuzzer_that_calls_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let mut files: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let mut names: Vec<String> = targets().iter().map(|target| target.name.to_owned()).collect();
    names.sort();
    assert_eq!(files, names);
    for name in names {
        let text = std::fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
        assert!(text.contains(&format!("run(\"{name}\"")), "{name}.rs runs something else");
    }
}
