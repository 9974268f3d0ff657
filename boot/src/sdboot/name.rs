//! The file name of an entry that is counted: `STEM+LEFT[-DONE].conf` or `.efi`.
//!
//! The loader takes one from LEFT and adds one to DONE by renaming the file before it boots the entry. An entry
//! without counters is good; one with no tries left is bad. Counters keep their width, zeros in front: on FAT a
//! rename to a name of another length is not one write. Source: the Boot Loader Specification and systemd's
//! "Automatic Boot Assessment".

use crate::Result;
use crate::error::Error;
use std::fmt;

const WIDTH: usize = 2;

/// The counters in a name, with the width of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Tries that are left.
    pub left: u32,
    /// Tries that were made; `None` where the name does not say.
    pub done: Option<u32>,
    widths: (usize, usize),
}

/// An entry's file name in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedName {
    /// What names the entry, without counters and suffix.
    pub stem: String,
    /// Absent where the entry is known to be good, or takes no part in counting.
    pub counter: Option<Counter>,
    suffix: &'static str,
}

impl CountedName {
    /// A name for an entry on trial.
    pub fn counted(stem: &str, tries: u32) -> Result<CountedName> {
        let counter = Counter { left: tries, done: Some(0), widths: (WIDTH, WIDTH) };
        let name = format!("{stem}{counter}.conf");
        let plain = |name: &CountedName| {
            let good = CountedName::parse(&name.good().to_string());
            name.stem == stem && good.is_some_and(|good| good.counter.is_none())
        };
        CountedName::parse(&name).filter(plain).ok_or_else(|| {
            Error::malformed("entry name", "1 to 240 of A-Z a-z 0-9 . _ - and no counter", stem)
        })
    }

    /// Reads a file name; `None` if it is not one of a boot entry.
    pub fn parse(file_name: &str) -> Option<CountedName> {
        let suffix = [".conf", ".efi"].into_iter().find(|suffix| file_name.ends_with(suffix))?;
        let body = file_name.strip_suffix(suffix)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"+._-".contains(&b);
        if body.is_empty() || file_name.len() > 255 || !body.bytes().all(plain) {
            return None;
        }
        let counted = body.rsplit_once('+').and_then(|(stem, text)| Some((stem, Counter::parse(text)?)));
        match counted.filter(|(stem, _)| !stem.is_empty()) {
            Some((stem, counter)) => Some(CountedName { stem: stem.into(), counter: Some(counter), suffix }),
            None => Some(CountedName { stem: body.into(), counter: None, suffix }),
        }
    }

    /// The name after the loader's rename; the same where nothing is left to count.
    pub fn tried(&self) -> CountedName {
        let mut name = self.clone();
        if let Some(counter) = name.counter.as_mut().filter(|counter| counter.left > 0) {
            counter.left = counter.left.saturating_sub(1);
            counter.done = Some(counter.done.unwrap_or(0).saturating_add(1).min(highest(counter.widths.1)));
        }
        name
    }

    /// The name of the entry once it is known to be good.
    pub fn good(&self) -> CountedName {
        CountedName { counter: None, ..self.clone() }
    }

    /// The name of the entry once it is known to be bad.
    pub fn bad(&self) -> CountedName {
        let counter = self.counter.unwrap_or(Counter { left: 0, done: Some(0), widths: (WIDTH, WIDTH) });
        CountedName { counter: Some(Counter { left: 0, ..counter }), ..self.clone() }
    }

    /// Whether it is that of a unified image.
    pub fn is_image(&self) -> bool {
        self.suffix == ".efi"
    }

    /// Whether the loader puts the entry behind all others.
    pub fn is_bad(&self) -> bool {
        self.counter.is_some_and(|counter| counter.left == 0)
    }
}

impl Counter {
    fn parse(text: &str) -> Option<Counter> {
        let (left, done) = match text.split_once('-') {
            Some((left, done)) => (left, Some(done)),
            None => (text, None),
        };
        let widths = (left.len(), done.map_or(WIDTH, str::len));
        let done = match done {
            Some(done) => Some(number(done)?),
            None => None,
        };
        Some(Counter { left: number(left)?, done, widths })
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The highest number of so many digits.
fn highest(width: usize) -> u32 {
    let power = u32::try_from(width).ok().and_then(|width| 10u32.checked_pow(width));
    power.map_or(u32::MAX, |power| power.saturating_sub(1))
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{:01$}", self.left, self.widths.0)?;
        self.done.map_or(Ok(()), |done| write!(f, "-{:01$}", done, self.widths.1))
    }
}

impl fmt::Display for CountedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stem)?;
        if let Some(counter) = self.counter {
            write!(f, "{counter}")?;
        }
        f.write_str(self.suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_counts_as_the_loader() {
        for (text, left, tried) in [
            ("ostree-2+3.conf", Some(3), "ostree-2+2-01.conf"),
            ("ostree-2+03-00.conf", Some(3), "ostree-2+02-01.conf"),
            ("ostree-2+10-00.conf", Some(10), "ostree-2+09-01.conf"),
            ("ostree-2+1-9.conf", Some(1), "ostree-2+0-9.conf"),
            ("ostree-2+0-3.conf", Some(0), "ostree-2+0-3.conf"),
            ("a+b.conf", None, "a+b.conf"),
            ("a+1-x.conf", None, "a+1-x.conf"),
            ("a+1-.conf", None, "a+1-.conf"),
            ("a.b+c+2-1.efi", Some(2), "a.b+c+1-2.efi"),
            ("ostree-1.conf", None, "ostree-1.conf"),
            ("+3.conf", None, "+3.conf"),
            ("a+99999999999.conf", None, "a+99999999999.conf"),
        ] {
            let name = CountedName::parse(text).expect(text);
            assert_eq!(name.to_string(), text);
            assert_eq!(name.counter.map(|c| c.left), left, "{text}");
            assert_eq!(name.tried().to_string(), tried);
        }
        for other in ["", ".conf", "a", "a.cfg", "a b.conf", "a/b.conf", &format!("{}.conf", "a".repeat(251))]
        {
            assert_eq!(CountedName::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn names_keep_their_length_while_they_are_counted() {
        let name = CountedName::counted("ostree-7", 3).unwrap();
        assert_eq!(name.to_string(), "ostree-7+03-00.conf");
        let (mut tried, length) = (name.clone(), name.to_string().len());
        for _ in 0..4 {
            tried = tried.tried();
            assert_eq!(tried.to_string().len(), length);
        }
        assert!(tried.is_bad() && !name.is_bad());
        assert_eq!(
            (name.bad().to_string(), name.good().to_string()),
            ("ostree-7+00-00.conf".into(), "ostree-7.conf".into())
        );
        assert_eq!(name.good().bad().to_string(), "ostree-7+00-00.conf");
        for stem in ["", "a b", "a+2"] {
            assert!(CountedName::counted(stem, 3).is_err(), "{stem:?}");
        }
    }
}
