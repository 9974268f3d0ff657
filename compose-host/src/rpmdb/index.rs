//! The index tables: which keys lead to which packages.

use super::RpmdbOptions;
use crate::rpmfile::{Package, deps, tags};
use rusqlite::types::Value;
use std::collections::{BTreeSet, HashSet};

/// Where a table's keys come from.
enum Keys {
    /// Every string of a tag.
    Each(u32),
    /// Every dependency of a tag, and the names inside rich ones.
    Dependencies(u32),
    /// Every string of a tag, at its first place only.
    Distinct(u32),
    /// Every distinct string of the first tag, with the number that the second gives it.
    Numbered(u32, u32),
    /// Requirements that matter after the installation.
    Requires,
    /// The transaction id.
    TransactionId,
    /// MD5 of header and payload.
    Md5,
    /// SHA-1 of the header.
    Sha1,
}

/// One index table.
pub struct Table {
    name: &'static str,
    keys: Keys,
    key_index: bool,
    package_index: bool,
}

const fn table(name: &'static str, keys: Keys) -> Table {
    Table { name, keys, key_index: true, package_index: true }
}

/// In rpm's order.
pub const TABLES: &[Table] = &[
    table("Name", Keys::Each(tags::NAME)).without_package_index(),
    table("Basenames", Keys::Each(tags::BASENAMES)),
    table("Group", Keys::Each(tags::GROUP)).without_package_index(),
    table("Requirename", Keys::Requires),
    table("Providename", Keys::Each(tags::PROVIDENAME)),
    table("Conflictname", Keys::Dependencies(tags::CONFLICTNAME)),
    table("Obsoletename", Keys::Each(tags::OBSOLETENAME)),
    table("Triggername", Keys::Distinct(tags::TRIGGERNAME)),
    table("Dirnames", Keys::Each(tags::DIRNAMES)),
    table("Installtid", Keys::TransactionId).without_package_index().without_key_index(),
    table("Sigmd5", Keys::Md5).without_package_index().without_key_index(),
    table("Sha1header", Keys::Sha1).without_package_index(),
    table("Filetriggername", Keys::Numbered(tags::FILETRIGGERNAME, tags::FILETRIGGERINDEX)),
    table("Transfiletriggername", Keys::Numbered(tags::TRANSFILETRIGGERNAME, tags::TRANSFILETRIGGERINDEX)),
    table("Recommendname", Keys::Dependencies(tags::RECOMMENDNAME)),
    table("Suggestname", Keys::Dependencies(tags::SUGGESTNAME)),
    table("Supplementname", Keys::Dependencies(tags::SUPPLEMENTNAME)),
    table("Enhancename", Keys::Dependencies(tags::ENHANCENAME)),
];

impl Table {
    const fn without_package_index(mut self) -> Table {
        self.package_index = false;
        self
    }

    const fn without_key_index(mut self) -> Table {
        self.key_index = false;
        self
    }

    /// SQL that makes the table and its indexes.
    pub fn create(&self) -> String {
        let name = self.name;
        let kind = if matches!(self.keys, Keys::TransactionId | Keys::Md5) { "BLOB" } else { "TEXT" };
        let mut sql = format!(
            "CREATE TABLE '{name}' (key '{kind}' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL, \
             FOREIGN KEY (hnum) REFERENCES 'Packages'(hnum));"
        );
        if self.key_index {
            sql += &format!("CREATE INDEX '{name}_key_idx' ON '{name}'(key ASC);");
        }
        if self.package_index {
            sql += &format!("CREATE INDEX '{name}_hnum_idx' ON '{name}'(hnum ASC);");
        }
        sql
    }

    /// SQL that adds a row: key, package, position.
    pub fn insert(&self) -> String {
        format!("INSERT INTO '{}' (key, hnum, idx) VALUES (?1, ?2, ?3)", self.name)
    }

