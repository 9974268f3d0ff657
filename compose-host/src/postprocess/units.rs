//! `units`: enabled as `systemctl enable` does, without running it.

use super::{Options, Outcome};
use crate::root::Root;
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeSet;

const UNITS: [&str; 2] = ["etc/systemd/system", "usr/lib/systemd/system"];
const WANTS: &str = "etc/systemd/system";

/// Links each unit where its `[Install]` section says; one without goes to `multi-user.target`.
pub fn apply(tree: &Root, options: &Options, _: &mut Outcome) -> Result<()> {
    let mut queue = options.units.clone();
    let mut done = BTreeSet::new();
    while let Some(unit) = queue.pop() {
        if done.insert(unit.clone()) {
            queue.extend(enable(tree, &unit).with_context(|| unit.clone())?);
        }
    }
    Ok(())
}

/// Returns the units that are to be enabled with this one.
fn enable(tree: &Root, unit: &str) -> Result<Vec<String>> {
    ensure!(!unit.contains('/') && unit.contains('.'), "expected a unit's name, as in sshd.service");
    let (file, text) = find(tree, unit)?;
    let install = Install::parse(&text, unit);
    let mut links: Vec<String> = install.aliases.iter().map(|alias| format!("{WANTS}/{alias}")).collect();
    let wanted = |list: &[String], kind: &str| -> Vec<String> {
        list.iter().map(|target| format!("{WANTS}/{target}.{kind}/{unit}")).collect()
    };
    links.extend(wanted(&install.wanted_by, "wants"));
    links.extend(wanted(&install.required_by, "requires"));
    links.extend(wanted(&install.upheld_by, "upholds"));
    if links.is_empty() && install.also.is_empty() {
        links.extend(wanted(&["multi-user.target".to_owned()], "wants"));
    }
    for link in links {
        tree.remove(&link)?;
        tree.symlink(&format!("/{file}"), &link)?;
    }
    Ok(install.also)
}

/// A unit's file; an instance `a@b.service` has the template `a@.service`.
fn find(tree: &Root, unit: &str) -> Result<(String, String)> {
    let template =
        unit.split_once('@').and_then(|(name, rest)| Some(format!("{name}@.{}", rest.rsplit_once('.')?.1)));
    for name in [Some(unit), template.as_deref()].into_iter().flatten() {
        for directory in UNITS {
            let path = format!("{directory}/{name}");
            if let Some(text) = tree.read_text(&path)? {
                return Ok((path, text));
            }
        }
    }
    bail!("expected a unit, got nothing in /{} or /{}", UNITS[0], UNITS[1])
}

/// The `[Install]` section.
#[derive(Debug, Default, PartialEq)]
struct Install {
    wanted_by: Vec<String>,
    required_by: Vec<String>,
    upheld_by: Vec<String>,
    aliases: Vec<String>,
    also: Vec<String>,
}

impl Install {
    fn parse(text: &str, unit: &str) -> Install {
        let mut install = Install::default();
        let mut inside = false;
        for line in text.replace("\\\n", " ").lines().map(str::trim) {
            if line.starts_with('[') {
                inside = line == "[Install]";
            }
            let Some((key, value)) = line.split_once('=').filter(|_| inside && !line.starts_with(['#', ';']))
            else {
                continue;
            };
            let list = match key.trim() {
                "WantedBy" => &mut install.wanted_by,
                "RequiredBy" => &mut install.required_by,
                "UpheldBy" => &mut install.upheld_by,
                "Alias" => &mut install.aliases,
                "Also" => &mut install.also,
                _ => continue,
            };
            if value.trim().is_empty() {
                list.clear();
            }
            list.extend(value.split_whitespace().map(|word| expand(word, unit)));
        }
        install
    }
}

/// The specifiers that make sense at enable time: `%i` instance, `%p` prefix, `%n` name.
fn expand(word: &str, unit: &str) -> String {
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    word.replace("%i", instance)
        .replace("%I", instance)
        .replace("%p", prefix)
        .replace("%n", unit)
        .replace("%%", "%")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{apply as run, tree};
    use super::*;

    #[test]
    fn enables_as_systemctl_does() {
        let (_dir, root) = tree(&[
            "usr/lib/systemd/system/a.service=[Unit]\nWantedBy=no.target\n[Install]\nWantedBy=x.target \\\n y.target\nAlias=b.service\nAlso=c.socket\n# WantedBy=z\n",
            "usr/lib/systemd/system/c.socket=[Install]\nRequiredBy=sockets.target\n",
            "usr/lib/systemd/system/plain.service=[Service]\n",
            "usr/lib/systemd/system/getty@.service=[Install]\nWantedBy=getty-%i.target\n",
        ]);
        let units = ["a.service", "plain.service", "getty@tty1.service"].map(str::to_owned).to_vec();
        run(apply, &root, &Options { units, ..Options::default() }).unwrap();
        for (link, target) in [
            ("x.target.wants/a.service", "a.service"),
            ("y.target.wants/a.service", "a.service"),
            ("b.service", "a.service"),
            ("sockets.target.requires/c.socket", "c.socket"),
            ("multi-user.target.wants/plain.service", "plain.service"),
            ("getty-tty1.target.wants/getty@tty1.service", "getty@.service"),
        ] {
            let got = root.link_target(&format!("etc/systemd/system/{link}")).unwrap();
            assert_eq!(got, Some(format!("/usr/lib/systemd/system/{target}")), "{link}");
        }
        assert_eq!(root.list("etc/systemd/system").unwrap().len(), 6);
    }

    #[test]
    fn refuses_a_unit_that_is_not_there() {
        let (_dir, root) = tree(&[]);
        let options = Options { units: vec!["gone.service".into()], ..Options::default() };
        let error = format!("{:#}", run(apply, &root, &options).unwrap_err());
        assert!(error.contains("gone.service: expected a unit"), "{error}");
    }
}
