//! Every object of a pull meets every fault once, without a socket in between.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rootling::progress::{Screen, Style};
use rootling::pull::Pull;
use rootling::pull::admit::Rules;
use rootling::pull::cache::Cache;
use rootling::pull::source::{Server, Source};
use rootling::transport::faulty::{Fault, Faulty};
use rootling::transport::file::Files;
use rootling::transport::retry::Retry;
use rootling_object::RefName;
use rootling_store::Repo;
use rootling_trust::Policy;

use crate::fixture::{Fixture, REF, create, text};

type Plan = Vec<(String, Fault)>;

/// A pull through a faulty transport, and what it asked for.
fn pull(
    fixture: &Fixture,
    repo: &Repo,
    plan: Plan,
    attempts: u32,
) -> (rootling::error::Result<()>, Vec<String>) {
    let screen = Screen::new(Some(Style::Quiet));
    let remote = text(&fixture.remote);
    let transport = Arc::new(Faulty::new(Files::new(remote, remote), plan));
    let policy = Policy::Unsigned { remote: "origin".into() };
    let source = Source::Server(Server {
        transport: transport.clone(),
        retry: Retry { attempts, pause: |_| {}, ..Retry::default() },
        summary_policy: policy.clone(),
        cache: Cache::new(repo.path(), "origin"),
        meter: Arc::new(AtomicU64::new(0)),
    });
    let rules = Rules::default();
    let pull = Pull {
        repo,
        source,
        remote: Some("origin".into()),
        policy,
        rules,
        deltas: Default::default(),
        memory_limit: 0,
        threads: 2,
        screen: &screen,
    };
    (pull.fetch(&RefName::parse(REF).unwrap()).map(|_| ()), transport.seen())
}

fn fresh(fixture: &Fixture, number: usize) -> Repo {
    create(&fixture.dir.path().join(format!("into-{number}")))
}

#[test]
fn every_fault_at_every_object() {
    let fixture = Fixture::unsigned();
    let (good, paths) = pull(&fixture, &fresh(&fixture, 0), Vec::new(), 1);
    good.expect("no fault at all");
    let faults = [
        (Fault::Refuse, "network"),
        (Fault::Absent, "corrupt"),
        (Fault::Cut(5), "network"),
        (Fault::Short(5), "corrupt"),
        (Fault::Flip(3), "corrupt"),
        (Fault::Longer, "corrupt"),
        (Fault::Instead(b"<html>".to_vec()), "corrupt"),
    ];
    let mut number = 0;
    for path in paths.iter().filter(|path| path.contains("objects/") && !path.ends_with("commitmeta")) {
        for (fault, class) in &faults {
            number += 1;
            let repo = fresh(&fixture, number);
            // twice: a corrupt answer is asked for again, past caches
            let plan = vec![(path.clone(), fault.clone()); 2];
            let error = pull(&fixture, &repo, plan.clone(), 1).0.expect_err(path);
            assert_eq!(error.class(), *class, "{path} {fault:?}: {error}");
            assert!(repo.list_refs().unwrap().is_empty(), "{path} {fault:?}");
            pull(&fixture, &repo, Vec::new(), 1)
                .0
                .unwrap_or_else(|error| panic!("after {path} {fault:?}: {error}"));
            assert!(rootling_store::fsck::fsck(&repo, None, 1).unwrap().is_clean(), "after {path} {fault:?}");
            let patient = pull(&fixture, &fresh(&fixture, number + 10_000), plan[..1].to_vec(), 2).0;
            patient.unwrap_or_else(|error| panic!("one {fault:?} at {path} is got over: {error}"));
        }
    }
    assert!(number > 50, "{number} cases");
}
