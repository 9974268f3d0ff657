//! Who may say what comes in.

use std::fs;

use rootling::progress::{Screen, Style};
use rootling::pull::admit::Rules;
use rootling::pull::history;
use rootling_object::{Dict, ObjectKind, RefName, Value};
use rootling_trust::{By, SecretKey};

use crate::fixture::{Fixture, REF, ostree, text};
use crate::server::Act;

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed(&[n; 32])
}

fn signed_by(n: u8) -> Fixture {
    Fixture::new(&format!(
        "gpg-verify=false\nsign-verify=ed25519\nverification-ed25519-key={}",
        key(n).public()
    ))
}

fn tip(fixture: &Fixture) -> rootling_object::Checksum {
    let text = fs::read_to_string(fixture.remote.join("refs/heads").join(REF)).unwrap();
    rootling_object::Checksum::parse_hex(text.trim()).unwrap()
}

#[test]
fn an_unsigned_commit_is_refused_before_anything_is_fetched() {
    let fixture = signed_by(1);
    let error = fixture.pull().expect_err("no signature");
    assert_eq!(error.class(), "untrusted", "{error}");
    assert!(error.to_string().contains("expected an ed25519 signature, got none"), "{error}");
    assert!(fixture.server.seen().iter().all(|path| !path.contains(".dirtree") && !path.contains(".filez")));
    assert!(fixture.is_untouched());
    assert_eq!(fixture.repo.list_objects().unwrap(), []);
    fixture.sign(&tip(&fixture), &key(1));
    let pulled = fixture.pull().expect("signed now");
    assert_eq!(pulled.commit.by(), &By::Key(key(1).public()));
    fixture.check();
}

#[test]
fn each_commit_of_the_history_needs_its_own_signature() {
    let fixture = signed_by(1);
    let [old, middle, new] = [1, 2, 3].map(|state| {
        let version = format!("--add-metadata-string=version={state}");
        fixture.commit_with(REF, state, 2000 + u64::from(state), &[&version])
    });
    let screen = Screen::new(Some(Style::Quiet));
    let name = RefName::parse(REF).unwrap();
    let find = || {
        let pull = fixture.open(Rules::default(), &screen)?;
        history::version(&pull, &name, "1").map(|found| *found.commit.checksum())
    };
    fixture.sign(&new, &key(1));
    fixture.sign(&old, &key(1));
    let error = find().expect_err("the one between is not signed").to_string();
    assert!(error.contains("1 commits back") && error.contains(&middle.to_string()), "{error}");
    fixture.sign(&middle, &key(1));
    assert_eq!(find().unwrap(), old);
    fs::write(fixture.object(ObjectKind::Commit, &middle), "not a commit").unwrap();
    assert_eq!(find().expect_err("broken").class(), "corrupt");
}

#[test]
fn a_signature_is_required_by_default() {
    let fixture = Fixture::new("");
    let error = fixture.pull().expect_err("no key at all");
    assert_eq!(error.class(), "untrusted", "{error}");
    assert!(error.to_string().contains("sign-verify=false"), "it says how: {error}");
    assert_eq!(fixture.server.seen(), [""; 0], "before anything is asked for");
}

#[test]
fn keys_come_from_files_and_from_the_system_and_can_be_revoked() {
    let fixture = Fixture::new("");
    fixture.sign(&tip(&fixture), &key(1));
    let etc = fixture.dir.path().join("sysroot/etc/ostree");
    fs::create_dir_all(etc.join("trusted.ed25519.d")).unwrap();
    fs::write(etc.join("trusted.ed25519.d/ours"), format!("# ours\n{}\n", key(1).public())).unwrap();
    fixture.pull().expect("a key of the system");
    fs::write(etc.join("revoked.ed25519"), key(1).public().to_string()).unwrap();
    let commit = fixture.commit(REF, 2, 2000);
    fixture.sign(&commit, &key(1));
    let error = fixture.pull().expect_err("the only key was revoked");
    assert_eq!(error.class(), "untrusted", "{error}");
    let file = fixture.dir.path().join("key");
    fs::write(&file, format!("{}\n", key(2).public())).unwrap();
    fixture.configure(&format!("verification-ed25519-file={}", text(&file)));
    let error = fixture.pull().expect_err("signed by another key");
    assert!(error.to_string().contains("the revoked key"), "{error}");
    fixture.sign(&commit, &key(2));
    fixture.pull().expect("signed by the key in the file too");
}

#[test]
fn a_signature_that_came_later_is_fetched_for_a_commit_that_is_here() {
    let fixture = Fixture::unsigned();
    fixture.pull().expect("unsigned is allowed");
    fixture.configure(&format!("verification-ed25519-key={}", key(1).public()));
    let error = fixture.pull().expect_err("not any more");
    assert_eq!(error.class(), "untrusted", "{error}");
    fixture.sign(&tip(&fixture), &key(1));
    let pulled = fixture.pull().expect("signed now");
    assert!(!pulled.changed);
    let kept = fixture.repo.load_detached(&tip(&fixture)).unwrap().expect("the signature is kept");
    assert!(kept.get("ostree.sign.ed25519").is_some());
    fixture.server.forget();
    fixture.pull().expect("by what is kept");
    assert_eq!(fixture.server.seen(), ["refs/heads/os/main"]);
}

