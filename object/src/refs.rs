//! Names of refs and refspecs.

use crate::checksum::quoted;
use crate::error::{Error, Result};
use std::fmt;

/// A ref, such as `os/main`: `[\w\d][-._\w\d]*`, more of them after slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(String);

/// Longest ref that is accepted, in bytes; each part becomes a file name.
const MAX_REF: usize = 1024;

impl RefName {
    /// Checks `text`.
    pub fn parse(text: &str) -> Result<RefName> {
        if text.len() <= MAX_REF && text.split('/').all(is_part) {
            return Ok(RefName(text.to_owned()));
        }
        Err(Error::malformed(
            "ref",
            "name",
            "letters, digits, '_', '-', '.' in parts divided by '/'",
            quoted(text),
        ))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_part(part: &str) -> bool {
    let word = |letter: char| {
        if letter.is_ascii() { letter.is_ascii_alphanumeric() || letter == '_' } else { is_word(letter) }
    };
    part.len() <= 255
        && part.starts_with(word)
        && part.chars().all(|letter| word(letter) || letter == '-' || letter == '.')
}

/// A letter or digit outside ASCII, by the tables of Unicode.
#[cfg(feature = "unicode")]
fn is_word(letter: char) -> bool {
    letter.is_alphanumeric()
}

/// A letter or digit outside ASCII, as far as can be said without tables, which are 2 KB of a device program: who names refs is
/// the build host, and a device follows only what is there.
#[cfg(not(feature = "unicode"))]
fn is_word(letter: char) -> bool {
    !letter.is_control() && !letter.is_whitespace() && !('\u{2000}'..='\u{206f}').contains(&letter)
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A ref of a remote (`origin:os/main`) or of the repo itself (`os/main`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Refspec {
    /// The remote, if any.
    pub remote: Option<String>,
    /// The ref.
    pub name: RefName,
}

impl Refspec {
    /// Reads `remote:ref` or `ref`.
    pub fn parse(text: &str) -> Result<Refspec> {
        match text.split_once(':') {
            Some((remote, name)) => {
                Ok(Refspec { remote: Some(parse_remote(remote)?), name: RefName::parse(name)? })
            }
            None => Ok(Refspec { remote: None, name: RefName::parse(text)? }),
        }
    }
}

/// Checks the name of a remote, which becomes one directory.
pub fn parse_remote(text: &str) -> Result<String> {
    if is_part(text) {
        return Ok(text.to_owned());
    }
    Err(Error::malformed("refspec", "remote", "letters, digits, '_', '-', '.'", quoted(text)))
}

impl fmt::Display for Refspec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.remote {
            Some(remote) => write!(f, "{remote}:{}", self.name),
            None => self.name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule_of_libostree() {
        for good in ["main", "os/main", "fedora/x86_64/coreos", "a.b-c/1_2", "ostree/1/1/0"] {
            assert_eq!(RefName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "/", "a/", "/a", "a//b", "-a", ".a", "../x", "a/..", "a b", "a:b", "a\0", "a/.x"] {
            assert!(RefName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn letters_outside_ascii_are_letters() {
        for good in ["größe/日本", "т2"] {
            assert!(RefName::parse(good).is_ok(), "{good}");
        }
        for bad in ["a\u{85}", "a\u{a0}b", "a\u{202e}b", "\u{2028}"] {
            assert!(RefName::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(RefName::parse("a→b").is_err(), cfg!(feature = "unicode"));
    }

    #[test]
    fn refspecs_print_as_they_were_read() {
        for text in ["origin:os/main", "os/main"] {
            assert_eq!(Refspec::parse(text).unwrap().to_string(), text);
        }
        for bad in ["a/b:c", ":c", "a:", "a:b:c"] {
            assert!(Refspec::parse(bad).is_err(), "{bad}");
        }
    }
}
