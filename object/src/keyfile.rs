//! GLib key files: a repo's `config`, `remotes.d/*.conf` and the origin of a deployment.
//!
//! Comments, blank lines, order and unknown keys are kept, so that a file written back differs only in what was
//! changed.

use crate::checksum::quoted;
use crate::error::{Error, Result};
use std::fmt;

/// A key file that remembers every line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyfile {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Group(String),
    Entry(String, String),
    Other(String),
}

impl Keyfile {
    /// An empty file.
    pub fn new() -> Keyfile {
        Keyfile::default()
    }

    /// Reads a whole file. A group that comes twice is one group; of a key that comes twice the last counts.
    pub fn parse(text: &str) -> Result<Keyfile> {
        let mut lines = Vec::new();
        let mut in_group = false;
        for (index, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            let bad = |expected: &str| {
                let place = format!("line {}", index.saturating_add(1));
                Err(Error::malformed("key file", place, expected, quoted(line)))
            };
            lines.push(if trimmed.is_empty() || trimmed.starts_with('#') {
                Line::Other(line.to_owned())
            } else if let Some(group) = trimmed.strip_prefix('[') {
                match group.strip_suffix(']') {
                    Some(group) if !group.is_empty() && !group.contains(['[', ']']) => {
                        in_group = true;
                        Line::Group(group.to_owned())
                    }
                    _ => return bad("a group in brackets"),
                }
            } else {
                match trimmed.split_once('=') {
                    Some(_) if !in_group => return bad("a group before the first key"),
                    Some((key, value)) if !key.trim().is_empty() => {
                        Line::Entry(key.trim().to_owned(), value.trim().to_owned())
                    }
                    _ => return bad("key=value"),
                }
            });
        }
        Ok(Keyfile { lines })
    }

    /// The lines of each group, with the group they are in.
    fn entries(&self) -> impl DoubleEndedIterator<Item = (&str, &str, &str)> {
        let mut group = "";
        let entries: Vec<_> = self
            .lines
            .iter()
            .filter_map(|line| match line {
                Line::Group(name) => {
                    group = name;
                    None
                }
                Line::Entry(key, value) => Some((group, key.as_str(), value.as_str())),
                Line::Other(_) => None,
            })
            .collect();
        entries.into_iter()
    }

    /// The groups in order, each once.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for line in &self.lines {
            if let Line::Group(name) = line
                && !groups.contains(&name.as_str())
            {
                groups.push(name);
            }
        }
        groups
    }

    /// Whether there is such a group.
    pub fn has_group(&self, group: &str) -> bool {
        self.lines.iter().any(|line| matches!(line, Line::Group(name) if name == group))
    }

    /// The keys of a group in order, each once.
    pub fn keys(&self, group: &str) -> Vec<&str> {
        let mut keys: Vec<&str> = Vec::new();
        for (_, key, _) in self.entries().filter(|(name, ..)| *name == group) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// The raw text of a value.
    pub fn get(&self, group: &str, key: &str) -> Option<&str> {
        self.entries().rev().find(|(name, entry, _)| *name == group && *entry == key).map(|(.., value)| value)
    }

    /// A boolean, as GLib reads it (`true`, `false`, `1`, `0`).
    pub fn bool(&self, group: &str, key: &str) -> Result<Option<bool>> {
        match self.get(group, key) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(other) => Err(bad_value(group, key, "true or false", other)),
        }
    }

    /// A whole number.
    pub fn u64(&self, group: &str, key: &str) -> Result<Option<u64>> {
        self.get(group, key)
            .map(|text| text.parse().map_err(|_| bad_value(group, key, "a whole number", text)))
            .transpose()
    }

    /// A list divided by semicolons; an empty last element does not count.
    pub fn strings(&self, group: &str, key: &str) -> Option<Vec<&str>> {
        let text = self.get(group, key)?;
        let text = text.strip_suffix(';').unwrap_or(text);
        Some(if text.is_empty() { Vec::new() } else { text.split(';').collect() })
    }

    /// Sets a value, in its place if the key is there, else at the end of its group, else in a new group at the end.
    pub fn set(&mut self, group: &str, key: &str, value: &str) {
        let mut in_group = false;
        let mut end_of_group = None;
        for (index, line) in self.lines.iter_mut().enumerate() {
            match line {
                Line::Group(name) => in_group = name == group,
                Line::Entry(entry, old) if in_group && entry == key => {
                    value.clone_into(old);
                    return;
                }
                _ => {}
            }
            if in_group && !matches!(line, Line::Other(_)) {
                end_of_group = index.checked_add(1);
            }
        }
        let at = end_of_group.unwrap_or_else(|| {
            if !self.lines.is_empty() {
                self.lines.push(Line::Other(String::new()));
            }
            self.lines.push(Line::Group(group.to_owned()));
            self.lines.len()
        });
        self.lines.insert(at, Line::Entry(key.to_owned(), value.to_owned()));
    }

    /// Takes a key out; says whether it was there.
    pub fn remove(&mut self, group: &str, key: &str) -> bool {
        self.retain(|name, line| !(name == group && matches!(line, Line::Entry(entry, _) if entry == key)))
    }

    /// Takes a group out with all its lines; says whether it was there.
    pub fn remove_group(&mut self, group: &str) -> bool {
        self.retain(|name, _| name != group)
    }

    fn retain(&mut self, keep: impl Fn(&str, &Line) -> bool) -> bool {
        let before = self.lines.len();
        let mut group = String::new();
        self.lines.retain(|line| {
            if let Line::Group(name) = line {
                name.clone_into(&mut group);
            }
            keep(&group, line)
        });
        self.lines.len() != before
    }
}

