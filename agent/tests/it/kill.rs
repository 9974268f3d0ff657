//! The program killed again and again in the middle of a pull: nothing is lost, and nothing is fetched twice.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::fixture::{Fixture, text};
use crate::server::Act;

#[test]
fn a_killed_pull_goes_on_where_it_was() {
    let fixture = Fixture::unsigned();
    // slow enough to be hit in the middle of everything
    fixture.server.always("objects", Act::Late(Duration::from_millis(10)));
    let pull = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rootling"));
        command.args(["--repo", text(fixture.repo.path()), "pull", "origin", "os/main"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut kills = 0;
    for requests in [1, 2, 3, 4, 5, 6, 8, 10, 12] {
        let before = fixture.server.seen().len();
        let mut child = pull();
        let start = Instant::now();
        while fixture.server.seen().len() < before + requests && start.elapsed() < Duration::from_secs(120) {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::yield_now();
        }
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
        assert!(fixture.is_untouched() || fixture.repo.list_refs().unwrap().len() == 1);
    }
    assert!(kills >= 5, "{kills} kills");
    fixture.server.behave();
    let code = pull().wait().unwrap().code();
    assert!(matches!(code, Some(0 | 77)), "{code:?}");
    fixture.check();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for path in fixture.server.seen().into_iter().filter(|path| path.ends_with(".filez")) {
        *times.entry(path).or_default() += 1;
    }
    // each kill may catch a few objects in flight
    let again: usize = times.values().map(|count| count - 1).sum();
    assert!(again <= kills * 6, "{again} fetched again after {kills} kills: {times:?}");
}
