//! Maintainer scripts of Debian in RPM's idioms.
//!
//! Debian's scripts call dpkg's tools (`update-alternatives`, `deb-systemd-helper`, `dpkg-statoverride`, debconf),
//! which mean nothing in an RPM root. `distilled.yaml` says for each package what they come down to; units to
//! preset and the need for `ldconfig` are read from the package itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::deb::{Deb, Kind};

/// What is done to one package beside its files and dependencies.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Distilled {
    /// `useradd -r` arguments, name last, run in %pre.
    pub users: Vec<String>,
    /// `groupadd -r` arguments, name last, run in %pre.
    pub groups: Vec<String>,
    /// Script text added to the made one.
    pub pre: String,
    /// As `pre`.
    pub post: String,
    /// As `pre`.
    pub posttrans: String,
    /// As `pre`.
    pub preun: String,
    /// As `pre`.
    pub postun: String,
    /// Units to preset, instead of those that the postinst enables.
    pub units: Option<Vec<String>>,
    /// Whether to run `ldconfig`, instead of what the package's triggers say.
    pub ldconfig: Option<bool>,
    /// Alternatives: links made in %post unless the path exists.
    pub links: BTreeMap<String, String>,
    /// Configuration that the postinst copies from a template: path to path in the package.
    pub copies: BTreeMap<String, String>,
    /// Configuration that the postinst writes: path to text.
    pub files: BTreeMap<String, String>,
    /// File capabilities that the postinst sets.
    pub caps: BTreeMap<String, String>,
    /// `MODE USER GROUP` that the postinst sets.
    pub attributes: BTreeMap<String, String>,
    /// Paths that the package owns without carrying them.
    pub ghosts: Vec<String>,
    /// More provided names.
    pub provides: Vec<String>,
    /// More names needed before %pre.
    pub requires_pre: Vec<String>,
    /// More names needed before %post.
    pub requires_post: Vec<String>,
    /// Relations left out, by the name of their first alternative; `*` is all.
    pub forget: Vec<String>,
    /// Path prefixes left out.
    pub remove: Vec<String>,
}

/// The scriptlets of one RPM; empty text is no scriptlet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scriptlets {
    /// %pre
    pub pre: String,
    /// %post
    pub post: String,
    /// %posttrans
    pub posttrans: String,
    /// %preun
    pub preun: String,
    /// %postun
    pub postun: String,
}

/// The table of all packages that need more than what is read from them.
pub fn table() -> Result<BTreeMap<String, Distilled>> {
    serde_norway::from_str(include_str!("distilled.yaml")).context("distilled.yaml")
}

impl Distilled {
    /// Puts the scriptlets together.
    pub fn scriptlets(&self, deb: &Deb) -> Scriptlets {
        let units = self.units.clone().unwrap_or_else(|| enabled_units(deb));
        let mut scriptlets = Scriptlets {
            pre: accounts(&self.groups, &self.users),
            posttrans: self.posttrans.clone(),
            preun: self.preun.clone(),
            postun: self.postun.clone(),
            ..Scriptlets::default()
        };
        scriptlets.pre.push_str(&self.pre);
        if self
            .ldconfig
            .unwrap_or_else(|| deb.scripts.get("triggers").is_some_and(|t| t.contains("ldconfig")))
        {
            scriptlets.post.push_str("/sbin/ldconfig\n");
            scriptlets.postun.push_str("/sbin/ldconfig\n");
        }
        for (path, target) in &self.links {
            let _ = writeln!(scriptlets.post, "[ -e {path} ] || [ -L {path} ] || ln -s {target} {path}");
        }
        if !units.is_empty() {
            scriptlets.post.push_str(&presets(&units, deb));
        }
        scriptlets.post.push_str(&self.post);
        scriptlets
    }
}

