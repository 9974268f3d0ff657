//! Servers that misbehave: each ends in an error of the right class, and a good server then finishes the pull.

use std::time::{Duration, Instant};

use rootling::error::Error;

use crate::fixture::Fixture;
use crate::server::Act;

/// Tells the class of an error by a word, so that a table can ask for it.
fn class(error: &Error) -> &'static str {
    error.class()
}

#[test]
fn each_misbehaviour_has_its_error_and_costs_nothing() {
    let ms = Duration::from_millis;
    let cases: Vec<(&str, Act, &str, &str)> = vec![
        ("refs/heads", Act::Status(500), "network", "got 500"),
        ("refs/heads", Act::Status(503), "network", "(3 attempts)"),
        ("refs/heads", Act::Status(401), "failed", "got 401"),
        ("refs/heads", Act::Status(403), "failed", "expected ref os/main, got none"),
        (".filez", Act::Status(403), "failed", "got 403"),
        ("refs/heads", Act::Status(404), "failed", "expected ref os/main, got none"),
        ("refs/heads", Act::Html, "corrupt", "a page of HTML"),
        ("refs/heads", Act::Never, "network", "expected an answer in time"),
        ("refs/heads", Act::Stall(10), "network", "expected an answer in time"),
        ("refs/heads", Act::Garbage, "network", "refs/heads"),
        ("refs/heads", Act::EndlessHead, "network", "refs/heads"),
        ("refs/heads", Act::Redirect("/refs/heads/os/main".into()), "failed", "redirects without end"),
        ("refs/heads", Act::Instead(b"1234\n".to_vec()), "corrupt", "64 lower-case"),
        ("refs/heads", Act::Instead(vec![b'a'; 5000]), "corrupt", "expected at most 128 bytes"),
        (".commit", Act::Status(404), "corrupt", "expected an object, got none"),
        (".commit", Act::Status(502), "network", "got 502"),
        (".commit", Act::Html, "corrupt", "a page of HTML"),
        (".dirtree", Act::Never, "network", "expected an answer in time"),
        (".dirtree", Act::Flip(9), "corrupt", "checksum"),
        (".dirmeta", Act::Longer, "corrupt", "checksum"),
        (".filez", Act::Status(500), "network", "got 500"),
        (".filez", Act::Status(404), "corrupt", "expected an object, got none"),
        (".filez", Act::Html, "corrupt", "a page of HTML"),
        (".filez", Act::Stall(40), "network", "expected an answer in time"),
        (".filez", Act::Truncate(30), "network", "got the end of the connection"),
        (".filez", Act::Length(100), "network", "got the end of the connection"),
        (".filez", Act::Length(-5), "corrupt", ".filez"),
        (".filez", Act::Drip(ms(20)), "network", "bytes a second"),
        (".filez", Act::Flip(20), "corrupt", ".filez"),
        (".filez", Act::Longer, "corrupt", ".filez"),
        (".filez", Act::Garbage, "network", ".filez"),
    ];
    // most of the time is spent waiting for time-outs
    for some in cases.chunks(6) {
        std::thread::scope(|scope| {
            for (word, act, wanted, part) in some {
                scope.spawn(move || misbehave(word, act, wanted, part));
            }
        });
    }
}

fn misbehave(word: &str, act: &Act, wanted: &str, part: &str) {
    let fixture = Fixture::unsigned();
    fixture.server.always(word, act.clone());
    let start = Instant::now();
    let error = fixture.pull().expect_err(&format!("{word} {act:?}"));
    assert_eq!(class(&error), wanted, "{word} {act:?}: {error}");
    assert!(error.to_string().contains(part), "{word} {act:?}: {error}");
    assert!(start.elapsed() < Duration::from_secs(120), "{word} {act:?} took {:?}", start.elapsed());
    assert!(fixture.is_untouched(), "{word} {act:?} left something visible");
    fixture.server.behave();
    fixture.pull().unwrap_or_else(|error| panic!("good again after {word} {act:?}: {error}"));
    fixture.check();
}

#[test]
fn what_passes_by_itself_is_tried_again() {
    let fixture = Fixture::unsigned();
    fixture.server.times("refs/heads", Act::Status(503), 2);
    fixture.server.times(".commit", Act::Never, 1);
    fixture.server.times(".dirtree", Act::Garbage, 1);
    fixture.server.times(".filez", Act::Truncate(20), 2);
    fixture.server.times(".filez", Act::Flip(20), 1);
    fixture.pull().expect("three attempts are enough");
    fixture.check();
    let fresh = fixture
        .server
        .heads()
        .into_iter()
        .filter(|head| head.to_lowercase().contains("cache-control: no-cache"));
    assert_eq!(fresh.count(), 1, "the corrupt answer is asked for past caches");
}

