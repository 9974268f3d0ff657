//! Deltas of a repo: the same whatever made them, coded once, refused by name, and good for `ostree`.

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Parser;
use rootling_compose::cli::{self, Cli};
use rootling_compose::delta::lists;
use rootling_delta::list::{self, Entry};
use rootling_object::Checksum;
use rootling_store::{Repo, deltas};

/// Runs the program's command line in this process.
fn compose(args: &[&str]) -> anyhow::Result<String> {
    Ok(cli::run(Cli::try_parse_from([&["rootling-compose"], args].concat())?)?.text)
}

fn must(args: &[&str]) -> String {
    compose(args).unwrap_or_else(|error| panic!("{args:?}: {error:#}"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn fsck(repo: &Path) {
    let output = Command::new("ostree").args(["fsck", "--repo", text(repo)]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Versions 0 to `count` of a tree on `os/main`; the checksums, oldest first.
fn history(dir: &Path, count: u8) -> Vec<Checksum> {
    let (repo, tree) = (dir.join("repo"), dir.join("tree"));
    must(&["init", "--repo", text(&repo)]);
    let versions = (0..=count).map(|version| {
        let _ = fs::remove_dir_all(&tree);
        fs::create_dir_all(tree.join("usr/lib")).unwrap();
        for number in 0..12u32 {
            let mut seed = number + 1;
            let mut noise: Vec<u8> = (0..4000 + 500 * number)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            noise[100] = version;
            fs::write(tree.join(format!("usr/lib/lib{number}.so")), noise).unwrap();
        }
        fs::write(tree.join("usr/version"), format!("{version}\n")).unwrap();
        let time = (1000 + u32::from(version)).to_string();
        let repo = text(&repo);
        let args = ["commit", "--repo", repo, "--ref", "os/main", "--root-owner", "--timestamp", &time];
        must(&[&args[..], &[text(&tree)]].concat())
    });
    let printed: Vec<String> = versions.collect();
    printed.iter().map(|line| Checksum::parse_hex(line.trim()).unwrap()).collect()
}

/// Every file of the deltas with its bytes.
fn files(repo: &Path) -> Vec<(String, Vec<u8>)> {
    let open = Repo::open(repo).unwrap();
    let all = deltas::lists(&open).unwrap().into_iter().chain(deltas::data(&open).unwrap());
    all.map(|(_, path)| (path.strip_prefix(repo).unwrap().display().to_string(), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn the_result_does_not_depend_on_threads_or_cache() {
    let dir = tempfile::tempdir().unwrap();
    let commits = history(dir.path(), 1);
    let repo = dir.path().join("repo");
    let report = dir.path().join("report.json");
    let make = |more: &[&str]| {
        must(&[&["delta", "make", "--repo", text(&repo), "--to", "os/main", "--again"], more].concat())
    };
    let said = make(&["--threads", "1", "--report", text(&report)]);
    assert!(said.contains("13 pairs of files coded, 0 taken from the cache"), "{said}");
    let first = files(&repo);
    assert_eq!(first.len(), 2, "a list and a delta");
    for (threads, more, expected) in [
        ("2", &[][..], Some("0 pairs of files coded, 13 taken")),
        ("2", &["--no-cache"], None),
        ("1", &["--no-cache"], None),
    ] {
        fs::remove_dir_all(repo.join("deltas-rootling")).unwrap();
        let said = make(&[&["--threads", threads], more].concat());
        assert!(expected.is_none_or(|part| said.contains(part)), "{said}");
        assert!(files(&repo) == first, "{threads} {more:?}");
    }
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    let (bytes, loose) = (json[0]["bytes"].as_u64().unwrap(), json[0]["loose"]["bytes"].as_u64().unwrap());
    let data = first.iter().find(|(path, _)| path.contains("/data/")).unwrap();
    assert_eq!(bytes, data.1.len() as u64);
    assert!(bytes * 10 < loose, "{bytes} of {loose}");
    assert_eq!(json[0]["from"].as_str().unwrap(), commits[0].to_string());
    assert_eq!(json[0]["files"].as_array().unwrap().len(), 13);
    let picture = fs::read_to_string(dir.path().join("report.json.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("usr/lib/lib11.so"), "{picture}");
}

#[test]
fn a_file_joined_from_four_is_reported_shown_verified_and_applied() {
    let dir = tempfile::tempdir().unwrap();
    let (repo, tree) = (dir.path().join("repo"), dir.path().join("tree"));
    must(&["init", "--repo", text(&repo)]);
    let mut seed = 5u32;
    let mut noise = || -> Vec<u8> {
        let bytes = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        });
        bytes.take(9000).collect()
    };
    let parts = [noise(), noise(), noise(), noise()];
    let commit = |files: &[(&str, Vec<u8>)], time: &str| {
        let _ = fs::remove_dir_all(&tree);
        fs::create_dir_all(tree.join("usr/lib")).unwrap();
        files.iter().for_each(|(name, bytes)| fs::write(tree.join("usr/lib").join(name), bytes).unwrap());
        let args = ["commit", "--repo", text(&repo), "--ref", "os/main", "--root-owner", "--timestamp", time];
        must(&[&args[..], &[text(&tree)]].concat()).trim().to_owned()
    };
    let names = ["a.so", "b.so", "c.so", "d.so"];
    let split: Vec<(&str, Vec<u8>)> = names.into_iter().zip(parts.clone()).collect();
    let old = commit(&split, "1000");
    let new = commit(&[("a.so", parts.concat())], "2000");
    let report = dir.path().join("report.json");
    let make = |more: &[&str]| {
        let args = ["delta", "make", "--repo", text(&repo), "--to", "os/main", "--again"];
        let said = must(&[&args[..], more].concat());
        let json: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
        (said, json[0]["files"][0]["sources"].as_u64().unwrap(), files(&repo))
    };
    let report_to = ["--report", text(&report)];
    let (_, sources, low) = make(&report_to);
    assert_eq!(sources, 1, "profile 1 is the default");
    fs::remove_dir_all(repo.join("deltas-rootling")).unwrap();
    let high = |threads: &str| make(&[&report_to[..], &["--profile", "3", "--threads", threads]].concat());
    let (_, sources, first) = high("1");
    assert_eq!(sources, 4);
    let bytes = |files: &[(String, Vec<u8>)]| files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    assert!(bytes(&first) + 26_000 < bytes(&low), "{} against {}", bytes(&first), bytes(&low));
    let (said, _, again) = high("2");
    assert!(again == first && said.contains("0 pairs of files coded"), "{said}");
    let at =
        |command: &str, more: &[&str]| must(&[&["delta", command, "--repo", text(&repo)], more].concat());
    assert!(at("list", &[]).contains("profile 3"));
    let shown = at("show", &["--from", &old, "--to", "os/main", "--files"]);
    assert!(shown.contains("from Same and \"usr/lib/"), "{shown}");
    assert_eq!(at("verify", &[]).lines().count(), 1);
    let other = dir.path().join("other");
    must(&["init", "--repo", text(&other)]);
    let pull = ["pull-local", "--repo", text(&other), text(&repo), &old];
    assert!(Command::new("ostree").args(pull).status().unwrap().success());
    let file = first.iter().find(|(path, _)| path.contains("/data/")).unwrap();
    let file = repo.join(&file.0);
    assert_eq!(
        must(&["delta", "apply", "--repo", text(&other), "--ref", "os/main", text(&file)]).trim(),
        new
    );
    fsck(&other);
}

#[test]
fn what_is_made_is_listed_verified_applied_and_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let commits = history(dir.path(), 3);
    let repo = dir.path().join("repo");
    let at = |command: &str| ["delta", command, "--repo", text(&repo)].map(str::to_owned);
    let run = |command: &str, more: &[&str]| {
        let args = at(command);
        must(&[&args.iter().map(String::as_str).collect::<Vec<_>>()[..], more].concat())
    };
    run("make", &["--last", "2"]);
    let tip = commits[3];
    assert_eq!(run("list", &[]).lines().count(), 2);
    run("make", &["--matrix"]);
    run("make", &["--empty", "--to", "os/main"]);
    let listed = run("list", &[]);
    for from in [commits[0].to_string(), commits[1].to_string(), commits[2].to_string(), "nothing".into()] {
        assert!(listed.contains(&format!("{from} -> {tip}: ")), "{listed}");
    }
    assert_eq!(listed.lines().count(), 4);
    assert!(run("make", &["--matrix"]).matches("is there already").count() == 3);
    for (profile, known) in [("1", 1), ("3", 0)] {
        let again = run("make", &["--last", "1", "--profile", profile]);
        assert_eq!(again.matches("is there already").count(), known, "profile {profile}: {again}");
    }
    assert_eq!(run("verify", &[]).lines().count(), 4);
    let shown = run("show", &["--from", &commits[0].to_string(), "--to", "os/main", "--files"]);
    assert!(shown.contains("inserts: ") && shown.contains("content objects: 13"), "{shown}");

    // a repo that has nothing but the first commit, then nothing at all
    let open = Repo::open(&repo).unwrap();
    let entries = lists::read(&open, &tip).unwrap();
    for from in [Some(commits[0]), None] {
        let other = dir.path().join(if from.is_some() { "other" } else { "empty" });
        must(&["init", "--repo", text(&other)]);
        if let Some(from) = from {
            let pull =
                ["pull-local", "--repo", text(&other), text(&repo), &from.to_string()].map(str::to_owned);
            assert!(Command::new("ostree").args(pull).status().unwrap().success());
        }
        let entry = entries.iter().find(|entry| entry.from == from).unwrap();
        let file = lists::place(&open, &tip, entry);
        let said = must(&["delta", "apply", "--repo", text(&other), "--ref", "os/main", text(&file)]);
        assert_eq!(said.trim(), tip.to_string());
        fsck(&other);
    }

    let stray = repo.join(deltas::data_path(&tip, &Checksum([9; 32])));
    fs::write(&stray, "left by a run that was killed").unwrap();
    assert!(run("prune", &[]).contains("1 that no list names"));
    assert!(!stray.exists());
    fs::remove_file(repo.join("refs/heads/os/main")).unwrap();
    assert!(run("prune", &["--tips"]).contains("4 of commits that no ref names"));
    assert_eq!(files(&repo), []);
    fsck(&repo);
}

#[test]
fn a_delta_that_only_newer_agents_read_does_not_stand_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let tip = history(dir.path(), 1)[1];
    let repo = dir.path().join("repo");
    let make = |profile: &str| {
        must(&["delta", "make", "--repo", text(&repo), "--to", "os/main", "--profile", profile])
    };
    make("1");
    let open = Repo::open(&repo).unwrap();
    let entry = lists::read(&open, &tip).unwrap()[0];
    let newer = [Entry { profile: 3, ..entry }];
    fs::write(repo.join(deltas::list_path(&tip)), list::encode(&tip, &newer)).unwrap();
    assert!(make("3").contains("is there already"));
    assert!(!make("1").contains("is there already"));
    let profiles = lists::read(&open, &tip).unwrap().into_iter().map(|entry| entry.profile);
    assert_eq!(profiles.collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let commits = history(dir.path(), 1);
    let repo = dir.path().join("repo");
    let [old, new] = [commits[0], commits[1]];
    let make = |more: &[&str]| {
        let error = compose(&[&["delta", "make", "--repo", text(&repo)], more].concat()).unwrap_err();
        format!("{error:#}")
    };
    assert!(make(&["--from", "os/main", "--to", "os/main"]).contains(&new.to_string()));
    assert!(make(&["--to", &old.to_string()]).contains("has no parent"));
    let gone = Checksum([7; 32]).to_string();
    assert!(make(&["--from", &gone, "--to", "os/main"]).contains(&gone));
    let open = Repo::open(&repo).unwrap();
    open.mark_partial(&old).unwrap();
    let error = make(&["--to", "os/main"]);
    assert!(error.contains(&old.to_string()) && error.contains("partial"), "{error}");
    open.clear_partial(&old).unwrap();

    must(&["delta", "make", "--repo", text(&repo), "--to", "os/main"]);
    let verify = || format!("{:#}", compose(&["delta", "verify", "--repo", text(&repo)]).unwrap_err());
    let (entry, path) = (lists::read(&open, &new).unwrap()[0], repo.join(deltas::list_path(&new)));
    fs::write(&path, list::encode(&new, &[Entry { total: entry.total + 1, ..entry }])).unwrap();
    assert!(verify().contains("as its list says"));
    fs::write(&path, "RLDLIST?").unwrap();
    assert!(verify().contains("delta list version"));
    fs::write(&path, list::encode(&new, &[entry])).unwrap();
    let data = lists::place(&open, &new, &entry);
    let good = fs::read(&data).unwrap();
    for at in [0, 30, entry.head as usize + 1, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&data, bytes).unwrap();
        assert!(verify().contains(text(&data)), "byte {at}");
    }
    fs::write(&data, &good[..good.len() - 1]).unwrap();
    assert!(verify().contains(&format!("expected {} bytes", good.len())));
}
