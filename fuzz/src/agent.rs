//! Targets for the device program: what a web server sends.

use rootling::transport::http::chunks::Chunks;
use rootling::transport::http::head::{self, Framing, Head, MAX_HEAD};
use rootling::transport::http::url::Url;

use crate::{Target, text};

pub const TARGETS: &[Target] = &[
    Target { name: "http_answer", run: answer, seeds: answers },
    Target {
        name: "http_url",
        run: url,
        seeds: || {
            ["http://u:p%40@host:81/a/../b?c#d", "https://[::1]/x", "../y/./z?q=//", "//host/x"]
                .map(|text| text.as_bytes().to_vec())
                .to_vec()
        },
    },
];

fn answers() -> Vec<Vec<u8>> {
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"a\"\r\nContent-Type: text/html\r\n\r\nhello",
        "HTTP/1.1 206 Part\r\nContent-Range: bytes 5-9/20\r\nConnection: close\r\n\r\nhello",
        "HTTP/1.0 302 Found\r\nLocation: http://host/x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\nrest",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// A head and the body after it: nothing is read past either end, and one input means one thing.
fn answer(data: &[u8]) {
    let Some(end) = head::end(data) else { return };
    let (first, body) = data.split_at(end);
    let Ok(head) = Head::parse(first) else { return };
    assert!(first.len() <= MAX_HEAD + 4 && (100..=999).contains(&head.status));
    for value in [&head.etag, &head.location].into_iter().flatten() {
        assert!(!value.contains(['\r', '\n', '\0']), "{value:?} could end a line of a request");
    }
    if let Some(range) = head.range {
        assert!(range.first <= range.last && range.total.is_none_or(|total| range.last < total));
    }
    if head.framing == Framing::Chunked {
        chunks(body);
    }
}

fn chunks(mut bytes: &[u8]) {
    let (mut chunks, mut between) = (Chunks::new(), 0);
    while let (false, Some((first, rest))) = (chunks.is_done(), bytes.split_first()) {
        let count = usize::try_from(chunks.data()).unwrap_or(usize::MAX).min(bytes.len());
        if count > 0 {
            chunks.took(count as u64);
            bytes = &bytes[count..];
            between = 0;
            continue;
        }
        if chunks.step(*first).is_err() {
            return;
        }
        between += 1;
        assert!(between <= 10_000, "read over without end");
        bytes = rest;
    }
}

/// What is accepted prints as a URL that reads the same, and may stand in a request's first line.
fn url(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let base = Url::parse("https://user:secret@host/dir/file").expect("a URL");
    for url in [Url::parse(text), base.join(text)].into_iter().flatten() {
        let printed = url.to_string();
        assert!(printed.bytes().all(|byte| byte.is_ascii_graphic()), "{printed:?}");
        let again = Url::parse(&printed).expect("reads what it printed");
        assert_eq!(Url { login: url.login.clone(), ..again }, url);
        let elsewhere = (url.host.as_str(), url.port, url.secure) != ("host", 443, true);
        assert!(!elsewhere || url.login.as_deref() != Some("user:secret"), "a login for {printed}");
    }
}
