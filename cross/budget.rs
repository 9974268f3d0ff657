//! `size-budget.toml`: one number for each program, target and feature set.
//!
//! A reader of the few lines it has: `[PROGRAM.TARGET]`, then `plain = BYTES` and `tls = BYTES`.

use anyhow::{Context, Result, bail};

/// The limits of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    rows: Vec<(String, String, u64)>,
}

impl Budget {
    /// Reads the file.
    pub fn parse(text: &str) -> Result<Budget> {
        let (mut rows, mut table) = (Vec::new(), None);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                table = Some(name.to_owned());
                continue;
            }
            let (Some(table), Some((key, value))) = (&table, line.split_once('=')) else {
                bail!("size-budget.toml: expected [PROGRAM.TARGET] or KEY = BYTES, got {line:?}");
            };
            let bytes = value.trim().parse().with_context(|| format!("size-budget.toml: {line:?}"))?;
            rows.push((table.clone(), key.trim().to_owned(), bytes));
        }
        Ok(Budget { rows })
    }

    /// The limit; `None` where the file has none, which is for targets that are reported only.
    pub fn limit(&self, program: &str, target: &str, tls: bool) -> Option<u64> {
        let (table, key) = (format!("{program}.{target}"), if tls { "tls" } else { "plain" });
        self.rows.iter().find(|(t, k, _)| *t == table && k == key).map(|(.., bytes)| *bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_file_of_this_folder() {
        let budget = Budget::parse(include_str!("size-budget.toml")).unwrap();
        assert_eq!(budget.limit("rootling", "armv7", false), Some(400 << 10));
        assert_eq!(budget.limit("rootling", "armv7", true), Some(900 << 10));
        assert_eq!(budget.limit("rootling", "vax", true), None);
        for bad in ["plain = 1\n", "[a.b]\nplain\n", "[a.b]\nplain = x\n"] {
            assert!(Budget::parse(bad).is_err(), "{bad:?}");
        }
    }
}
