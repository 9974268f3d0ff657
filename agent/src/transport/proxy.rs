//! Proxies: plain `http:` through one by absolute-form requests, TLS by CONNECT.
//!
//! ureq would CONNECT for plain HTTP as well, which most proxies allow for port 443 only. So the first line of each
//! request is rewritten on its way out: `GET /path` becomes `GET http://host/path` (RFC 9112 section 3.2.2).

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, TcpConnector, Transport,
};
use ureq::{Proxy, ProxyProtocol};

use crate::error::{Error, Result};

/// The remote's own proxy, or the environment's.
pub fn choose(configured: Option<&str>) -> Result<Option<Proxy>> {
    let proxy = match configured {
        Some(url) => {
            Some(Proxy::new(url).map_err(|error| Error::Refused(format!("proxy {url:?}: {error}")))?)
        }
        None => Proxy::try_from_env(),
    };
    match proxy {
        Some(proxy) if proxy.protocol() != ProxyProtocol::Http => {
            Err(Error::Refused(format!("proxy {:?}: expected an http:// URL", proxy.uri().to_string())))
        }
        other => Ok(other),
    }
}

/// Connects to the proxy itself when the target is plain HTTP.
#[derive(Debug)]
pub struct PlainProxy;

impl<In: Transport> Connector<In> for PlainProxy {
    type Out = Either<In, Box<dyn Transport>>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        if let Some(transport) = chained {
            return Ok(Some(Either::A(transport)));
        }
        let Some(proxy) = details.config.proxy() else { return Ok(None) };
        if details.needs_tls() || proxy.is_no_proxy(details.uri) || proxy.uri() == details.uri {
            return Ok(None);
        }
        let addrs = details.resolver.resolve(proxy.uri(), details.config, details.timeout)?;
        let through = ConnectionDetails {
            uri: proxy.uri(),
            addrs,
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        let Some(inner) = Connector::<()>::connect(&TcpConnector::default(), &through, None)? else {
            return Ok(None);
        };
        let host = details.uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
        let (user, password) = (proxy.username(), proxy.password());
        let login = user.or(password).map(|_| basic(user.unwrap_or_default(), password.unwrap_or_default()));
        Ok(Some(Either::B(Box::new(AbsoluteForm { inner: Box::new(inner), host, login }))))
    }
}

#[derive(Debug)]
struct AbsoluteForm {
    inner: Box<dyn Transport>,
    host: String,
    login: Option<String>,
}

impl Transport for AbsoluteForm {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let typed = self.inner.buffers().output().get(..amount).unwrap_or_default().to_vec();
        let head = absolute(&typed, &self.host, self.login.as_deref());
        let mut rest = head.as_slice();
        while !rest.is_empty() {
            let output = self.inner.buffers().output();
            let size = rest.len().min(output.len());
            let (now, later) = rest.split_at(size);
            output[..size].copy_from_slice(now);
            self.inner.transmit_output(size, timeout)?;
            rest = later;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}

fn absolute(head: &[u8], host: &str, login: Option<&str>) -> Vec<u8> {
    let Some(path) = head.strip_prefix(b"GET /") else { return head.to_vec() };
    let mut out = format!("GET http://{host}/").into_bytes();
    match (login, path.windows(2).position(|pair| pair == b"\r\n")) {
        (Some(login), Some(end)) => {
            let (line, rest) = path.split_at(end);
            out.extend_from_slice(line);
            out.extend_from_slice(format!("\r\nProxy-Authorization: Basic {login}").as_bytes());
            out.extend_from_slice(rest);
        }
        _ => out.extend_from_slice(path),
    }
    out
}

/// `user:password` in base64 (RFC 7617).
fn basic(user: &str, password: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in format!("{user}:{password}").as_bytes().chunks(3) {
        let mut bytes = [0; 4];
        bytes[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(bytes);
        for index in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * index)) as usize & 63];
            out.push(if index <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_host() {
        let head = b"GET /a/b HTTP/1.1\r\nHost: h\r\n\r\n";
        assert_eq!(absolute(head, "h:81", None), b"GET http://h:81/a/b HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(
            absolute(head, "h", Some("eDp5")),
            b"GET http://h/a/b HTTP/1.1\r\nProxy-Authorization: Basic eDp5\r\nHost: h\r\n\r\n"
        );
        assert_eq!(absolute(b"rest", "h", None), b"rest");
    }

    #[test]
    fn logins_are_base64() {
        for (user, password, text) in [
            ("x", "y", "eDp5"),
            ("Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ("ab", "", "YWI6"),
            ("abc", "d", "YWJjOmQ="),
        ] {
            assert_eq!(basic(user, password), text);
        }
    }
}
