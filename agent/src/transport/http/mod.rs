//! HTTP/1.1, for files from static web servers (RFC 9112; what it means is in RFC 9110).
//!
//! | file | noun | RFC 9112 section |
//! |---|---|---|
//! | [`url`] | URLs, and where a redirect leads | RFC 9110 4.2, RFC 3986 5.2 |
//! | [`client`] | the request's text, one exchange, redirects | 3, 9.3.1 |
//! | [`dial`] | addresses, proxies, CONNECT, TLS | 3.2.2, 3.2.3 |
//! | [`proxy`] | which proxy, and its login | RFC 7617 |
//! | [`resolve`] | addresses of hosts | |
//! | [`wire`] | a socket with time-outs | |
//! | [`connection`] | what is read of it, and heads in it | 2.2, 9 |
//! | [`head`] | status line and header fields | 2, 4, 5, 6 |
//! | [`chunks`] | the chunked coding | 7.1 |
//! | [`framed`] | a body, to its end | 6.3, 8 |
//! | [`pool`] | connections between requests | 9.3 |
//!
//! This file says what an answer means for a repository.
//!
//! **Invariant:** everything the server sends is bounded before it is kept, and read in one way only.

pub mod chunks;
mod client;
mod connection;
mod dial;
mod framed;
pub mod head;
mod pool;
mod proxy;
mod resolve;
pub mod url;
pub mod wire;

use std::fmt::Write as _;
use std::ops::Range;

use super::speed::{Speed, Timed};
use super::{Answer, Body, Limits, Request, Transport, tls};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::remote::Remote;
use client::{Client, Received};
use dial::Dialer;
use proxy::Proxies;
use url::Url;

/// A remote reached by HTTP or HTTPS.
pub struct Http {
    client: Client,
    base: Url,
    content: Url,
    limits: Limits,
}

impl Http {
    /// Sets up the connections to `remote`; nothing is sent yet.
    pub fn new(remote: &Remote, limits: &Limits, clock: &Clock) -> Result<Http> {
        let base = Url::parse(&format!("{}/", remote.url))?;
        let content = remote.content_url.as_ref().unwrap_or(&remote.url);
        let content = Url::parse(&format!("{content}/"))?;
        for url in [&base, &content] {
            if url.secure {
                tls::check().map_err(|error| error.at(&url.to_string()))?;
            }
        }
        let proxies = Proxies::choose(remote.proxy.as_deref())?;
        let dialer = Dialer::new(proxies, tls::Tls::new(remote, clock), limits.clone());
        Ok(Http { client: Client::new(dialer, limits.clone()), base, content, limits: limits.clone() })
    }

    fn url(&self, request: &Request<'_>) -> Url {
        let mut url = if request.content { self.content.clone() } else { self.base.clone() };
        encode(&mut url.target, request.path);
        url
    }

    fn body(&self, place: String, received: Received, request: &Request<'_>) -> Result<Body> {
        let Received { head, body: framed } = received;
        let length = match head.framing {
            head::Framing::Length(length) => Some(length),
            _ => None,
        };
        if let Some(length) = length.filter(|length| *length > request.limit) {
            return Err(Error::corrupt(format_args!(
                "{place}: expected at most {} bytes, got an answer of {length}",
                request.limit
            )));
        }
        let speed = Speed::new(self.limits.low_speed_bytes, self.limits.low_speed_time);
        let mut body = Body::new(place, Box::new(Timed::new(framed, speed)), request.limit);
        body.length = length;
        body.etag = head.etag;
        body.html = head.html;
        Ok(body)
    }

    fn part(
        &self,
        place: String,
        received: Received,
        wanted: &Range<u64>,
        request: &Request<'_>,
    ) -> Result<Body> {
        let Some(range) = received.head.range else {
            return Err(Error::retry(format_args!("{place}: expected Content-Range in HTTP 206, got none")));
        };
        if range.first != wanted.start || range.last >= wanted.end {
            return Err(Error::retry(format_args!(
                "{place}: expected bytes {} to {}, got {} to {}",
                wanted.start, wanted.end, range.first, range.last
            )));
        }
        let length = range.last - range.first + 1;
        let mut body = self.body(place, received, request)?;
        if body.length.is_some_and(|told| told != length) {
            return Err(Error::retry(format_args!(
                "{}: expected {length} bytes, got another length",
                body.place()
            )));
        }
        body.offset = range.first;
        body.total = range.total;
        Ok(body)
    }
}

