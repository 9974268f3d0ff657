//! HTTP/1.1 by ureq: kept-alive connections, every wait bounded.

use std::io::{self, Read};
use std::time::Duration;

use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector};

use super::body::transport_fault;
use super::resolve::Remembering;
use super::speed::{Speed, Timed};
use super::{Answer, Body, Limits, Request, Transport, proxy, tls};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::remote::Remote;

/// Bytes buffered for each connection and direction.
const BUFFER: usize = 16 << 10;

/// The longest body of an error that is read to keep its connection.
const ERROR_BODY: u64 = 64 << 10;

/// A remote reached by HTTP or HTTPS.
#[derive(Debug)]
pub struct Http {
    agent: ureq::Agent,
    base: String,
    content: String,
    limits: Limits,
}

impl Http {
    /// Sets up the connections to `remote`; nothing is sent yet.
    pub fn new(remote: &Remote, limits: &Limits, clock: &Clock) -> Result<Http> {
        let base = format!("{}/", remote.url);
        let content = format!("{}/", remote.content_url.as_deref().unwrap_or(&remote.url));
        let secure = base.starts_with("https:") && content.starts_with("https:");
        if base.starts_with("https:") || content.starts_with("https:") {
            tls::check().map_err(|error| error.at(&base))?;
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .https_only(secure)
            .proxy(proxy::choose(remote.proxy.as_deref())?)
            .max_redirects(limits.redirects)
            .user_agent(concat!("rootling/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("")
            .timeout_connect(Some(limits.stall))
            .timeout_resolve(Some(limits.stall))
            .timeout_per_read(Some(limits.stall))
            .timeout_per_write(Some(limits.stall))
            .timeout_recv_response(Some(limits.head))
            .max_response_header_size(BUFFER)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .max_idle_connections(limits.connections)
            .max_idle_connections_per_host(limits.connections)
            .max_idle_age(Duration::from_secs(50))
            .build();
        let chain =
            ().chain(proxy::PlainProxy)
                .chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(tls::connector(remote, clock));
        let agent = ureq::Agent::with_parts(config, chain, Remembering::default());
        Ok(Http { agent, base, content, limits: limits.clone() })
    }

    fn url(&self, request: &Request<'_>) -> String {
        let mut url = if request.content { self.content.clone() } else { self.base.clone() };
        encode(&mut url, request.path);
        url
    }

    fn body(&self, place: String, response: ureq::http::Response<ureq::Body>, limit: u64) -> Body {
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (etag, kind) = (header("etag"), header("content-type"));
        let length = response.body().content_length();
        let speed = Speed::new(self.limits.low_speed_bytes, self.limits.low_speed_time);
        let reader = Timed::new(Mapped { reader: response.into_body().into_reader(), length }, speed);
        let mut body = Body::new(place, Box::new(reader), limit);
        body.length = length;
        body.etag = etag;
        body.html = kind.is_some_and(|kind| kind.starts_with("text/html"));
        body
    }
}

impl Transport for Http {
    fn get(&self, request: &Request<'_>) -> Result<Answer> {
        let url = self.url(request);
        let mut call = self.agent.get(&url);
        if let Some(etag) = request.etag {
            call = call.header("If-None-Match", etag);
        }
        if request.fresh {
            call = call.header("Cache-Control", "no-cache");
        }
        if let Some(range) = &request.range {
            call = call.header("Range", format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        }
        let response = call.call().map_err(|error| classify(error).at(&url))?;
        let status = response.status().as_u16();
        match status {
            206 if request.range.is_some() => {
                let start = response.headers().get("content-range").and_then(|value| value.to_str().ok());
                let offset = start.and_then(first_byte).ok_or_else(|| {
                    Error::Corrupt(format!("{url}: expected a Content-Range in bytes, got {start:?}"))
                })?;
                let mut body = self.body(url, response, request.limit);
                body.offset = offset;
                Ok(Answer::Found(body))
            }
            200 => {
                let body = self.body(url, response, request.limit);
                match body.length.filter(|length| *length > request.limit) {
                    Some(length) => Err(Error::Corrupt(format!(
                        "{}: expected at most {} bytes, got an answer of {length}",
                        body.place(),
                        request.limit
                    ))),
                    None => Ok(Answer::Found(body)),
                }
            }
            304 if request.etag.is_some() => {
                drain(response);
                Ok(Answer::Unchanged)
            }
            404 | 410 => {
                drain(response);
                Ok(Answer::Absent)
            }
            408 | 425 | 429 | 500..=599 => {
                drain(response);
                Err(Error::Retry(format!("{url}: expected HTTP 200, got {status}")))
            }
            _ => Err(Error::Refused(format!("{url}: expected HTTP 200, got {status}"))),
        }
    }

    fn name(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// The first number of `bytes 5-9/20`.
fn first_byte(content_range: &str) -> Option<u64> {
    content_range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

/// Reads a short body of an error, so that its connection can be used again.
fn drain(response: ureq::http::Response<ureq::Body>) {
    let _ = io::copy(&mut response.into_body().into_reader().take(ERROR_BODY), &mut io::sink());
}

/// Percent-encodes what a ref may hold but a URL may not.
fn encode(url: &mut String, path: &str) {
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'+' => {
                url.push(char::from(byte))
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// Turns ureq's errors inside a body into ours.
struct Mapped<R> {
    reader: R,
    length: Option<u64>,
}

impl<R: Read> Read for Mapped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted {
                return error;
            }
            let early = error.kind() == io::ErrorKind::UnexpectedEof;
            io::Error::other(match self.length {
                Some(length) if early => {
                    Error::Retry(format!("expected {length} bytes, got the end of the connection"))
                }
                _ => classify(ureq::Error::from(error)),
            })
        })
    }
}

fn classify(error: ureq::Error) -> Error {
    use ureq::Error as E;
    match error {
        E::Timeout(reason) => Error::Retry(format!("expected an answer in time, got none ({reason})")),
        E::HostNotFound => Error::Retry("expected the address of the host, got none".into()),
        E::Io(io) => match transport_fault(&io) {
            Some(fault) => fault,
            None => Error::Retry(io.to_string()),
        },
        E::TooManyRedirects => Error::Refused("expected a file, got redirects without end".into()),
        E::RequireHttpsOnly(_) => Error::Refused("expected https, got a redirect to plain http".into()),
        E::TlsRequired | E::Tls(_) => Error::Refused(format!("{error}")),
        E::BadUri(_) | E::Http(_) | E::InvalidProxyUrl => Error::Refused(error.to_string()),
        other => Error::Retry(other.to_string()),
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
}
