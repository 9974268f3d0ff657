//! Pulls by deltas that the real `ostree` made.

use std::fs;
use std::path::PathBuf;

use rootling::error::{Error, Result};
use rootling::pull::Pulled;
use rootling::pull::delta::Mode;
use rootling_delta::ostree::path;
use rootling_object::{Checksum, Dict, Refspec};
use rootling_trust::SecretKey;

use crate::delta::{commit, loose, pull};
use crate::fixture::{Fixture, REF, ostree, text};
use crate::server::Act;

/// A device at version 1, and what `ostree` makes of the step to version 2.
fn updated(config: &str, more: &[&str]) -> (Fixture, Checksum, PathBuf) {
    let fixture = Fixture::new(config);
    let old = commit(&fixture, 1, 2000);
    pull(&fixture, Mode::Never).unwrap();
    let new = commit(&fixture, 2, 3000);
    let (from, to) = (format!("--from={old}"), format!("--to={new}"));
    let args = ["static-delta", "generate", "--repo", text(&fixture.remote), &from, &to];
    ostree(&[&args[..], more].concat());
    // only then the index is written
    ostree(&["summary", "--repo", text(&fixture.remote), "-u"]);
    let name = format!("{old}-{new}");
    let shown = ostree(&["static-delta", "show", "--repo", text(&fixture.remote), &name]);
    assert!(shown.contains("bspatch=4\n"), "the pair is not as it should be: {shown}");
    fixture.server.forget();
    let folder = fixture.remote.join(path::folder(Some(&old), &new));
    (fixture, new, folder)
}

fn moved(fixture: &Fixture, new: Checksum) -> bool {
    fixture.repo.read_ref(&Refspec::parse("origin:os/main").unwrap()).unwrap() == Some(new)
}

fn parts(fixture: &Fixture) -> usize {
    let seen = fixture.server.seen();
    seen.iter().filter(|path| path.starts_with("deltas/") && path.ends_with("/0")).count()
}

fn agent_conf(fixture: &Fixture, text: &str) {
    let folder = fixture.dir.path().join("sysroot/etc/rootling");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("agent.conf"), text).unwrap();
}

#[test]
fn a_delta_of_ostree_brings_everything_in_far_fewer_bytes() {
    let (fixture, new, _) = updated("sign-verify=false", &[]);
    let by_delta = pull(&fixture, Mode::Require).unwrap();
    let seen = fixture.server.seen();
    assert_eq!((*by_delta.commit.checksum(), loose(&fixture)), (new, 1), "the signatures: {seen:?}");
    assert!(by_delta.hashed.len() >= 5 && by_delta.hashed.is_sorted(), "{:?}", by_delta.hashed);
    assert!(!fixture.repo.path().join("tmp/rootling-delta").exists());
    fixture.check();
    let (other, ..) = updated("sign-verify=false", &[]);
    let by_objects = pull(&other, Mode::Never).unwrap();
    assert!(by_delta.bytes * 10 < by_objects.bytes, "{} against {}", by_delta.bytes, by_objects.bytes);
    assert!(other.server.seen().iter().all(|path| !path.contains("delta")));
}

