//! `prepare-root.conf`: how the root is mounted. Keys and defaults are libostree's.
//!
//! ```text
//! [sysroot] readonly=true|false      the physical root and the deployment's root are read-only
//! [etc] transient=true|false         /etc is thrown away at each boot
//! [root] transient=true|false        changes anywhere are thrown away at each boot
//! [composefs] enabled=...            not supported: refused by name
//! ```

use super::error::Error;
use rootling_object::keyfile::Keyfile;

/// Where the file is looked for in the deployment, the first one wins.
pub const PLACES: [&str; 2] = ["etc/ostree/prepare-root.conf", "usr/lib/ostree/prepare-root.conf"];

/// The settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Config {
    /// `sysroot.readonly`.
    pub readonly: bool,
    /// `etc.transient`.
    pub transient_etc: bool,
    /// `root.transient`.
    pub transient_root: bool,
}

impl Config {
    /// Reads the file.
    pub fn parse(text: &str) -> Result<Config, Error> {
        let file = Keyfile::parse(text).map_err(|e| Error::refused(e.to_string(), "a key file"))?;
        let flag = |group, key| match file.get(group, key) {
            None | Some("false" | "no" | "0") => Ok(false),
            Some("true" | "yes" | "1") => Ok(true),
            Some(other) => Err(Error::refused(format!("{group}.{key}={other}"), "true or false")),
        };
        match file.get("composefs", "enabled") {
            None | Some("false" | "no" | "0" | "maybe") => {}
            Some(other) => return Err(Error::refused(format!("composefs.enabled={other}"), "no composefs")),
        }
        Ok(Config {
            readonly: flag("sysroot", "readonly")?,
            transient_etc: flag("etc", "transient")?,
            transient_root: flag("root", "transient")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_settings_and_refuses_what_it_cannot_do() {
        let read = |text: &str| Config::parse(text).ok();
        let config = |readonly, transient_etc, transient_root| {
            Some(Config { readonly, transient_etc, transient_root })
        };
        for (text, want) in [
            ("", config(false, false, false)),
            ("[sysroot]\nreadonly=true\n", config(true, false, false)),
            ("[etc]\ntransient=yes\n[root]\ntransient=1\n", config(false, true, true)),
            ("[composefs]\nenabled=no\n", config(false, false, false)),
            ("[composefs]\nenabled=yes\n", None),
            ("[composefs]\nenabled=verity\n", None),
            ("[sysroot]\nreadonly=perhaps\n", None),
            ("nonsense\n", None),
        ] {
            assert_eq!(read(text), want, "{text:?}");
        }
    }
}