fn accounts(groups: &[String], users: &[String]) -> String {
    let mut text = String::new();
    let name = |arguments: &String| arguments.split(' ').next_back().unwrap_or_default().to_owned();
    for group in groups {
        let _ = writeln!(text, "getent group {} >/dev/null || groupadd -r {group}", name(group));
    }
    for user in users {
        let _ = writeln!(
            text,
            "getent passwd {} >/dev/null || useradd -r -s /usr/sbin/nologin {user}",
            name(user)
        );
    }
    text
}

/// System units that the postinst hands to `deb-systemd-helper enable`.
fn enabled_units(deb: &Deb) -> Vec<String> {
    let postinst = deb.scripts.get("postinst").map_or("", String::as_str);
    let calls = postinst.lines().filter_map(|line| line.split_once("deb-systemd-helper enable "));
    let mut units: Vec<String> = calls
        .filter_map(|(_, rest)| Some(rest.split_whitespace().next()?.trim_matches('\'').to_owned()))
        .collect();
    units.sort();
    units.dedup();
    units
}

/// A first-install preset, with the links made by hand where systemd comes later in the transaction.
fn presets(units: &[String], deb: &Deb) -> String {
    let mut text = format!(
        "if [ $1 -eq 1 ]; then\n  if command -v systemctl >/dev/null; then\n    \
         systemctl --no-reload preset {} || :\n  else\n    :\n",
        units.join(" ")
    );
    for unit in units {
        for wanted in wanted_by(unit, deb) {
            let folder = format!("/etc/systemd/system/{wanted}.wants");
            let _ =
                writeln!(text, "    mkdir -p {folder} && ln -sf /lib/systemd/system/{unit} {folder}/{unit}");
        }
    }
    text.push_str("  fi\nfi\n");
    text
}

fn wanted_by(unit: &str, deb: &Deb) -> Vec<String> {
    let suffix = format!("/systemd/system/{unit}");
    let body = deb.entries.iter().find_map(|entry| match &entry.kind {
        Kind::File(body) if entry.path.ends_with(&suffix) => Some(String::from_utf8_lossy(body)),
        _ => None,
    });
    let body = body.unwrap_or_default();
    let lists = body.lines().filter_map(|line| line.strip_prefix("WantedBy="));
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deb(postinst: &str, triggers: &str) -> Deb {
        let scripts = [("postinst", postinst), ("triggers", triggers)];
        let scripts = scripts.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        Deb { scripts, ..Deb::default() }
    }

    #[test]
    fn table_is_readable() {
        assert!(table().expect("own table").contains_key("base-passwd"));
    }

    #[test]
    fn accounts_come_before_the_files() {
        let distilled = Distilled {
            groups: vec!["-g 42 shade".into()],
            users: vec!["-d /run/x -g shade daemon".into()],
            pre: "true\n".into(),
            ..Distilled::default()
        };
        assert_eq!(
            distilled.scriptlets(&deb("", "")).pre,
            "getent group shade >/dev/null || groupadd -r -g 42 shade\n\
             getent passwd daemon >/dev/null || useradd -r -s /usr/sbin/nologin -d /run/x -g shade daemon\ntrue\n"
        );
    }

    #[test]
    fn reads_units_and_ldconfig_from_the_package() {
        let postinst = "  deb-systemd-helper enable 'a.service' >/dev/null || true\n\
                        deb-systemd-helper --user enable 'u.socket'\ndeb-systemd-helper enable 'a.service'\n";
        let package = deb(postinst, "activate-noawait ldconfig\n");
        assert_eq!(enabled_units(&package), ["a.service"]);
        let made = Distilled::default().scriptlets(&package);
        assert!(made.post.starts_with("/sbin/ldconfig\nif [ $1 -eq 1 ]"), "{}", made.post);
        assert_eq!(made.postun, "/sbin/ldconfig\n");
        let quiet = Distilled { units: Some(vec![]), ldconfig: Some(false), ..Distilled::default() };
        assert_eq!(quiet.scriptlets(&package), Scriptlets::default());
    }
}