impl Transport for Http {
    fn get(&self, request: &Request<'_>) -> Result<Answer> {
        let url = self.url(request);
        let place = url.to_string();
        let received = self.client.get(url, &fields(request)).map_err(|error| error.at(&place))?;
        let status = received.head.status;
        match (status, &request.range) {
            (200, _) => {
                let mut body = self.body(place, received, request)?;
                body.total = body.length;
                Ok(Answer::Found(body))
            }
            (206, Some(range)) => self.part(place, received, range, request).map(Answer::Found),
            _ => {
                self.client.drain(received.body);
                refusal(status, request, &place)
            }
        }
    }

    fn name(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// What an answer without a file means.
fn refusal(status: u16, request: &Request<'_>, place: &str) -> Result<Answer> {
    match status {
        304 if request.etag.is_some() && request.range.is_none() => Ok(Answer::Unchanged),
        404 | 410 => Ok(Answer::Absent),
        // object stores say so where nobody may list what they have; libostree reads it in the same way
        403 if request.optional => {
            rootling_store::warn!("{place}: HTTP 403, taken for a file that is not there");
            Ok(Answer::Absent)
        }
        408 | 425 | 429 | 500..=599 => {
            Err(Error::retry(format_args!("{place}: expected HTTP 200, got {status}")))
        }
        416 => Err(Error::corrupt(format_args!("{place}: expected a longer file, got HTTP 416"))),
        _ => Err(Error::refused(format_args!("{place}: expected HTTP 200, got {status}"))),
    }
}

/// The header fields that a request asks for.
fn fields(request: &Request<'_>) -> String {
    let mut fields = String::new();
    // it may come from a file
    let etag = request.etag.filter(|etag| !etag.bytes().any(|byte| byte.is_ascii_control()));
    // a weak one does not vouch for bytes: the whole file is asked for
    let weak = etag.is_some_and(|etag| etag.starts_with("W/"));
    match (&request.range, etag) {
        (Some(_), Some(_)) if weak => {}
        (Some(range), etag) if !range.is_empty() => {
            let _ = write!(fields, "Range: bytes={}-{}\r\n", range.start, range.end - 1);
            if let Some(etag) = etag {
                let _ = write!(fields, "If-Range: {etag}\r\n");
            }
        }
        (None, Some(etag)) => drop(write!(fields, "If-None-Match: {etag}\r\n")),
        _ => {}
    }
    if request.fresh {
        fields.push_str("Cache-Control: no-cache\r\n");
    }
    fields
}

/// Percent-encodes what a ref may hold but a URL may not.
fn encode(target: &mut String, path: &str) {
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'+' => {
                target.push(char::from(byte))
            }
            _ => drop(write!(target, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_become_urls() {
        for (path, url) in [
            ("refs/heads/os/main", "u/refs/heads/os/main"),
            ("refs/heads/a b", "u/refs/heads/a%20b"),
            ("refs/heads/é?#%", "u/refs/heads/%C3%A9%3F%23%25"),
            ("deltas/a+/b_-c.d", "u/deltas/a+/b_-c.d"),
        ] {
            let mut out = String::from("u/");
            encode(&mut out, path);
            assert_eq!(out, url);
        }
    }

    #[test]
    fn fields_say_what_is_asked_for() {
        let plain = Request::new("x", 9);
        for (request, expected) in [
            (plain.clone(), ""),
            (Request { fresh: true, ..plain.clone() }, "Cache-Control: no-cache\r\n"),
            (Request { etag: Some("W/\"a\""), ..plain.clone() }, "If-None-Match: W/\"a\"\r\n"),
            (Request { etag: Some("\"a\"\r\nX: y"), ..plain.clone() }, ""),
            (Request { range: Some(5..10), ..plain.clone() }, "Range: bytes=5-9\r\n"),
            (
                Request { range: Some(0..1), etag: Some("\"a\""), ..plain.clone() },
                "Range: bytes=0-0\r\nIf-Range: \"a\"\r\n",
            ),
            (Request { range: Some(5..10), etag: Some("W/\"a\""), ..plain.clone() }, ""),
            (Request { range: Some(5..5), ..plain.clone() }, ""),
        ] {
            assert_eq!(fields(&request), expected, "{request:?}");
        }
    }
}
