//! One boot entry: a text file of `KEY VALUE` lines in `loader/entries/`.
//!
//! Source: the Boot Loader Specification (uapi-group.org), type 1 entries, and what libostree writes. The order
//! of lines is libostree's: `title version options devicetree linux initrd`, then every other key; here the
//! others keep the order in which they were read or set. `initrd` may come several times (overlays). Lines that
//! do not begin with a letter are comments and are not kept.

use std::cmp::Ordering;
use std::fmt;

/// The keys that come first, in libostree's order.
const ORDER: [&str; 6] = ["title", "version", "options", "devicetree", "linux", "initrd"];

/// A boot entry: keys and values in the order they were set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    lines: Vec<(String, String)>,
}

impl Entry {
    /// Reads an entry; a line without a value is passed over, as libostree does.
    pub fn parse(text: &str) -> Entry {
        let mut entry = Entry::default();
        for line in text.lines() {
            if !line.starts_with(|c: char| c.is_ascii_alphabetic()) {
                continue;
            }
            let Some((key, value)) = line.split_once([' ', '\t']) else { continue };
            let value = value.trim_start_matches([' ', '\t']);
            if key == "initrd" {
                entry.lines.push((key.into(), value.into()));
            } else {
                entry.set(key, value);
            }
        }
        entry
    }

    /// The value of a key; the first one where a key may be repeated.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.lines.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Sets the only value of a key, in its old place if it had one.
    pub fn set(&mut self, key: &str, value: &str) {
        let place = self.lines.iter().position(|(k, _)| k == key);
        match place.and_then(|at| self.lines.get_mut(at)) {
            Some(line) => line.1 = value.into(),
            None => self.lines.push((key.into(), value.into())),
        }
    }

    /// Adds a line, beside any of the same key.
    pub fn push(&mut self, key: &str, value: &str) {
        self.lines.push((key.into(), value.into()));
    }

    /// Takes every line of a key out.
    pub fn remove(&mut self, key: &str) {
        self.lines.retain(|(k, _)| k != key);
    }

    /// All initial RAM disks, the main one first.
    pub fn initrds(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|(k, _)| k == "initrd").map(|(_, v)| v.as_str())
    }

    /// The order in which a boot menu shows entries: the highest `version` first, entries without one last.
    pub fn menu_order(&self, other: &Entry) -> Ordering {
        match (self.get("version"), other.get("version")) {
            (Some(a), Some(b)) => compare_versions(b, a),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for wanted in ORDER {
            for (key, value) in self.lines.iter().filter(|(k, _)| k == wanted) {
                writeln!(f, "{key} {value}")?;
            }
        }
        for (key, value) in self.lines.iter().filter(|(k, _)| !ORDER.contains(&k.as_str())) {
            writeln!(f, "{key} {value}")?;
        }
        Ok(())
    }
}

/// Compares runs of digits as numbers and everything else byte by byte.
///
/// Differs from glibc's `strverscmp` only for numbers with leading zeros, which no `version` of an ostree entry has.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (run_a, run_b) = (digits(a), digits(b));
        if !run_a.is_empty() && !run_b.is_empty() {
            let (num_a, num_b) = (run_a.trim_start_matches('0'), run_b.trim_start_matches('0'));
            let order = num_a.len().cmp(&num_b.len()).then_with(|| num_a.cmp(num_b));
            if order != Ordering::Equal {
                return order;
            }
            a = a.strip_prefix(run_a).unwrap_or_default();
            b = b.strip_prefix(run_b).unwrap_or_default();
            continue;
        }
        let (mut chars_a, mut chars_b) = (a.chars(), b.chars());
        match (chars_a.next(), chars_b.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) if x != y => return x.cmp(&y),
            _ => (a, b) = (chars_a.as_str(), chars_b.as_str()),
        }
    }
}

fn digits(text: &str) -> &str {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    text.strip_suffix(rest).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `ostree admin deploy` 2022.7 wrote it, checksum shortened.
    const REAL: &str = "title Test OS 1 1.0 (ostree:0)\nversion 1\noptions root=LABEL=x quiet ostree=/ostree/boot.1/test/1bd5/0\n\
        linux /ostree/test-1bd5/vmlinuz-6.1\ninitrd /ostree/test-1bd5/initramfs-6.1.img\n";

    #[test]
    fn keeps_the_bytes_of_a_real_entry() {
        assert_eq!(Entry::parse(REAL).to_string(), REAL);
    }

    #[test]
    fn puts_known_keys_first_and_keeps_unknown_ones_in_order() {
        let entry =
            Entry::parse("x-b 1\ninitrd /a\nlinux\t/k\n# note\nx-a  2\ninitrd /b\nversion 3\nlonely\n");
        assert_eq!(entry.to_string(), "version 3\nlinux /k\ninitrd /a\ninitrd /b\nx-b 1\nx-a 2\n");
        assert_eq!(entry.initrds().collect::<Vec<_>>(), ["/a", "/b"]);
    }

    #[test]
    fn sets_in_place_and_removes() {
        let mut entry = Entry::parse(REAL);
        entry.set("version", "7");
        entry.remove("initrd");
        assert_eq!(entry.get("version"), Some("7"));
        assert_eq!(entry.initrds().count(), 0);
    }

    #[test]
    fn sorts_as_the_menu_does() {
        let named = |v: &str| Entry::parse(&format!("version {v}\n"));
        let mut entries = [named("2"), Entry::default(), named("10"), named("9")];
        entries.sort_by(Entry::menu_order);
        let versions: Vec<_> = entries.iter().map(|e| e.get("version")).collect();
        assert_eq!(versions, [Some("10"), Some("9"), Some("2"), None]);
    }

    #[test]
    fn compares_versions() {
        for (a, b, want) in [
            ("1", "1", Ordering::Equal),
            ("9", "10", Ordering::Less),
            ("6.1.0-50", "6.1.0-9", Ordering::Greater),
            ("1a", "1b", Ordering::Less),
            ("1", "1a", Ordering::Less),
            ("", "1", Ordering::Less),
            ("99999999999999999999999", "100000000000000000000000", Ordering::Less),
        ] {
            assert_eq!(compare_versions(a, b), want, "{a} against {b}");
        }
    }
}
