//! Pulls judged by the real `ostree`, into every mode we write and from every mode it writes.

use std::fs;
use std::path::Path;

use rootling::progress::{Screen, Style};
use rootling::pull::admit::Rules;
use rootling::pull::open;
use rootling_object::{Dict, RefName};
use rootling_store::{Repo, RepoMode};
use rootling_trust::SecretKey;

use crate::fixture::{Fixture, REF, ostree, text};
use crate::nginx::Nginx;

fn pull_path(repo: &Repo, from: &Path) -> rootling::error::Result<rootling::pull::Pulled> {
    let screen = Screen::new(Some(Style::Quiet));
    let sysroot = from.parent().unwrap();
    open::path(repo, sysroot, from, None, Rules::default(), &screen)?.fetch(&RefName::parse(REF).unwrap())
}

#[test]
fn the_same_tree_arrives_in_every_mode() {
    let fixture = Fixture::unsigned();
    let wanted = ostree(&["ls", "-R", "-X", "-C", "--repo", text(&fixture.remote), REF]);
    for mode in [RepoMode::Archive, RepoMode::BareUser, RepoMode::Bare] {
        let dir = tempfile::tempdir().unwrap();
        let repo = Repo::create(&dir.path().join("into"), mode).unwrap();
        let config = fs::read_to_string(repo.path().join("config")).unwrap();
        let remote = format!("[remote \"origin\"]\nurl={}\nsign-verify=false\n", fixture.server.url);
        fs::write(repo.path().join("config"), format!("{config}{remote}")).unwrap();
        let screen = Screen::new(Some(Style::Quiet));
        let patience = crate::fixture::hasty();
        let (_, pull) =
            open::remote(&repo, dir.path(), "origin", Rules::default(), &patience, &screen).unwrap();
        pull.fetch(&RefName::parse(REF).unwrap()).unwrap_or_else(|error| panic!("{mode}: {error}"));
        ostree(&["fsck", "--repo", text(repo.path())]);
        let got = ostree(&["ls", "-R", "-X", "-C", "--repo", text(repo.path()), "origin:os/main"]);
        assert_eq!(got, wanted, "{mode}");
    }
}

#[test]
fn a_repo_on_this_machine_may_be_of_any_mode() {
    let fixture = Fixture::unsigned();
    for mode in ["archive", "bare", "bare-user"] {
        let from = fixture.dir.path().join(mode);
        ostree(&["init", "--mode", mode, "--repo", text(&from)]);
        ostree(&["pull-local", "--repo", text(&from), text(&fixture.remote), REF]);
        let into = fixture.dir.path().join(format!("from-{mode}"));
        let repo = Repo::create(&into, RepoMode::BareUser).unwrap();
        assert!(pull_path(&repo, &from).unwrap_or_else(|error| panic!("{mode}: {error}")).changed);
        ostree(&["fsck", "--repo", text(&into)]);
        assert!(!pull_path(&repo, &from).expect("again").changed);
    }
}

#[test]
fn a_file_url_is_a_remote_like_any_other() {
    let fixture = Fixture::unsigned();
    let config = fs::read_to_string(fixture.repo.path().join("config")).unwrap();
    let url = format!("file://{}", text(&fixture.remote));
    fs::write(fixture.repo.path().join("config"), config.replace(&fixture.server.url, &url)).unwrap();
    fixture.pull().expect("by file:");
    fixture.check();
    assert_eq!(fixture.server.seen(), [""; 0]);
}

#[test]
fn nginx_serves_what_ostree_made() {
    let fixture = Fixture::unsigned();
    let nginx = Nginx::start(&fixture.remote, "", "");
    let path = fixture.repo.path().join("config");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace(&fixture.server.url, &format!("http://127.0.0.1:{}", nginx.port)))
        .unwrap();
    fixture.pull().expect("from nginx");
    fixture.check();
}

#[test]
fn nothing_new_by_a_signed_summary_is_one_conditional_request() {
    let fixture = Fixture::unsigned();
    let key = SecretKey::from_seed(&[1; 32]);
    ostree(&["summary", "-u", "--repo", text(&fixture.remote)]);
    let summary = fs::read(fixture.remote.join("summary")).unwrap();
    let mut dict = Dict::new();
    rootling_trust::sign_summary(&summary, &key, &mut dict).unwrap();
    fs::write(fixture.remote.join("summary.sig"), dict.encode()).unwrap();
    let nginx = Nginx::start(&fixture.remote, "", "");
    let keys =
        format!("sign-verify=false\nsign-verify-summary=ed25519\nverification-ed25519-key={}", key.public());
    fixture.configure(&keys);
    let path = fixture.repo.path().join("config");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace(&fixture.server.url, &format!("http://127.0.0.1:{}", nginx.port)))
        .unwrap();
    assert!(fixture.pull().expect("first").changed);
    let before = nginx.log().len();
    assert!(!fixture.pull().expect("second").changed);
    let log = nginx.log();
    assert_eq!(log.len(), before + 1, "{log:?}");
    assert!(log[before].contains("GET /summary.sig HTTP/1.1\" 304"), "{log:?}");
    // a broken cache costs requests, not the pull
    fs::write(fixture.repo.path().join("tmp/cache/summaries/origin"), "flash forgets").unwrap();
    assert!(!fixture.pull().expect("third").changed);
}

#[test]
fn a_full_disk_is_told_apart_and_harms_nothing() {
    let fixture = Fixture::unsigned();
    let path = fixture.repo.path().join("config");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace("[core]", "[core]\nmin-free-space-size=900000TB")).unwrap();
    // the limits of a repo are read when it is opened
    let repo = Repo::open(fixture.repo.path()).unwrap();
    let screen = Screen::new(Some(Style::Quiet));
    let patience = crate::fixture::hasty();
    let (_, pull) =
        open::remote(&repo, fixture.dir.path(), "origin", Rules::default(), &patience, &screen).unwrap();
    let error = pull.fetch(&RefName::parse(REF).unwrap()).expect_err("no space");
    assert_eq!(error.class(), "space", "{error}");
    assert!(fixture.is_untouched());
}
