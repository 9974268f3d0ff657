//! Repositories and servers that lie, are broken, or do not answer: each ends in an error that says what and where.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use rootling_compose::fetch::Cache;
use rootling_compose::repo::{self, RepoVars};

use crate::repos;

const TEXT: &str = "a-1-1\nR b\nb-1-1";

/// The error of loading a repository, or how many packages it has.
pub fn load(config: &str) -> Result<usize, String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.repo"), format!("[r]\ngpgcheck=0\n{config}\n")).unwrap();
    let configs = repo::read_dir(dir.path(), &RepoVars::default()).unwrap();
    let cache = Cache::new(&dir.path().join("cache")).unwrap();
    match repo::load(configs, &["noarch"], &cache) {
        Ok(loaded) => Ok(loaded.pool.packages.len()),
        Err(error) => Err(format!("{error:#}")),
    }
}

fn edit(path: &Path, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    std::fs::write(path, change(std::fs::read(path).unwrap())).unwrap();
}

fn replace(bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1).into()
}

type Spoil = fn(&Path);

#[test]
fn broken_repositories_are_named() {
    let cases: [(&str, Spoil, &[&str]); 8] = [
        (
            "changed",
            |dir| {
                edit(&dir.join("repodata/primary.xml.gz"), |mut b| {
                    let at = b.len() / 2;
                    b[at] ^= 1;
                    b
                })
            },
            &["repository \"r\"", "repodata/primary.xml.gz: sha256 checksum: expected ", ", got "],
        ),
        (
            "cut",
            |dir| edit(&dir.join("repodata/primary.xml.gz"), |b| b[..b.len() - 9].to_vec()),
            &["repodata/primary.xml.gz: size: expected ", " bytes, got "],
        ),
        (
            "longer",
            |dir| edit(&dir.join("repodata/primary.xml.gz"), |b| [b, vec![0]].concat()),
            &["repodata/primary.xml.gz: size: expected ", " bytes, got more"],
        ),
        (
            "gone",
            |dir| std::fs::remove_file(dir.join("repodata/primary.xml.gz")).unwrap(),
            &["repository \"r\"", "repodata/primary.xml.gz: No such file"],
        ),
        (
            "no index",
            |dir| std::fs::remove_file(dir.join("repodata/repomd.xml")).unwrap(),
            &["repository \"r\"", "repodata/repomd.xml: No such file"],
        ),
        (
            "web page",
            |dir| std::fs::write(dir.join("repodata/repomd.xml"), "<html><body>hello</body></html>").unwrap(),
            &["repodata/repomd.xml: no repomd element"],
        ),
        (
            "no primary",
            |dir| edit(&dir.join("repodata/repomd.xml"), |b| replace(b, "\"primary\"", "\"secondary\"")),
            &["lists no primary, only: secondary, filelists"],
        ),
        (
            "larger than said",
            |dir| {
                edit(&dir.join("repodata/repomd.xml"), |b| {
                    let text = String::from_utf8(b).unwrap();
                    let (before, after) = text.split_once("<open-size>").unwrap();
                    format!("{before}<open-size>20{}", &after[after.find('<').unwrap()..]).into()
                })
            },
            &["repodata/primary.xml.gz: XML"],
        ),
    ];
    for (name, spoil, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        let repo = repos::write(dir.path(), "r", None, TEXT);
        let config = format!("baseurl=file://{}", repo.dir.display());
        assert_eq!(load(&config), Ok(2));
        spoil(&repo.dir);
        let error = load(&config).expect_err(name);
        for part in expected {
            assert!(error.contains(part), "{name}: {part:?} is not in {error}");
        }
    }
}

/// A server that gives every connection the same answer, or none at all.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if answer.is_empty() {
                silent.push(stream);
                continue;
            }
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn broken_servers_are_named() {
    for (answer, expected) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "repomd.xml: expected status 200, got 404"),
        (
            "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "expected status 200, got 500",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "repomd.xml"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n<repomd>", "repomd.xml"),
        ("SSH-2.0-x\r\n\r\n", "repomd.xml"),
        ("", "timeout"),
    ] {
        let url = server(answer);
        let error = load(&format!("baseurl={url}\ntimeout=1")).unwrap_err();
        assert!(error.contains(expected) && error.contains("repository \"r\""), "{answer:?}: {error}");
    }
}

#[test]
fn the_second_url_answers_when_the_first_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repos::write(dir.path(), "r", None, TEXT);
    let bad = server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(load(&format!("baseurl={bad}\n  file://{}", repo.dir.display())), Ok(2));
}

#[test]
fn a_broken_file_in_the_cache_is_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repos::write(dir.path(), "r", None, TEXT);
    let config = format!("[r]\ngpgcheck=0\nbaseurl=file://{}\n", repo.dir.display());
    std::fs::write(dir.path().join("t.repo"), config).unwrap();
    let cache = Cache::new(&dir.path().join("cache")).unwrap();
    let load = || {
        let configs = repo::read_dir(dir.path(), &RepoVars::default()).unwrap();
        repo::load(configs, &["noarch"], &cache).unwrap().pool.packages.len()
    };
    assert_eq!(load(), 2);
    for entry in dir.path().join("cache/metadata").read_dir().unwrap() {
        std::fs::write(entry.unwrap().path(), "junk").unwrap();
    }
    assert_eq!(load(), 2);
}
