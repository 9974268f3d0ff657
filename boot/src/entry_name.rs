//! The file name of a boot entry.
//!
//! ```text
//! ostree-INDEX.conf              libostree 2024.5 and later
//! ostree-INDEX-STATEROOT.conf    libostree up to 2024.4
//! ...+LEFT[-DONE].conf           boot counting: tries left, tries done (Boot Loader Specification)
//! ```
//! INDEX is 1 for the last entry of the menu and grows towards the first. Both forms are read; which one is
//! written is the caller's choice ([`Naming`]).

use std::fmt;

/// Which of libostree's two forms of names is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Naming {
    /// `ostree-INDEX.conf`: GRUB sorts by file name, so the stateroot must not take part.
    #[default]
    Index,
    /// `ostree-INDEX-STATEROOT.conf`.
    IndexStateroot,
}

/// The parts of an entry's file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryName {
    /// 1 for the last entry of the menu.
    pub index: u32,
    /// Present in the older form only.
    pub stateroot: Option<String>,
    /// Boot counting, where the entry takes part in it.
    pub tries: Option<Tries>,
}

/// The counters of an entry that is being tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Boots left before the entry counts as bad.
    pub left: u32,
    /// Boots already tried.
    pub done: u32,
}

impl EntryName {
    /// The name for place `index` counted from the end of the menu.
    pub fn new(index: u32, stateroot: &str, naming: Naming) -> EntryName {
        let stateroot = (naming == Naming::IndexStateroot).then(|| stateroot.to_string());
        EntryName { index, stateroot, tries: None }
    }

    /// Reads a file name; `None` if it is not one of an ostree entry.
    pub fn parse(file_name: &str) -> Option<EntryName> {
        let body = file_name.strip_prefix("ostree-")?.strip_suffix(".conf")?;
        let (body, tries) = match body.rsplit_once('+').map(|(head, count)| (head, Tries::parse(count))) {
            Some((head, Some(tries))) => (head, Some(tries)),
            _ => (body, None),
        };
        let (index, stateroot) = match body.split_once('-') {
            Some((index, stateroot)) if !stateroot.is_empty() => (index, Some(stateroot.to_string())),
            Some(_) => return None,
            None => (body, None),
        };
        Some(EntryName { index: number(index)?, stateroot, tries })
    }
}

impl Tries {
    fn parse(text: &str) -> Option<Tries> {
        let (left, done) = text.split_once('-').unwrap_or((text, "0"));
        Some(Tries { left: number(left)?, done: number(done)? })
    }
}

/// A number of digits only: `u32::from_str` also takes a leading `+`.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ostree-{}", self.index)?;
        if let Some(stateroot) = &self.stateroot {
            write!(f, "-{stateroot}")?;
        }
        match self.tries {
            Some(Tries { left, done: 0 }) => write!(f, "+{left}")?,
            Some(Tries { left, done }) => write!(f, "+{left}-{done}")?,
            None => {}
        }
        f.write_str(".conf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_each_form() {
        let tries = |left, done| Some(Tries { left, done });
        for (text, index, stateroot, counted) in [
            ("ostree-1.conf", 1, None, None),
            ("ostree-12-debian.conf", 12, Some("debian"), None),
            ("ostree-2-a-b.conf", 2, Some("a-b"), None),
            ("ostree-2+3.conf", 2, None, tries(3, 0)),
            ("ostree-2+2-1.conf", 2, None, tries(2, 1)),
            ("ostree-1-os+0-3.conf", 1, Some("os"), tries(0, 3)),
            ("ostree-1-c++.conf", 1, Some("c++"), None),
        ] {
            let name = EntryName::parse(text).expect(text);
            assert_eq!(
                name,
                EntryName { index, stateroot: stateroot.map(String::from), tries: counted },
                "{text}"
            );
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn passes_over_other_names() {
        for text in [
            "ostree-.conf",
            "ostree-x.conf",
            "fedora.conf",
            "ostree-1",
            "ostree-1-.conf",
            "ostree-99999999999.conf",
            "ostree-+1.conf",
        ] {
            assert_eq!(EntryName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_by_the_chosen_form() {
        assert_eq!(EntryName::new(2, "os", Naming::Index).to_string(), "ostree-2.conf");
        assert_eq!(EntryName::new(2, "os", Naming::IndexStateroot).to_string(), "ostree-2-os.conf");
    }
}