#[test]
fn odd_but_right_answers_are_accepted() {
    let fixture = Fixture::unsigned();
    fixture.server.always("refs/heads/os/main", Act::Redirect("/refs/heads/other".into()));
    std::fs::copy(fixture.remote.join("refs/heads/os/main"), fixture.remote.join("refs/heads/other"))
        .unwrap();
    fixture.server.always(".dirtree", Act::Unframed);
    fixture.server.always(".filez", Act::BreakPromise);
    fixture.pull().expect("a redirect, no length, and connections that close");
    fixture.check();
}

#[test]
fn connections_are_kept_and_few() {
    let fixture = Fixture::unsigned();
    let pulled = fixture.pull().expect("a good server");
    let requests = fixture.server.seen().len();
    assert_eq!(
        requests as u64,
        pulled.fetched + 5,
        "and the ref, two kinds of deltas, the commit and its signatures"
    );
    assert!(
        fixture.server.connections() <= 3,
        "{} connections for {requests} requests",
        fixture.server.connections()
    );
    assert_eq!(pulled.fetched, 10, "4 files (one content twice), a symlink, 4 dirtrees, a dirmeta");
}

#[test]
fn a_second_pull_asks_for_almost_nothing() {
    let fixture = Fixture::unsigned();
    assert!(fixture.pull().expect("first").changed);
    fixture.server.forget();
    let second = fixture.pull().expect("second");
    assert!(!second.changed);
    assert_eq!(fixture.server.seen(), ["refs/heads/os/main"]);
    fixture.commit("os/main", 2, 2000);
    fixture.server.forget();
    assert!(fixture.pull().expect("third").changed);
    let files = fixture.server.seen().iter().filter(|path| path.contains(".filez")).count();
    assert_eq!(files, 2, "only what differs: {:?}", fixture.server.seen());
    fixture.check();
}

#[test]
fn a_pull_that_failed_goes_on_where_it_was() {
    let fixture = Fixture::unsigned();
    // let everything through but one object, whichever it is
    fixture.server.times(".filez", Act::Status(403), 1);
    fixture.pull().expect_err("one object is refused");
    fixture.server.behave();
    fixture.server.forget();
    fixture.pull().expect("the rest");
    let again = fixture.server.seen();
    assert!(!again.iter().any(|path| path.ends_with(".dirmeta")), "already here: {again:?}");
    fixture.check();
}

#[test]
fn an_object_store_that_may_not_list_says_403_for_what_is_not_there() {
    let fixture = Fixture::unsigned();
    for word in [".commitmeta", "deltas-rootling", "summary"] {
        fixture.server.always(word, Act::Status(403));
    }
    fixture.pull().expect("nothing of that is needed");
    fixture.check();
    fixture.server.always("refs/heads", Act::Status(403));
    let error = fixture.pull().expect_err("neither a ref nor a summary");
    assert!(error.to_string().contains("expected ref os/main"), "{error}");
}

#[test]
fn plain_http_goes_through_a_proxy_in_absolute_form() {
    let fixture = Fixture::unsigned();
    // the proxy is the same server; the host in the URL does not exist
    let proxy = fixture.server.url.replace("http://", "http://user:secret@");
    let config = std::fs::read_to_string(fixture.repo.path().join("config")).unwrap();
    let config = config.replace(&fixture.server.url, "http://no-such-host.invalid:81");
    std::fs::write(fixture.repo.path().join("config"), format!("{config}proxy={proxy}\n")).unwrap();
    fixture.pull().expect("through the proxy");
    fixture.check();
    let heads = fixture.server.heads();
    let first = &heads[0];
    assert!(
        first.starts_with("GET http://no-such-host.invalid:81/refs/heads/os/main HTTP/1.1\r\n"),
        "{first}"
    );
    assert!(first.contains("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ="), "{first}");
}

#[test]
fn content_may_come_from_elsewhere() {
    let fixture = Fixture::unsigned();
    let other = crate::server::Server::start(&fixture.remote);
    fixture.configure(&format!("sign-verify=false\ncontenturl={}", other.url));
    fixture.pull().expect("from two servers");
    assert!(fixture.server.seen().iter().all(|path| !path.contains(".filez")));
    assert!(other.seen().iter().all(|path| path.contains(".filez")));
    assert!(!other.seen().is_empty());
}

#[test]
fn a_server_that_is_not_there_is_a_network_failure() {
    let fixture = Fixture::unsigned();
    let config = std::fs::read_to_string(fixture.repo.path().join("config")).unwrap();
    std::fs::write(
        fixture.repo.path().join("config"),
        config.replace(&fixture.server.url, "http://127.0.0.1:9"),
    )
    .unwrap();
    let error = fixture.pull().expect_err("nobody listens");
    assert_eq!(class(&error), "network", "{error}");
}