#[test]
fn signatures_that_do_not_fit_are_refused() {
    for (name, forge) in
        [("of another commit", 0), ("by another key", 1), ("stripped", 2), ("of another type", 3)]
    {
        let fixture = signed_by(1);
        let first = tip(&fixture);
        fixture.sign(&first, &key(1));
        let second = fixture.commit(REF, 2, 2000);
        let path = fixture.object(ObjectKind::CommitMeta, &second);
        match forge {
            0 => drop(fs::copy(fixture.object(ObjectKind::CommitMeta, &first), path).unwrap()),
            1 => fixture.sign(&second, &key(9)),
            2 => fs::write(path, Dict::new().encode()).unwrap(),
            _ => {
                let mut dict = Dict::new();
                dict.set("ostree.sign.ed25519", Value::str("trust me"));
                fs::write(path, dict.encode()).unwrap();
            }
        }
        let error = fixture.pull().expect_err(name);
        assert_eq!(error.class(), "untrusted", "{name}: {error}");
        assert!(fixture.is_untouched(), "{name}");
    }
}

#[test]
fn a_commit_of_another_ref_is_a_side_grade() {
    let fixture = Fixture::unsigned();
    let test = fixture.commit("os/test", 7, 2000);
    fs::write(fixture.remote.join("refs/heads").join(REF), format!("{test}\n")).unwrap();
    let error = fixture.pull().expect_err("os/test served as os/main");
    assert_eq!(error.class(), "untrusted", "{error}");
    assert!(error.to_string().contains("ref binding: expected os/main, got [os/test]"), "{error}");
    fixture.pull_with("os/test", Rules::default()).expect("as itself it is fine");
}

#[test]
fn an_older_commit_is_a_downgrade() {
    let fixture = Fixture::unsigned();
    fixture.commit(REF, 2, 2000);
    fixture.pull().expect("the newer one");
    let old = fixture.commit(REF, 1, 1500);
    let error = fixture.pull().expect_err("an older one");
    assert_eq!(error.class(), "untrusted", "{error}");
    assert!(error.to_string().contains("--allow-downgrade"), "{error}");
    let rules = Rules { not_before: 9999, ..Rules::default() };
    let error = fixture.pull_with(REF, rules).expect_err("older than what is deployed");
    assert!(error.to_string().contains("time-stamp"), "{error}");
    let rules = Rules { allow_downgrade: true, ..Rules::default() };
    assert_eq!(fixture.pull_with(REF, rules).expect("asked for").commit.checksum(), &old);
}

#[test]
fn a_collection_has_to_match() {
    let fixture = Fixture::new("sign-verify=false\ncollection-id=org.example.Os");
    let error = fixture.pull().expect_err("no binding");
    assert_eq!(error.class(), "untrusted", "{error}");
    let bind = |id: &str| format!("--add-metadata-string=ostree.collection-binding={id}");
    fixture.commit_with(REF, 1, 2000, &[&bind("org.example.Other")]);
    let error = fixture.pull().expect_err("another collection");
    assert!(error.to_string().contains("org.example.Other"), "{error}");
    fixture.commit_with(REF, 1, 3000, &[&bind("org.example.Os")]);
    fixture.pull().expect("the right one");
}

#[test]
fn a_signed_summary_binds_the_refs() {
    let fixture = Fixture::new(&format!(
        "gpg-verify=false\nsign-verify-summary=ed25519\nverification-ed25519-key={}",
        key(1).public()
    ));
    fixture.sign(&tip(&fixture), &key(1));
    let error = fixture.pull().expect_err("no summary");
    assert!(error.to_string().contains("expected a signed summary, got none"), "{error}");
    ostree(&["summary", "-u", "--repo", text(&fixture.remote)]);
    let error = fixture.pull().expect_err("no signature");
    assert_eq!(error.class(), "untrusted", "{error}");
    let sign = || {
        let summary = fs::read(fixture.remote.join("summary")).unwrap();
        let mut dict = Dict::new();
        rootling_trust::sign_summary(&summary, &key(1), &mut dict).unwrap();
        fs::write(fixture.remote.join("summary.sig"), dict.encode()).unwrap();
    };
    sign();
    fixture.pull().expect("summary and commit signed");
    let other = fixture.commit("os/other", 3, 3000);
    fixture.sign(&other, &key(1));
    let error = fixture.pull_with("os/other", Rules::default()).expect_err("not in the signed summary");
    assert!(error.to_string().contains("expected ref os/other, got none"), "{error}");
    fixture.server.times("summary.sig", Act::Flip(80), 1);
    fixture.pull().expect("a stale signature is asked for once more");
    fixture.check();
}

#[test]
fn a_remote_with_only_a_summary_is_fine() {
    let fixture = Fixture::unsigned();
    ostree(&["summary", "-u", "--repo", text(&fixture.remote)]);
    fs::remove_dir_all(fixture.remote.join("refs")).unwrap();
    fixture.pull().expect("by the summary");
    fixture.check();
}

#[test]
fn what_a_remote_asks_for_and_we_do_not_do_is_refused_by_name() {
    for (line, part) in [
        ("gpg-verify=true", "gpg-verify"),
        ("metalink=http://x/y", "metalink"),
        ("custom-backend=flatpak", "custom-backend"),
        ("unconfigured-state=call us", "call us"),
        ("sing-verify=false", "sing-verify"),
    ] {
        let fixture = Fixture::new(line);
        let error = fixture.pull().expect_err(line);
        assert!(error.to_string().contains(part), "{line}: {error}");
        assert_eq!(fixture.server.seen(), [""; 0]);
    }
}
