//! The HTTP client by itself: ranges, chunks and connections, against nginx and against a server that cheats.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use rootling::clock::Clock;
use rootling::error::Result;
use rootling::remote::{Remote, Tls};
use rootling::transport::{Answer, Body, Limits, Request, Transport, file::Files, http::Http};

use crate::fixture::text;
use crate::nginx::Nginx;

fn remote(url: &str) -> Remote {
    Remote {
        name: "origin".into(),
        url: url.into(),
        content_url: None,
        branches: Vec::new(),
        signed: false,
        summary_signed: false,
        keys: Vec::new(),
        collection: None,
        tls: Tls::default(),
        proxy: None,
        origin: "/".into(),
    }
}

fn http(url: &str) -> Http {
    Http::new(&remote(url), &Limits::default(), &Clock::read()).unwrap()
}

fn found(answer: Result<Answer>) -> Body {
    match answer.unwrap() {
        Answer::Found(body) => body,
        other => panic!("{other:?}"),
    }
}

fn part<'a>(range: Range<u64>, etag: Option<&'a str>) -> Request<'a> {
    Request { range: Some(range), etag, ..Request::new("f", 1 << 20) }
}

/// Answers to requests on as many connections as there are lists; each list is sent on one, and then it is closed.
fn scripted(connections: Vec<Vec<Vec<u8>>>) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let mut heads = Vec::new();
        for answers in connections {
            let mut stream = listener.accept().unwrap().0;
            for answer in answers {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    head.push(byte[0]);
                }
                heads.push(String::from_utf8(head).unwrap());
                stream.write_all(&answer).unwrap();
            }
        }
        heads
    });
    (url, server)
}

fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn ranges_come_from_nginx_and_from_files_alike() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..100_000_u32).map(|index| (index / 7) as u8).collect();
    fs::write(dir.path().join("f"), &bytes).unwrap();
    let nginx = Nginx::start(dir.path(), "", "");
    let http = http(&format!("http://127.0.0.1:{}", nginx.port));
    let files = Files::new(text(dir.path()), text(dir.path()));
    for transport in [&http as &dyn Transport, &files] {
        for (range, got) in [
            (0..1, 0..1),
            (5..70_000, 5..70_000),
            (99_990..100_000, 99_990..100_000),
            (99_999..200_000, 99_999..100_000),
        ] {
            let body = found(transport.get(&part(range.clone(), None)));
            assert_eq!((body.offset, body.length), (got.start, Some(got.end - got.start)), "{range:?}");
            assert_eq!(body.total, Some(100_000), "{range:?}");
            let (start, end) = (usize::try_from(got.start).unwrap(), usize::try_from(got.end).unwrap());
            assert_eq!(body.bytes().unwrap(), &bytes[start..end], "{range:?}");
        }
        let error = transport.get(&part(100_001..100_002, None)).expect_err("beyond the end");
        assert_eq!(error.class(), "corrupt", "{error}");
        let whole = found(transport.get(&Request::new("f", 1 << 20)));
        assert_eq!((whole.offset, whole.total), (0, Some(100_000)));
    }
    let etag = found(http.get(&Request::new("f", 1 << 20))).etag.expect("nginx names versions");
    let same = found(http.get(&part(10..20, Some(&etag))));
    assert_eq!((same.offset, same.length), (10, Some(10)));
    let other = found(http.get(&part(10..20, Some("\"other\""))));
    assert_eq!((other.offset, other.length), (0, Some(100_000)), "another version is sent whole");
}

#[test]
fn a_server_that_sends_another_range_is_not_believed() {
    let cases = [
        ("206 P\r\nContent-Range: bytes 6-9/20", "expected bytes 5 to 10, got 6 to 9"),
        ("206 P\r\nContent-Range: bytes 5-10/20", "expected bytes 5 to 10, got 5 to 10"),
        ("206 P\r\nContent-Range: bytes 5-9/20", "got another length"),
        ("206 P", "expected Content-Range"),
    ];
    let answers = cases.iter().map(|(head, _)| vec![answer(head, "1234")]).collect();
    let (url, server) = scripted(answers);
    for (_, expected) in cases {
        let error = http(&url).get(&part(5..10, None)).expect_err(expected);
        assert!(error.class() == "network" && error.to_string().contains(expected), "{error}");
    }
    assert!(server.join().unwrap()[0].contains("\r\nRange: bytes=5-9\r\n"));
}

#[test]
fn a_part_nobody_asked_for_is_refused() {
    let (url, server) = scripted(vec![vec![answer("206 P\r\nContent-Range: bytes 0-3/20", "1234")]]);
    let error = http(&url).get(&Request::new("f", 100)).expect_err("a part");
    assert!(error.to_string().contains("got 206"), "{error}");
    server.join().unwrap();
}

#[test]
fn chunks_are_followed_on_the_same_connection() {
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n";
    let (url, server) = scripted(vec![vec![chunked.to_vec(), b"HTTP/1.1 200 OK\r\nCo".to_vec()]]);
    let http = http(&url);
    assert_eq!(found(http.get(&Request::new("f", 100))).bytes(), Ok(b"hello".to_vec()));
    let error = http.get(&Request::new("g", 100)).expect_err("cut in its head");
    assert!(error.to_string().contains("/g: expected the head of an answer"), "{error}");
    assert_eq!(server.join().unwrap().len(), 2, "both on one connection");
}

#[test]
fn a_connection_the_server_closed_costs_nothing_but_a_second_one() {
    let (url, server) = scripted(vec![vec![answer("200 OK", "one")], vec![answer("200 OK", "two")], vec![]]);
    let http = http(&url);
    assert_eq!(found(http.get(&Request::new("a", 100))).bytes(), Ok(b"one".to_vec()));
    assert_eq!(found(http.get(&Request::new("b", 100))).bytes(), Ok(b"two".to_vec()));
    let error = http.get(&Request::new("c", 100)).expect_err("a fresh connection that ends is a fault");
    assert_eq!(error.class(), "network", "{error}");
    let heads = server.join().unwrap();
    assert_eq!(heads.iter().map(|head| &head[..6]).collect::<Vec<_>>(), ["GET /a", "GET /b"]);
}

#[test]
fn a_login_in_the_url_goes_to_its_host_and_into_no_message() {
    let (url, server) = scripted(vec![vec![answer("403 No", "")]]);
    let with_login = url.replace("http://", "http://me:s%20t@");
    let error = http(&with_login).get(&Request::new("f", 100)).expect_err("refused");
    assert!(!error.to_string().contains("me:"), "{error}");
    assert!(server.join().unwrap()[0].contains("\r\nAuthorization: Basic bWU6cyB0\r\n"));
}

#[test]
fn the_head_has_a_time_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // never silent for long, and never done
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        while stream.write_all(b"H").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let http = Http::new(&remote(&url), &limits, &Clock::read()).unwrap();
    let error = http.get(&Request::new("f", 100)).expect_err("too slow");
    assert!(error.to_string().contains("expected an answer in time"), "{error}");
}
