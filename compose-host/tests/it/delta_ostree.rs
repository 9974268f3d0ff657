//! Deltas in libostree's own format: `ostree` lists, shows, applies and pulls them, and its own are hardly smaller.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use clap::Parser;
use rootling_compose::cli::{self, Cli};
use rootling_compose::delta::ostree::all;
use rootling_delta::ostree::path;
use rootling_object::Checksum;
use rootling_store::Repo;

fn must(args: &[&str]) -> String {
    let run = cli::run(Cli::try_parse_from([&["rootling-compose"], args].concat()).unwrap());
    run.unwrap_or_else(|error| panic!("{args:?}: {error:#}")).text
}

fn ostree(args: &[&str]) -> String {
    let output = Command::new("ostree").args(args).output().expect("ostree");
    assert!(output.status.success(), "ostree {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Real programs of this machine, the second time as after a rebuild: words changed all over, a piece put in, a piece taken out.
fn program(path: &str, version: u8) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    bytes.truncate(1 << 20);
    if version > 0 {
        for at in (1000..bytes.len() - 4).step_by(997) {
            bytes[at] = bytes[at].wrapping_add(version);
        }
        let middle = bytes.len() / 2;
        bytes.drain(middle..middle + 700);
        let third = bytes.len() / 3;
        bytes.splice(third..third, (0..500u32).map(|n| ((n * n) >> 3) as u8));
    }
    bytes
}

/// Two commits with every kind of object, in an archive repo.
fn pair(dir: &Path) -> [Checksum; 2] {
    let (repo, tree) = (dir.join("repo"), dir.join("tree"));
    must(&["init", "--repo", text(&repo)]);
    [0, 1].map(|version| {
        let _ = fs::remove_dir_all(&tree);
        let modules = tree.join(format!("usr/lib/modules/6.1.{version}"));
        fs::create_dir_all(&modules).unwrap();
        fs::create_dir_all(tree.join("usr/bin")).unwrap();
        fs::write(tree.join("usr/bin/bash"), program("/bin/bash", version)).unwrap();
        fs::write(modules.join("driver.ko"), program("/usr/bin/ostree", version)).unwrap();
        fs::set_permissions(modules.join("driver.ko"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(tree.join("usr/text"), format!("version {version}\n").repeat(100)).unwrap();
        fs::write(tree.join("usr/empty"), "").unwrap();
        symlink(format!("lib/modules/6.1.{version}"), tree.join("usr/link")).unwrap();
        let time = (1000 + u32::from(version)).to_string();
        let args =
            ["commit", "--repo", text(&repo), "--ref", "os/main", "--root-owner", "--timestamp", &time];
        Checksum::parse_hex(must(&[&args[..], &[text(&tree)]].concat()).trim()).unwrap()
    })
}

fn folder_size(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

/// A repo of mode `mode` that has `commit` and follows `from`.
fn device(dir: &Path, mode: &str, from: &Path, commit: Option<&Checksum>) -> std::path::PathBuf {
    let device = dir.join(format!("device-{mode}-{}", commit.is_some()));
    ostree(&["init", "--mode", mode, "--repo", text(&device)]);
    if let Some(commit) = commit {
        ostree(&["pull-local", "--repo", text(&device), text(from), &commit.to_string()]);
    }
    let url = format!("file://{}", text(from));
    ostree(&[
        "remote",
        "add",
        "--repo",
        text(&device),
        "--no-gpg-verify",
        "--no-sign-verify",
        "origin",
        &url,
    ]);
    device
}

#[test]
fn ostree_takes_them_and_its_own_are_hardly_smaller() {
    let dir = tempfile::tempdir().unwrap();
    let [old, new] = pair(dir.path());
    let repo = dir.path().join("repo");
    let said = must(&["delta", "make", "--repo", text(&repo), "--to", "os/main", "--format", "ostree"]);
    assert!(said.contains("2 files by patches, 0 objects by themselves"), "{said}");
    must(&["delta", "make", "--repo", text(&repo), "--to", "os/main", "--empty", "--format", "ostree"]);
    must(&["summary", "--repo", text(&repo)]);
    let name = format!("{old}-{new}");

    let listed = ostree(&["static-delta", "list", "--repo", text(&repo)]);
    assert!(listed.contains(&name) && listed.lines().any(|line| line == new.to_string()), "{listed}");
    let shown = ostree(&["static-delta", "show", "--repo", text(&repo), &name]);
    for part in ["Number of parts: 1", "openspliceclose=8 ", "open=2 ", "bspatch=2\n"] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    let folder = repo.join(path::folder(Some(&old), &new));
    for mode in ["bare", "bare-user"] {
        let device = device(dir.path(), mode, &repo, Some(&old));
        let apart = dir.path().join(format!("apart-{mode}"));
        fs::create_dir(&apart).unwrap();
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), apart.join(file.file_name())).unwrap();
        }
        ostree(&["static-delta", "apply-offline", "--repo", text(&device), text(&apart)]);
        ostree(&["fsck", "--repo", text(&device), "-q"]);
        assert!(ostree(&["show", "--repo", text(&device), &new.to_string()]).contains(&new.to_string()));
    }
    for (mode, start) in [("bare-user", None), ("bare", Some(&old))] {
        let other = dir.path().join(format!("pull-{mode}"));
        fs::create_dir(&other).unwrap();
        let device = device(&other, mode, &repo, start);
        ostree(&["pull", "--repo", text(&device), "--require-static-deltas", "origin", "os/main"]);
        ostree(&["fsck", "--repo", text(&device), "-q"]);
        assert_eq!(ostree(&["rev-parse", "--repo", text(&device), "origin:os/main"]).trim(), new.to_string());
    }

    let ours = folder_size(&folder);
    fs::remove_dir_all(&folder).unwrap();
    let (from, to) = (format!("--from={old}"), format!("--to={new}"));
    ostree(&["static-delta", "generate", "--repo", text(&repo), &from, &to]);
    let theirs = folder_size(&folder);
    assert!(ours * 100 <= theirs * 105, "ours {ours} bytes, of ostree {theirs}");
}

#[test]
fn what_is_large_comes_by_itself_and_what_is_gone_is_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let [old, new] = pair(dir.path());
    let repo = dir.path().join("repo");
    let make = |more: &[&str]| {
        must(
            &[&["delta", "make", "--repo", text(&repo), "--to", "os/main", "--format", "ostree"], more]
                .concat(),
        )
    };
    let said = make(&["--empty", "--min-fallback-size", "1000"]);
    assert!(said.contains(", 2 objects by themselves"), "{said}");
    must(&["summary", "--repo", text(&repo)]);
    let device = device(dir.path(), "bare-user", &repo, None);
    ostree(&["pull", "--repo", text(&device), "--require-static-deltas", "origin", "os/main"]);
    ostree(&["fsck", "--repo", text(&device), "-q"]);
    let again = make(&["--threads", "1", "--min-fallback-size", "0"]);
    assert!(again.contains(", 0 objects by themselves"), "{again}");
    let open = Repo::open(&repo).unwrap();
    let found: Vec<_> = all(&open).unwrap().iter().map(|(from, to, _)| (*from, *to)).collect();
    assert_eq!(found, [(None, new), (Some(old), new)]);
    let listed = must(&["delta", "list", "--repo", text(&repo)]);
    assert!(listed.contains(&format!("{old} -> {new}: format ostree")), "{listed}");
    ostree(&["prune", "--repo", text(&repo), "--refs-only", "--depth=0"]);
    fs::create_dir_all(repo.join(path::folder(Some(&old), &new))).unwrap();
    fs::write(repo.join(path::folder(Some(&old), &new)).join("superblock"), "left").unwrap();
    let said = must(&["delta", "prune", "--repo", text(&repo)]);
    assert!(said.contains("1 of commits that are gone"), "{said}");
    assert_eq!(all(&open).unwrap().len(), 1);
}