fn bad_value(group: &str, key: &str, expected: &str, got: &str) -> Error {
    Error::malformed("key file", format_args!("[{group}] {key}"), expected, quoted(got))
}

impl fmt::Display for Keyfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            match line {
                Line::Group(name) => writeln!(f, "[{name}]")?,
                Line::Entry(key, value) => writeln!(f, "{key}={value}")?,
                Line::Other(text) => writeln!(f, "{text}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[core]\nrepo_version=1\nmode=bare\n\n# the factory\n[remote \"origin\"]\nurl=http://x/y\nbranches=a;b;\n";

    #[test]
    fn keeps_every_line_and_changes_only_what_is_set() {
        let mut file = Keyfile::parse(CONFIG).unwrap();
        assert_eq!(file.to_string(), CONFIG);
        assert_eq!(file.get("core", "mode"), Some("bare"));
        assert_eq!(file.strings("remote \"origin\"", "branches"), Some(vec!["a", "b"]));
        assert_eq!(file.groups(), ["core", "remote \"origin\""]);
        file.set("core", "mode", "archive-z2");
        file.set("core", "fsync", "false");
        file.set("new", "key", "1");
        let expected = CONFIG.replace("mode=bare\n", "mode=archive-z2\nfsync=false\n") + "\n[new]\nkey=1\n";
        assert_eq!(file.to_string(), expected);
        assert!(file.remove("core", "fsync") && !file.remove("core", "fsync"));
        assert!(file.remove_group("remote \"origin\"") && !file.has_group("remote \"origin\""));
    }

    #[test]
    fn reads_values_as_glib_does() {
        let file = Keyfile::parse("[a]\nyes = true \nno=0\nodd=maybe\nn=12\nyes=false\n").unwrap();
        assert_eq!(file.bool("a", "yes"), Ok(Some(false)));
        assert_eq!(file.bool("a", "no"), Ok(Some(false)));
        assert_eq!(file.bool("a", "none"), Ok(None));
        assert!(file.bool("a", "odd").unwrap_err().to_string().contains("[a] odd"));
        assert_eq!(file.u64("a", "n"), Ok(Some(12)));
    }

    #[test]
    fn refuses_lines_that_are_nothing() {
        for bad in ["key=1\n", "[a\n", "[]\n", "[a]\nword\n", "[a]\n=1\n"] {
            assert!(Keyfile::parse(bad).unwrap_err().to_string().contains("line"), "{bad}");
        }
    }
}
