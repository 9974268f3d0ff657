//! Which proxy a request goes through.
//!
//! The remote's own, for everything. Without one the environment's: `http_proxy`, `https_proxy`, else `all_proxy`,
//! each in lower or upper case, but not for what `no_proxy` lists.

use super::url::Url;
use crate::error::{Error, Result};

/// A proxy that speaks plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// As in [`Url`].
    pub host: String,
    /// The port.
    pub port: u16,
    /// `user:password`.
    pub login: Option<String>,
}

/// The proxies of a remote.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    plain: Option<Proxy>,
    secure: Option<Proxy>,
    /// Hosts that are reached without.
    direct: Vec<String>,
}

impl Proxies {
    /// The remote's own proxy, or those of the environment.
    pub fn choose(configured: Option<&str>) -> Result<Proxies> {
        Proxies::from(configured, &|name| std::env::var(name).ok())
    }

    fn from(configured: Option<&str>, environment: &dyn Fn(&str) -> Option<String>) -> Result<Proxies> {
        if let Some(text) = configured {
            let proxy = Some(parse("proxy", text)?);
            return Ok(Proxies { plain: proxy.clone(), secure: proxy, direct: Vec::new() });
        }
        let lookup = |name: &str| {
            let value = environment(name).or_else(|| environment(&name.to_ascii_uppercase()));
            value.filter(|value| !value.is_empty())
        };
        let one = |name: &str| -> Result<Option<Proxy>> {
            let all = || lookup("all_proxy").map(|text| ("all_proxy", text));
            let found = lookup(name).map(|text| (name, text)).or_else(all);
            found.map(|(name, text)| parse(name, &text)).transpose()
        };
        let direct = lookup("no_proxy").unwrap_or_default();
        let direct = direct.split(',').map(|host| host.trim().to_ascii_lowercase());
        Ok(Proxies {
            plain: one("http_proxy")?,
            secure: one("https_proxy")?,
            direct: direct.filter(|host| !host.is_empty()).collect(),
        })
    }

    /// The proxy for `url`, if it goes through one.
    pub fn of(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.secure { &self.secure } else { &self.plain };
        let direct = self.direct.iter().any(|listed| covers(listed, url));
        proxy.as_ref().filter(|_| !direct)
    }
}

/// `*`, a host, or a domain with all its hosts, each with or without a port.
fn covers(listed: &str, url: &Url) -> bool {
    let port = format!(":{}", url.port);
    let domain = listed.strip_suffix(&port).unwrap_or(listed);
    let domain = domain.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(domain);
    let domain = domain.trim_start_matches('.');
    let (host, domain) = (url.host.trim_matches(['[', ']']), domain.trim_matches(['[', ']']));
    domain == "*" || host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn parse(name: &str, text: &str) -> Result<Proxy> {
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
    match url {
        Ok(Url { secure: false, host, port, login, .. }) => Ok(Proxy { host, port, login }),
        _ => Err(Error::refused(format_args!("{name} {text:?}: expected an http:// URL"))),
    }
}

/// The value of an `Authorization` field: `user:password` in base64 (RFC 7617).
pub fn basic(login: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::from("Basic ");
    for group in login.as_bytes().chunks(3) {
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

    type Environment<'a> = &'a [(&'a str, &'a str)];

    fn through(environment: Environment<'_>, url: &str) -> Result<Option<String>> {
        let lookup = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let proxies = Proxies::from(None, &lookup)?;
        let proxy = proxies.of(&Url::parse(url).unwrap());
        Ok(proxy.map(|proxy| format!("{}:{}", proxy.host, proxy.port)))
    }

    #[test]
    fn the_environment_decides_by_scheme() {
        let both: Environment<'_> =
            &[("http_proxy", "http://p:1"), ("HTTPS_PROXY", "s:2"), ("all_proxy", "a")];
        let all: Environment<'_> = &[("ALL_PROXY", "http://a/"), ("http_proxy", "")];
        for (environment, url, proxy) in [
            (both, "http://h", Some("p:1")),
            (both, "https://h", Some("s:2")),
            (all, "http://h", Some("a:80")),
            (all, "https://h", Some("a:80")),
            (&[][..], "https://h", None),
            (&[("https_proxy", "s")][..], "http://h", None),
        ] {
            assert_eq!(through(environment, url), Ok(proxy.map(str::to_owned)), "{environment:?} {url}");
        }
        for bad in ["socks5://p", "https://p", "http://", "p q"] {
            let error = through(&[("http_proxy", bad)], "http://h").expect_err(bad);
            assert!(error.to_string().contains("expected an http:// URL"), "{error}");
        }
    }

    #[test]
    fn hosts_may_be_reached_without() {
        for (listed, url, direct) in [
            ("h.example", "http://h.example", true),
            ("h.example", "http://a.H.example:9", true),
            ("h.example", "http://ah.example", false),
            (".h.example", "http://a.h.example", true),
            ("*.h.example", "http://a.h.example", true),
            ("h:81", "http://h:81", true),
            ("h:81", "http://h:82", false),
            ("x, h ,y", "https://h", true),
            ("*", "https://h", true),
            ("::1", "http://[::1]:8", true),
            ("127.0.0.1", "http://127.0.0.2", false),
            (",", "http://h", false),
        ] {
            let proxy = through(&[("all_proxy", "p"), ("no_proxy", listed)], url).unwrap();
            assert_eq!(proxy.is_none(), direct, "{listed:?} {url}");
        }
    }

    #[test]
    fn a_configured_proxy_takes_everything() {
        let environment = |name: &str| (name == "no_proxy").then(|| "*".to_owned());
        let proxies = Proxies::from(Some("http://u:p@q:3128"), &environment).unwrap();
        let proxy = proxies.of(&Url::parse("https://h").unwrap()).unwrap();
        assert_eq!((proxy.port, proxy.login.as_deref()), (3128, Some("u:p")));
    }

    #[test]
    fn logins_are_base64() {
        for (login, text) in [
            ("x:y", "Basic eDp5"),
            ("Aladdin:open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ("ab:", "Basic YWI6"),
            ("abc:d", "Basic YWJjOmQ="),
        ] {
            assert_eq!(basic(login), text);
        }
    }
}
