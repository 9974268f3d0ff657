//! From a URL to a connection: addresses, the proxy, the tunnel, TLS.

use std::net::TcpStream;
use std::time::Instant;

use super::connection::Connection;
use super::proxy::{Proxies, Proxy, basic};
use super::resolve::Addresses;
use super::url::Url;
use super::wire::{Tcp, Wire, late, unwrapped};
use crate::error::{Error, Result};
use crate::transport::{Limits, tls::Tls};

/// How servers are reached.
pub struct Dialer {
    proxies: Proxies,
    addresses: Addresses,
    tls: Tls,
    limits: Limits,
}

impl Dialer {
    /// Nothing is sent yet.
    pub fn new(proxies: Proxies, tls: Tls, limits: Limits) -> Dialer {
        Dialer { proxies, addresses: Addresses::default(), tls, limits }
    }

    /// The proxy that is told the whole URL, and connected to in the server's place.
    pub fn plain_proxy(&self, url: &Url) -> Option<&Proxy> {
        self.proxies.of(url).filter(|_| !url.secure)
    }

    /// Requests whose connections can stand in for each other have the same key.
    pub fn key(&self, url: &Url) -> String {
        match self.plain_proxy(url) {
            Some(proxy) => format!("proxy {}:{}", proxy.host, proxy.port),
            None => format!("{}{}:{}", if url.secure { "tls " } else { "" }, url.host, url.port),
        }
    }

    /// Connects for `url`; all of it takes no longer than an answer may.
    pub fn connect(&self, url: &Url) -> Result<Connection> {
        let deadline = Instant::now() + self.limits.head;
        let proxy = self.proxies.of(url);
        let (host, port) = proxy.map_or((&url.host, url.port), |proxy| (&proxy.host, proxy.port));
        let mut tcp = self.tcp(host, port, deadline)?;
        tcp.set_deadline(Some(deadline));
        let mut wire: Box<dyn Wire> = Box::new(tcp);
        if url.secure {
            if let Some(proxy) = proxy {
                wire = tunnel(wire, proxy, url)?;
            }
            wire = self.tls.wrap(wire, url.host.trim_matches(['[', ']']))?;
        }
        Ok(Connection::new(self.key(url), wire))
    }

    /// Tries the addresses of a host in their order.
    fn tcp(&self, host: &str, port: u16, deadline: Instant) -> Result<Tcp> {
        let left = || deadline.saturating_duration_since(Instant::now()).min(self.limits.stall);
        let mut last = late();
        for address in self.addresses.of(host, port, left())? {
            let wait = left();
            if wait.is_zero() {
                break;
            }
            let stream = TcpStream::connect_timeout(&address, wait);
            match stream.and_then(|stream| Tcp::new(stream, self.limits.stall)) {
                Ok(tcp) => return Ok(tcp),
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => last = late(),
                Err(error) => last = error,
            }
        }
        unwrapped(Err(last))
    }
}

/// Asks a proxy for a tunnel (RFC 9110 section 9.3.6).
fn tunnel(wire: Box<dyn Wire>, proxy: &Proxy, url: &Url) -> Result<Box<dyn Wire>> {
    let (place, target) =
        (format!("proxy {}:{}", proxy.host, proxy.port), format!("{}:{}", url.host, url.port));
    let login = proxy.login.as_deref().map(|login| format!("Proxy-Authorization: {}\r\n", basic(login)));
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{}\r\n", login.unwrap_or_default());
    let mut connection = Connection::new(String::new(), wire);
    let head = connection.send(request.as_bytes()).and_then(|()| connection.head());
    match unwrapped(head).map_err(|error| error.at(&place))?.status {
        200..=299 => connection.into_wire().ok_or_else(|| {
            Error::retry(format_args!("{place}: expected a tunnel, got bytes before the first request"))
        }),
        status @ (403 | 405 | 407) => {
            Err(Error::refused(format_args!("{place}: expected a tunnel to {target}, got HTTP {status}")))
        }
        status => {
            Err(Error::retry(format_args!("{place}: expected a tunnel to {target}, got HTTP {status}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// What a proxy was asked, and what came of its answer.
    fn ask(answer: &'static [u8]) -> (String, Result<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, mut asked) = (listener.accept().unwrap().0, Vec::new());
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.push(byte[0]);
            }
            stream.write_all(answer).unwrap();
            String::from_utf8(asked).unwrap()
        });
        let wire = Box::new(Tcp::new(TcpStream::connect(address).unwrap(), Duration::from_secs(60)).unwrap());
        let proxy = Proxy { host: "p".into(), port: 8, login: Some("x:y".into()) };
        let result = tunnel(wire, &proxy, &Url::parse("https://h/a").unwrap()).map(|_| ());
        (server.join().unwrap(), result)
    }

    #[test]
    fn a_tunnel_is_there_when_the_proxy_says_so() {
        let (asked, result) = ask(b"HTTP/1.1 200 Connection established\r\n\r\n");
        let expected = "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nProxy-Authorization: Basic eDp5\r\n\r\n";
        assert_eq!((asked.as_str(), result), (expected, Ok(())));
        for (answer, class, part) in [
            (&b"HTTP/1.1 407 Login\r\n\r\n"[..], "failed", "got HTTP 407"),
            (b"HTTP/1.1 502 No\r\n\r\n", "network", "proxy p:8: expected a tunnel to h:443, got HTTP 502"),
            (b"HTTP/1.1 200 OK\r\n\r\n\x16\x03", "network", "before the first request"),
            (b"", "network", "proxy p:8"),
        ] {
            let error = ask(answer).1.expect_err(part);
            assert!(error.class() == class && error.to_string().contains(part), "{error}");
        }
    }
}
