//! `loader/loader.conf`: settings of systemd-boot, one `KEY VALUE` a line.
//!
//! Source: loader.conf(5). Every line that a change does not concern is kept.

use std::fmt;

/// The lines of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoaderConf {
    lines: Vec<String>,
}

impl LoaderConf {
    /// Reads the file.
    pub fn parse(text: &str) -> LoaderConf {
        LoaderConf { lines: text.lines().map(String::from).collect() }
    }

    /// The value of a key; of several, the last, as the loader has it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.lines.iter().rev().find_map(|line| value_of(line, key))
    }

    /// Makes a value the only one of its key.
    pub fn set(&mut self, key: &str, value: &str) {
        self.remove(key);
        self.lines.push(format!("{key} {value}"));
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) {
        self.lines.retain(|line| value_of(line, key).is_none());
    }

    /// Whether `default` pins an entry other than by order.
    pub fn pins_another(&self, stem: &str) -> bool {
        pins_another(self.get("default"), &format!("{stem}.conf"))
    }
}

/// Whether a pattern pins an entry other than by order: counting then says nothing about what boots.
///
/// `id` is the entry's file name without counters, which is what the pattern is compared with.
pub(super) fn pins_another(pattern: Option<&str>, id: &str) -> bool {
    match pattern {
        None | Some("") => false,
        Some(pattern) => !matches(pattern.as_bytes(), id.as_bytes()),
    }
}

fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.trim_start().strip_prefix(key)?;
    rest.starts_with([' ', '\t']).then(|| rest.trim())
}

/// A pattern with `*` and `?`, letters of either case; sets in brackets are not known and match nothing.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // where to go on after a star that took too little
    let (mut rest, mut left, mut star) = (pattern, name, None);
    loop {
        match (rest.split_first(), left.split_first()) {
            (None, None) => return true,
            (Some((b'*', after)), _) => {
                star = Some((after, left));
                rest = after;
            }
            (Some((want, after)), Some((got, behind))) if *want == b'?' || want.eq_ignore_ascii_case(got) => {
                (rest, left) = (after, behind);
            }
            _ => match star.and_then(|(after, at)| Some((after, at.split_first()?.1))) {
                Some((after, at)) => {
                    star = Some((after, at));
                    (rest, left) = (after, at);
                }
                None => return false,
            },
        }
    }
}

impl fmt::Display for LoaderConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_other_lines() {
        let mut conf = LoaderConf::parse("# mine\ntimeout 3\n\ndefault  a\neditor no\ndefault b\n");
        assert_eq!(
            (conf.get("default"), conf.get("timeout"), conf.get("edit")),
            (Some("b"), Some("3"), None)
        );
        conf.set("timeout", "0");
        conf.remove("default");
        assert_eq!(conf.to_string(), "# mine\n\neditor no\ntimeout 0\n");
    }

    #[test]
    fn sees_a_pinned_entry() {
        for (pattern, pinned) in [
            ("ostree-*", false),
            ("*", false),
            ("OSTREE-7.conf", false),
            ("ostree-?.c*f", false),
            ("ostree-6.conf", true),
            ("ostree-7", true),
            ("@saved", true),
            ("*x*", true),
            ("**7**.conf", false),
            ("ostree-[0-9].conf", true),
        ] {
            let conf = LoaderConf::parse(&format!("default {pattern}\n"));
            assert_eq!(conf.pins_another("ostree-7"), pinned, "{pattern}");
        }
        assert!(!LoaderConf::parse("").pins_another("ostree-7"));
    }
}
