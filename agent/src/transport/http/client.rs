//! One request and its answer: the text that is sent, the connection it goes over, and redirects.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::connection::Connection;
use super::dial::Dialer;
use super::framed::Framed;
use super::head::Head;
use super::pool::Pool;
use super::proxy::basic;
use super::url::Url;
use super::wire::{is_gone, unwrapped};
use crate::error::{Error, Result};
use crate::transport::Limits;

/// The longest body of an error or a redirect that is read to keep its connection.
const UNWANTED_BODY: u64 = 64 << 10;

/// Sends requests and follows redirects.
pub struct Client {
    dialer: Dialer,
    pool: Arc<Pool>,
    limits: Limits,
}

/// An answer, and where it came from at last.
pub struct Received {
    /// The head.
    pub head: Head,
    /// The body.
    pub body: Framed,
}

impl Client {
    /// A client without a connection yet.
    pub fn new(dialer: Dialer, limits: Limits) -> Client {
        Client { dialer, pool: Arc::new(Pool::new(limits.connections)), limits }
    }

    /// Asks for `url`; `fields` are further header fields, each with its CRLF.
    pub fn get(&self, mut url: Url, fields: &str) -> Result<Received> {
        for _ in 0..=self.limits.redirects {
            let received = self.exchange(&url, fields)?;
            let Some(location) = redirect(&received.head) else { return Ok(received) };
            let next = url.join(location)?;
            if url.secure && !next.secure {
                return Err(Error::refused(format_args!("expected https, got a redirect to plain http")));
            }
            self.drain(received.body);
            url = next;
        }
        Err(Error::refused(format_args!("expected a file, got redirects without end")))
    }

    /// Reads a body that nobody wants.
    pub fn drain(&self, body: Framed) {
        body.drain(UNWANTED_BODY, Instant::now() + self.limits.stall);
    }

    fn exchange(&self, url: &Url, fields: &str) -> Result<Received> {
        let request = self.request(url, fields);
        if let Some(kept) = self.pool.take(&self.dialer.key(url)) {
            match self.once(kept, &request) {
                // the server had given it up meanwhile
                Err(error) if is_gone(&error) => {}
                other => return unwrapped(other),
            }
        }
        unwrapped(self.once(self.dialer.connect(url)?, &request))
    }

    fn once(&self, mut connection: Connection, request: &str) -> io::Result<Received> {
        connection.wire().tcp().set_deadline(Some(Instant::now() + self.limits.head));
        connection.send(request.as_bytes())?;
        let head = connection.head()?;
        connection.wire().tcp().set_deadline(None);
        let body = Framed::new(connection, &head, self.pool.clone());
        Ok(Received { head, body })
    }

    /// The head of a request (RFC 9112 section 3).
    fn request(&self, url: &Url, fields: &str) -> String {
        let (mut target, mut logins) = (url.target.clone(), String::new());
        if let Some(login) = &url.login {
            logins = format!("Authorization: {}\r\n", basic(login));
        }
        if let Some(proxy) = self.dialer.plain_proxy(url) {
            target = url.to_string();
            if let Some(login) = &proxy.login {
                logins = format!("{logins}Proxy-Authorization: {}\r\n", basic(login));
            }
        }
        format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: rootling/{}\r\nAccept: */*\r\n{logins}{fields}\r\n",
            url.authority(),
            env!("CARGO_PKG_VERSION")
        )
    }
}

/// Where an answer leads, if it is a redirect.
fn redirect(head: &Head) -> Option<&str> {
    let elsewhere = matches!(head.status, 301 | 302 | 303 | 307 | 308);
    head.location.as_deref().filter(|_| elsewhere)
}
