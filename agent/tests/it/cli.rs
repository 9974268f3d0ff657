//! The program as scripts see it.

use std::process::{Command, Output};

use crate::fixture::{Fixture, text};

fn rootling(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rootling")).args(args).output().unwrap()
}

#[test]
fn exit_codes_are_as_documented() {
    let fixture = Fixture::unsigned();
    let repo = text(fixture.repo.path());
    let code = |args: &[&str]| rootling(args).status.code().unwrap();
    assert_eq!(code(&["frobnicate"]), 2);
    assert_eq!(code(&["--repo", repo, "pull", "nobody", "os/main"]), 1);
    assert_eq!(code(&["--repo", repo, "pull", "origin", "os/main"]), 0);
    assert_eq!(code(&["--repo", repo, "pull", "origin:os/main"]), 77);
    assert_eq!(code(&["--repo", repo, "pull", "origin"]), 2);
    fixture.configure("sign-verify=ed25519");
    assert_eq!(code(&["--repo", repo, "pull", "origin", "os/main"]), 3);
    assert_eq!(code(&["version"]), 0);
    assert_eq!(code(&["--help"]), 0);
    let help = String::from_utf8(rootling(&["upgrade", "--help"]).stdout).unwrap();
    assert!(help.contains("--download-only") && help.contains("--sysroot=DIR"), "{help}");
}

#[test]
fn json_lines_are_all_there_is_on_standard_output() {
    let fixture = Fixture::unsigned();
    let repo = text(fixture.repo.path());
    let output = rootling(&["--progress=json", "--repo", repo, "pull", "origin", "os/main"]);
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.lines().all(|line| line.starts_with("{\"event\":\"") && line.ends_with('}')), "{out}");
    for event in ["phase", "fetch", "message", "end"] {
        assert!(out.contains(&format!("{{\"event\":\"{event}\"")), "{event} in {out}");
    }
    assert!(out.ends_with("{\"event\":\"end\",\"exit\":0,\"word\":\"ok\"}\n"), "{out}");
    let output = rootling(&["--progress=json", "--repo", repo, "pull", "nobody", "os/main"]);
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains(r#"{"event":"error","class":"failed","exit":1,"text":"#), "{out}");
}

#[test]
fn remotes_are_added_listed_and_deleted() {
    let fixture = Fixture::unsigned();
    let repo = text(fixture.repo.path());
    let run = |args: &[&str]| {
        let output = rootling(&[&["--repo", repo], args].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run(&["remote", "add", "two", "http://h/r", "--set=proxy=http://p:1"]).0, 0);
    assert_eq!(run(&["remote", "add", "two", "http://h/r"]).0, 1);
    assert_eq!(run(&["remote", "add", "two", "http://h/s", "--if-not-exists"]).0, 0);
    assert_eq!(run(&["remote", "add", "bad", "http://h/r", "--set=gpg-verify=true"]).0, 1);
    assert_eq!(run(&["remote", "add", "../x", "http://h/r"]).0, 2);
    let (_, listed) = run(&["remote", "list", "-u"]);
    assert_eq!(listed, format!("origin  {}\ntwo  http://h/r\n", fixture.server.url));
    let theirs = crate::fixture::ostree(&["remote", "list", "-u", "--repo", repo]);
    assert!(theirs.contains("two"), "{theirs}");
    assert_eq!(run(&["remote", "delete", "two"]).0, 0);
    assert_eq!(run(&["remote", "delete", "two"]).0, 1);
    assert_eq!(run(&["remote", "delete", "two", "--if-exists"]).0, 0);
}
