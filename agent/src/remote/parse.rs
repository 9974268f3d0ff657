//! From a keyfile group to a [`Remote`], or to the name of the key that stands in the way.

use rootling_object::keyfile::Keyfile;

use super::{KeySource, Remote, Tls};
use crate::error::{Error, Result};

/// The name of a remote's group in a keyfile.
pub fn group(name: &str) -> String {
    format!("remote \"{name}\"")
}

/// Reads the remote `name` from `keyfile`; `place` names the file in errors.
pub fn parse(keyfile: &Keyfile, name: &str, place: &str) -> Result<Remote> {
    let group = group(name);
    let refuse = |text: String| Error::refused(format_args!("{place}: remote {name:?}: {text}"));
    let mut remote = empty(name);
    let mut gpg = None;
    for key in keyfile.keys(&group) {
        let text = keyfile.get(&group, key).unwrap_or_default().to_owned();
        match key {
            "url" => remote.url = url(&text).map_err(&refuse)?,
            "contenturl" => remote.content_url = Some(url(&text).map_err(&refuse)?),
            "branches" => remote.branches = list(&text),
            "gpg-verify" | "gpg-verify-summary" => gpg = gpg.or(refused_gpg(key, &text)),
            "sign-verify" => remote.signed = signing(key, &text).map_err(&refuse)?,
            "sign-verify-summary" => remote.summary_signed = signing(key, &text).map_err(&refuse)?,
            "verification-ed25519-key" => remote.keys.push(KeySource::Inline(text)),
            "verification-ed25519-file" => remote.keys.push(KeySource::File(text)),
            "collection-id" => remote.collection = Some(text).filter(|id| !id.is_empty()),
            "tls-ca-path" => remote.tls.ca_path = Some(text),
            "tls-client-cert-path" => remote.tls.client_cert = Some(text),
            "tls-client-key-path" => remote.tls.client_key = Some(text),
            "tls-permissive" => remote.tls.permissive = boolean(key, &text).map_err(&refuse)?,
            "proxy" => remote.proxy = Some(proxy(&text).map_err(&refuse)?),
            "http2" => drop(boolean(key, &text).map_err(&refuse)?),
            "unconfigured-state" => return Err(refuse(format!("not configured yet: {text}"))),
            "metalink" | "custom-backend" | "gpgkeypath" => {
                return Err(refuse(format!("key {key:?} is not supported, got {text:?}")));
            }
            _ => return Err(refuse(format!("key {key:?} is not known, got {text:?}"))),
        }
    }
    if let Some(text) = gpg {
        return Err(refuse(text));
    }
    check(&remote).map_err(refuse)?;
    Ok(remote)
}

fn empty(name: &str) -> Remote {
    Remote {
        name: name.to_owned(),
        url: String::new(),
        content_url: None,
        branches: Vec::new(),
        signed: true,
        summary_signed: false,
        keys: Vec::new(),
        collection: None,
        tls: Tls::default(),
        proxy: None,
        origin: "/".into(),
    }
}

fn check(remote: &Remote) -> Result<(), String> {
    if remote.url.is_empty() {
        return Err("expected key \"url\", got none".into());
    }
    if remote.tls.client_cert.is_some() != remote.tls.client_key.is_some() {
        return Err(
            "expected \"tls-client-cert-path\" and \"tls-client-key-path\" together, got one of them".into(),
        );
    }
    Ok(())
}

fn url(text: &str) -> Result<String, String> {
    let known = ["http://", "https://", "file://"].iter().any(|scheme| text.starts_with(scheme));
    let plain = text.chars().all(|c| c.is_ascii_graphic());
    match known && plain {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err(format!("expected an http, https or file URL, got {text:?}")),
    }
}

fn proxy(text: &str) -> Result<String, String> {
    match text.starts_with("http://") {
        true => Ok(text.to_owned()),
        false => Err(format!("key \"proxy\": expected an http:// URL, got {text:?}")),
    }
}

/// GPG is not built in, so a remote that asks for it must not look verified.
fn refused_gpg(key: &str, text: &str) -> Option<String> {
    match boolean(key, text) {
        Ok(false) => None,
        _ => Some(format!(
            "key {key:?} is not supported other than as false, got {text:?}; use \"sign-verify=ed25519\""
        )),
    }
}

/// libostree takes a boolean or a list of engines here; ed25519 is the one we have.
fn signing(key: &str, text: &str) -> Result<bool, String> {
    if let Ok(value) = boolean(key, text) {
        return Ok(value);
    }
    match list(text).iter().any(|engine| engine == "ed25519") {
        true => Ok(true),
        false => Err(format!("key {key:?}: expected true, false or ed25519, got {text:?}")),
    }
}

/// GLib takes `1` and `0` too.
fn boolean(key: &str, text: &str) -> Result<bool, String> {
    match text.trim_end() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("key {key:?}: expected true or false, got {text:?}")),
    }
}

fn list(text: &str) -> Vec<String> {
    text.split([';', ',']).map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Remote> {
        let keyfile = Keyfile::parse(&format!("[remote \"o\"]\n{body}\n")).expect("a keyfile");
        parse(&keyfile, "o", "config")
    }

    #[test]
    fn a_signature_is_required_unless_the_remote_says_otherwise() {
        for (body, signed) in [
            ("url=http://h/r", true),
            ("url=http://h/r\ngpg-verify=false", true),
            ("url=http://h/r\nsign-verify=ed25519", true),
            ("url=http://h/r\nsign-verify=spki;ed25519", true),
            ("url=http://h/r\nsign-verify=false", false),
        ] {
            assert_eq!(read(body).expect(body).signed, signed, "{body}");
        }
    }

    #[test]
    fn refuses_by_name_what_it_does_not_do() {
        for (body, part) in [
            ("gpg-verify=true", "\"gpg-verify\""),
            ("gpg-verify=maybe", "\"gpg-verify\""),
            ("gpg-verify-summary=true", "\"gpg-verify-summary\""),
            ("sign-verify=spki", "\"sign-verify\""),
            ("metalink=http://h/m", "\"metalink\""),
            ("custom-backend=x", "\"custom-backend\""),
            ("contenturl=mirrorlist=http://h/m", "mirrorlist"),
            ("unconfigured-state=buy a licence", "buy a licence"),
            ("proxy=socks5://h:1", "\"proxy\""),
            ("tls-client-cert-path=/c", "tls-client-key-path"),
            ("tls-permissive=perhaps", "\"tls-permissive\""),
            ("frobnicate=1", "\"frobnicate\""),
        ] {
            let error = read(&format!("url=http://h/r\n{body}")).expect_err(body);
            assert!(error.to_string().contains(part), "{body}: {error}");
        }
        for body in ["", "url=", "url=ftp://h", "url=http://h/a b"] {
            assert!(read(body).is_err(), "{body}");
        }
    }

    #[test]
    fn reads_what_it_does() {
        let remote = read(
            "url=https://h/r/\ncontenturl=http://c\nbranches=a;b/c;\nsign-verify-summary=true\n\
             verification-ed25519-key=AAAA\nverification-ed25519-file=/k\ntls-ca-path=/ca\nhttp2=false\n\
             proxy=http://p:3128\ncollection-id=org.example",
        )
        .expect("all known");
        assert_eq!((remote.url.as_str(), remote.content_url.as_deref()), ("https://h/r", Some("http://c")));
        assert_eq!(remote.branches, ["a", "b/c"]);
        assert_eq!(remote.keys, [KeySource::Inline("AAAA".into()), KeySource::File("/k".into())]);
        assert!(remote.summary_signed);
    }
}