    /// Keys of a package and the position of each in its tag.
    pub fn rows(&self, package: &Package, options: &RpmdbOptions) -> Vec<(Value, i64)> {
        let header = &package.header;
        let texts = |tag| {
            let texts = header.texts(tag).into_iter();
            (0i64..).zip(texts).map(|(at, text)| (at, text.into_owned())).collect::<Vec<_>>()
        };
        let rows = match &self.keys {
            Keys::Each(tags::GROUP) => texts(tags::GROUP).into_iter().take(1).collect(),
            Keys::Each(tag) => texts(*tag),
            Keys::Distinct(tag) => {
                let mut seen = HashSet::new();
                texts(*tag).into_iter().filter(|(_, text)| seen.insert(text.clone())).collect()
            }
            Keys::Numbered(tag, numbers) => {
                let numbers =
                    header.numbers(*numbers).into_iter().map(|number| i64::try_from(number).unwrap_or(0));
                let mut seen = HashSet::new();
                let rows = numbers.zip(texts(*tag)).map(|(number, (_, text))| (number, text));
                rows.filter(|row| seen.insert(row.clone())).collect()
            }
            Keys::Requires => {
                let requires = (0i64..).zip(deps::requires(header));
                let kept = requires.filter(|(_, require)| !install_only(require.flags));
                with_rich_names(kept.map(|(at, require)| (at, require.name)).collect())
            }
            Keys::Dependencies(tag) => with_rich_names(texts(*tag)),
            Keys::Sha1 => package
                .signature
                .text(tags::SHA1HEADER)
                .map(|text| (0, text.into_owned()))
                .into_iter()
                .collect(),
            Keys::TransactionId => {
                let id = u32::try_from(options.timestamp).unwrap_or(u32::MAX);
                return vec![(Value::Blob(id.to_le_bytes().to_vec()), 0)];
            }
            Keys::Md5 => {
                let md5 = package.signature.entry(tags::SIG_MD5);
                return md5
                    .map(|entry| (Value::Blob(package.signature.data(entry).to_vec()), 0))
                    .into_iter()
                    .collect();
            }
        };
        rows.into_iter().map(|(at, text)| (Value::Text(text), at)).collect()
    }
}

/// rpm's `isInstallPreReq`: needed to install the package, not to keep it.
fn install_only(flags: u64) -> bool {
    const INSTALL: u64 =
        deps::SCRIPT_PRE | deps::SCRIPT_POST | deps::RPMLIB | 1 << 26 | deps::PRETRANS | deps::POSTTRANS;
    const ERASE: u64 = deps::SCRIPT_PREUN | deps::SCRIPT_POSTUN;
    flags & INSTALL != 0 && flags & ERASE == 0
}

/// Adds the names inside rich dependencies, as rpm does, with `!` where their absence matters.
fn with_rich_names(mut rows: Vec<(i64, String)>) -> Vec<(i64, String)> {
    let mut added = Vec::new();
    for (at, name) in rows.iter().filter(|(_, name)| name.starts_with('(')) {
        let mut names = BTreeSet::new();
        rich_names(name, &mut names);
        added.extend(names.into_iter().map(|name| (*at, name)));
    }
    rows.extend(added);
    rows
}

fn rich_names(dependency: &str, names: &mut BTreeSet<String>) {
    // whether names are negated, for each open bracket
    let mut negated = vec![false];
    let mut version = false;
    for word in dependency.split_whitespace() {
        let name = word.trim_start_matches('(');
        for _ in 0..word.len() - name.len() {
            negated.push(negated.last().copied().unwrap_or(false));
        }
        let opened = name.matches('(').count();
        let closed = name.matches(')').count().saturating_sub(opened).min(name.len());
        let name = &name[..name.len() - closed];
        match name {
            "if" | "unless" | "else" => {
                if let Some(last) = negated.last_mut() {
                    *last = !*last;
                }
            }
            "" | "and" | "or" | "with" | "without" => {}
            "<" | "<=" | "=" | ">=" | ">" => version = true,
            _ if version => version = false,
            name => {
                let sign = if negated.last().copied().unwrap_or(false) { "!" } else { "" };
                names.insert(format!("{sign}{name}"));
            }
        }
        negated.truncate(negated.len().saturating_sub(closed).max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_names_in_rich_dependencies() {
        for (dependency, expected) in [
            ("(a = 1 if b)", &["!b", "a"][..]),
            ("(a if b else c)", &["!b", "a", "c"]),
            ("((a or b) if (c >= 2 and d))", &["!c", "!d", "a", "b"]),
            ("(libc.so.6()(64bit) or x)", &["libc.so.6()(64bit)", "x"]),
        ] {
            let mut names = BTreeSet::new();
            rich_names(dependency, &mut names);
            assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{dependency}");
        }
    }
}
