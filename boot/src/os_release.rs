//! `os-release`: the name of the system in a boot menu.
//!
//! Source: os-release(5). Lines are `KEY=VALUE` in shell quoting: single quotes take everything, in double quotes
//! and outside a backslash keeps the next character. A line that does not fit is passed over.

/// The assignments of an os-release file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OsRelease {
    pairs: Vec<(String, String)>,
}

impl OsRelease {
    /// Reads the file; a later line of the same key wins.
    pub fn parse(text: &str) -> OsRelease {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            Some((key.to_string(), unquote(value)?))
        });
        OsRelease { pairs: pairs.collect() }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().rfind(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// What a menu shows: `PRETTY_NAME`, else `ID`.
    pub fn title(&self) -> Option<&str> {
        self.get("PRETTY_NAME").or_else(|| self.get("ID"))
    }
}

/// Takes shell quoting off; `None` where a quote or an escape has no end.
fn unquote(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut quote = None;
    let mut chars = text.trim().chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '\\') => out.push(chars.next()?),
            (Some('"'), '\\') => match chars.next()? {
                kept @ ('"' | '\\' | '$' | '`') => out.push(kept),
                other => out.extend(['\\', other]),
            },
            _ => out.push(c),
        }
    }
    quote.is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_title() {
        for (text, want) in [
            ("NAME=x\nPRETTY_NAME=\"Test OS 1\"\nID=test\n", Some("Test OS 1")),
            ("ID=test\n", Some("test")),
            ("#ID=no\nNAME=x\n", None),
            ("ID='a b'\\ c\n", Some("a b c")),
            ("ID=\"it\\\"s \\$1 \\n\"\n", Some("it\"s $1 \\n")),
            ("ID=good\nID=\"open\n", Some("good")),
            ("ID=one\nID=two\n", Some("two")),
            ("ID=end\\", None),
        ] {
            assert_eq!(OsRelease::parse(text).title(), want, "{text:?}");
        }
    }
}
