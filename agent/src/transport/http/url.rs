//! `http:` and `https:` URLs (RFC 9110 section 4.2), as far as a client needs them.

use std::fmt;

use crate::error::{Error, Result};

/// Where a request goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// Whether it is `https:`.
    pub secure: bool,
    /// In lower case; an IPv6 address in its brackets.
    pub host: String,
    /// The port, also when it is the scheme's own.
    pub port: u16,
    /// Path and query, from the first slash.
    pub target: String,
    /// `user:password`.
    pub login: Option<String>,
}

impl Url {
    /// Reads an absolute URL; a fragment is dropped.
    pub fn parse(text: &str) -> Result<Url> {
        let scheme = text.split_once(':').and_then(|(scheme, rest)| Some((scheme, rest.strip_prefix("//")?)));
        let (scheme, rest) = scheme.unwrap_or(("", text));
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => Some(false),
            "https" => Some(true),
            _ => None,
        };
        let url = secure.and_then(|secure| Url::after_scheme(secure, rest));
        // a login is for its server alone
        let shown = text.rsplit_once('@').map_or(text, |(_, place)| place);
        url.ok_or_else(|| Error::refused(format_args!("expected an http: or https: URL, got {shown:?}")))
    }

    fn after_scheme(secure: bool, rest: &str) -> Option<Url> {
        let rest = without_fragment(rest);
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(unescaped(login)?), place),
            None => (None, authority),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (place, ""),
        };
        let port = match port {
            "" if secure => 443,
            "" => 80,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            _ => return None,
        };
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let fits = is_host(host) && is_target(&target);
        fits.then(|| Url { secure, host: host.to_ascii_lowercase(), port, target, login })
    }

    /// Where a `Location` leads from here (RFC 3986 section 5.2).
    pub fn join(&self, location: &str) -> Result<Url> {
        let reference = without_fragment(location);
        let head = reference.split(['/', '?']).next().unwrap_or_default();
        if head.ends_with(':') && reference[head.len()..].starts_with("//") {
            return Url::parse(reference);
        }
        if reference.starts_with("//") {
            return Url::parse(&format!("{}:{reference}", self.scheme()));
        }
        let path = self.target.split('?').next().unwrap_or_default();
        let target = match reference.as_bytes().first() {
            Some(b'/') => without_dots(reference),
            Some(b'?') => format!("{path}{reference}"),
            _ => without_dots(&format!("{}/{reference}", path.rsplit_once('/').map_or("", |(dir, _)| dir))),
        };
        match is_target(&target) {
            true => Ok(Url { target, ..self.clone() }),
            false => {
                Err(Error::refused(format_args!("expected a redirect to a URL, got one to {location:?}")))
            }
        }
    }

    fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Host and port, as the `Host` header has them.
    pub fn authority(&self) -> String {
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

/// Without the login, for messages and requests to a proxy.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority(), self.target)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn without_fragment(text: &str) -> &str {
    text.split('#').next().unwrap_or_default()
}

fn is_host(host: &str) -> bool {
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(named),
    }
}

/// Nothing that could end the request's line or start another.
fn is_target(target: &str) -> bool {
    target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `.` and `..` carried out; they never lead above the top.
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            ".." => drop(kept.pop()),
            "." => {}
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    format!("/{}{query}", kept.join("/"))
}

/// Percent-encoding undone; `None` if it is broken or hides a control character.
pub fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                out.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
                rest = tail;
            }
            (b'%', _) => return None,
            _ => out.push(*byte),
        }
    }
    String::from_utf8(out).ok().filter(|text| !text.contains(|letter: char| letter.is_ascii_control()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn urls_are_read_and_printed_without_their_login() {
        for (text, printed) in [
            ("http://h", "http://h/"),
            ("HTTP://Host.Example:80/a", "http://host.example/a"),
            ("https://h:443/a?b=c#d", "https://h/a?b=c"),
            ("https://h:80/", "https://h:80/"),
            ("http://h?q", "http://h/?q"),
            ("http://u:p%40@h:8/", "http://h:8/"),
            ("http://[::1]:81/x", "http://[::1]:81/x"),
            ("http://[::1]", "http://[::1]/"),
            ("http://h:/x", "http://h/x"),
        ] {
            assert_eq!(Url::parse(text).map(|url| url.to_string()), Ok(printed.to_owned()), "{text}");
        }
        assert_eq!(Url::parse("http://u:p%40@h").unwrap().login.as_deref(), Some("u:p@"));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "h",
            "ftp://h",
            "http:/h",
            "http://",
            "http://:80",
            "http://h:x",
            "http://h:+1",
            "http://h:65536",
            "http://h/a b",
            "http://h/\r\nX: y",
            "http://h\r\n",
            "http://[::1",
            "http://[x]",
            "http://%00@h",
            "http://a%0d%0ab@h",
            "http://h/\u{e9}",
        ] {
            assert!(Url::parse(text).is_err_and(|error| error.exit() == Exit::Failed), "{text:?}");
        }
        let told = Url::parse("http://me:secret@host:x/").unwrap_err().to_string();
        assert!(told.ends_with("got \"host:x/\""), "{told}");
    }

    #[test]
    fn redirects_lead_where_rfc_3986_says() {
        let base = Url::parse("http://u:p@h:8/a/b?q").unwrap();
        for (location, expected) in [
            ("/x", "http://h:8/x"),
            ("x", "http://h:8/a/x"),
            ("../x", "http://h:8/x"),
            ("../../../x", "http://h:8/x"),
            ("./", "http://h:8/a/"),
            ("..", "http://h:8/"),
            ("?z", "http://h:8/a/b?z"),
            ("//g/x", "http://g/x"),
            ("https://g/x#f", "https://g/x"),
            ("/x?u=http://y/../", "http://h:8/x?u=http://y/../"),
            ("x:y", "http://h:8/a/x:y"),
        ] {
            assert_eq!(base.join(location).map(|url| url.to_string()), Ok(expected.to_owned()), "{location}");
        }
        for location in ["ftp://g/", "/a b", "http://"] {
            assert!(base.join(location).is_err(), "{location:?}");
        }
        assert_eq!(base.join("/x").unwrap().login.as_deref(), Some("u:p"));
        assert_eq!(
            base.join("http://h:8/x").unwrap().login,
            None,
            "a login is never sent to where it was not meant"
        );
    }
}