#[test]
fn chunks_and_fallbacks_of_ostree_are_read_too() {
    // without patches: rolling checksums, so that pieces are written from old objects; and objects that come by themselves
    let fixture = Fixture::unsigned();
    let tree = fixture.dir.path().join("tree");
    let [old, new] = [1u8, 2].map(|version| {
        let _ = fs::remove_dir_all(&tree);
        fs::create_dir_all(tree.join("usr")).unwrap();
        let mut seed = 1u32;
        let mut noise: Vec<u8> = (0..600_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        noise[300_000] = version;
        fs::write(tree.join("usr/noise"), &noise).unwrap();
        noise.iter_mut().for_each(|byte| *byte ^= version);
        fs::write(tree.join("usr/fresh"), [&noise[..], &noise].concat()).unwrap();
        let (time, dir) = (format!("--timestamp=@{version}000"), format!("--tree=dir={}", text(&tree)));
        let args = ["commit", "--repo", text(&fixture.remote), "-b", REF, &time, &dir];
        let commit = Checksum::parse_hex(ostree(&args).trim()).unwrap();
        if version == 1 {
            pull(&fixture, Mode::Never).unwrap();
        }
        commit
    });
    let (from, to) = (format!("--from={old}"), format!("--to={new}"));
    let args = ["static-delta", "generate", "--repo", text(&fixture.remote), &from, &to];
    ostree(&[&args[..], &["--disable-bsdiff", "--min-fallback-size=1"]].concat());
    ostree(&["summary", "--repo", text(&fixture.remote), "-u"]);
    fixture.server.forget();
    let name = format!("{old}-{new}");
    let shown = ostree(&["static-delta", "show", "--repo", text(&fixture.remote), &name]);
    let expected = !shown.contains(" write=0 ") && shown.contains("fallback entries: 1\n");
    assert!(expected, "the pair is not as it should be: {shown}");
    pull(&fixture, Mode::Require).unwrap();
    assert_eq!(loose(&fixture), 2, "the signatures and one file: {:?}", fixture.server.seen());
    fixture.check();
}

#[test]
fn every_damage_ends_in_loose_objects_or_in_an_error_where_a_delta_is_required() {
    type Damage = fn(&Fixture, &Checksum, PathBuf);
    fn flip(path: PathBuf) {
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let damages: [(&str, Damage); 6] = [
        ("part", |_, _, folder| flip(folder.join("0"))),
        ("no part", |_, _, folder| fs::remove_file(folder.join("0")).unwrap()),
        ("superblock", |_, _, folder| flip(folder.join("superblock"))),
        ("no superblock", |_, _, folder| fs::remove_file(folder.join("superblock")).unwrap()),
        ("index", |fixture, new, _| fs::write(fixture.remote.join(path::index(new)), "garbage").unwrap()),
        ("memory", |fixture, _, _| agent_conf(fixture, "[pull]\nmemory-limit=0\n")),
    ];
    for (name, damage) in damages {
        let (fixture, new, folder) = updated("sign-verify=false", &[]);
        damage(&fixture, &new, folder);
        let error = pull(&fixture, Mode::Require).expect_err(name);
        assert!(error.to_string().contains("--require-delta"), "{name}: {error}");
        assert!(!moved(&fixture, new), "{name}");
        let pulled = pull(&fixture, Mode::Auto).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(*pulled.commit.checksum(), new, "{name}");
        assert!(loose(&fixture) > 1, "{name}");
        fixture.check();
    }
}

#[test]
fn what_takes_too_much_memory_is_not_downloaded() {
    let (fixture, _, folder) = updated("sign-verify=false", &[]);
    agent_conf(&fixture, "[pull]\nmemory-limit=0\n");
    let error = pull(&fixture, Mode::Require).unwrap_err().to_string();
    assert!(error.contains("memory-limit is"), "{error}");
    let kept = fixture.repo.path().join("tmp/rootling-delta");
    let folders = fs::read_dir(kept).unwrap().map(|entry| entry.unwrap().path());
    let part = folders.filter(|path| path.is_dir()).map(|path| path.join("0")).next().unwrap();
    assert_eq!(fs::metadata(part).unwrap().len(), 64, "what says how it is packed, and no more");
    assert!(fs::metadata(folder.join("0")).unwrap().len() > 64);
    agent_conf(&fixture, "[pull]\nmemory-limit=1\n");
    pull(&fixture, Mode::Require).unwrap();
    fixture.check();
}

#[test]
fn what_was_downloaded_is_never_asked_for_again() {
    let (fixture, new, folder) = updated("sign-verify=false", &[]);
    let size = fs::metadata(folder.join("0")).unwrap().len();
    let run = || -> Result<Pulled> {
        fixture.server.behave();
        fixture.server.times("/0", Act::Truncate(50), 3);
        fixture.server.always("/0", Act::Status(503));
        fixture.server.always("config", Act::Status(503));
        pull(&fixture, Mode::Require)
    };
    let mut answers = 0;
    while let Err(error) = run() {
        assert!(matches!(error, Error::Retry(_)), "{error}");
        answers += 3;
        assert!(answers < 1000, "no end");
    }
    assert!(answers > 0 && u64::try_from(answers).unwrap() <= size.div_ceil(50) + 2, "{answers} for {size}");
    assert!(parts(&fixture) > 0 && moved(&fixture, new));
    fixture.check();
}

#[test]
fn a_signed_summary_says_which_superblock() {
    let key = SecretKey::from_seed(&[7; 32]);
    let (fixture, new, folder) = updated("sign-verify=false", &[]);
    ostree(&["summary", "--repo", text(&fixture.remote), "-u"]);
    let summary = fs::read(fixture.remote.join("summary")).unwrap();
    let mut signatures = Dict::new();
    rootling_trust::sign_summary(&summary, &key, &mut signatures).unwrap();
    fs::write(fixture.remote.join("summary.sig"), signatures.encode()).unwrap();
    let public = key.public();
    fixture.configure(&format!(
        "sign-verify=false\nsign-verify-summary=true\nverification-ed25519-key={public}"
    ));
    let superblock = fs::read(folder.join("superblock")).unwrap();
    fs::write(folder.join("superblock"), [&superblock[..], b"x"].concat()).unwrap();
    let error = pull(&fixture, Mode::Require).unwrap_err().to_string();
    assert!(error.contains("superblock"), "{error}");
    fs::write(folder.join("superblock"), superblock).unwrap();
    fixture.server.forget();
    pull(&fixture, Mode::Require).unwrap();
    assert!(moved(&fixture, new));
    let seen = fixture.server.seen();
    assert!(!seen.iter().any(|path| path.starts_with("delta-indexes")), "{seen:?}");
    fixture.check();
}
