//! `size-budget.toml`: one number for each program, target and feature set.
//!
//! A reader of the few lines it has: `[PROGRAM.TARGET]`, then `KEY = BYTES`. While such a limit is missed, `KEY-held` beside it
//! keeps the program from growing; once it is met, that line has to go.

use anyhow::{Context, Result, bail, ensure};

use crate::place::{self, grouped};

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

    /// Reads the file of this folder.
    pub fn read() -> Result<Budget> {
        let path = place::root().join("cross/size-budget.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        Budget::parse(&text)
    }

    /// The limit; `None` where the file has none.
    pub fn limit(&self, program: &str, target: &str, key: &str) -> Option<u64> {
        let table = format!("{program}.{target}");
        self.rows.iter().find(|(t, k, _)| *t == table && k == key).map(|(.., bytes)| *bytes)
    }

    /// How what the row `key` of a table limits, called `name` in texts, stands at so many bytes; an error if that is not
    /// allowed, or limited by no row.
    pub fn judge(&self, name: &str, program: &str, target: &str, key: &str, bytes: u64) -> Result<String> {
        let Some(limit) = self.limit(program, target, key) else {
            bail!(
                "{name}: {} bytes, no limit: size-budget.toml has no {key} in [{program}.{target}]",
                grouped(bytes)
            );
        };
        let held = self.limit(program, target, &format!("{key}-held"));
        let (have, most) = (grouped(bytes), grouped(limit));
        match held {
            None => ensure!(bytes <= limit, "{name}: expected {most} bytes at most, got {have}"),
            Some(held) => {
                ensure!(
                    bytes <= held,
                    "{name}: expected {} bytes at most, as it was held at, got {have}",
                    grouped(held)
                );
                ensure!(
                    bytes > limit,
                    "{name}: {have} bytes are within {most}: take its held line out of size-budget.toml"
                );
                return Ok(format!(
                    "{name}: {have} bytes, OVER its limit of {most} by {}",
                    grouped(bytes - limit)
                ));
            }
        }
        Ok(format!("{name}: {have} bytes, limit {most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machines::recipe::PROGRAMS;
    use crate::machines::targets::TARGETS;

    #[test]
    fn reads_the_file_of_this_folder() {
        let budget = Budget::parse(include_str!("size-budget.toml")).unwrap();
        assert_eq!(budget.limit("rootling", "armv7", "plain"), Some(400 << 10));
        assert_eq!(budget.limit("rootling", "armv7", "deltas"), Some((400 + 60) << 10));
        assert_eq!(budget.limit("rootling", "armv7", "tls"), Some(900 << 10));
        assert_eq!(budget.limit("rootling", "vax", "tls"), None);
        for target in TARGETS.iter().filter(|target| target.ships) {
            for program in PROGRAMS {
                let limit = budget.limit(program.package, target.name, program.set.key());
                assert!(limit.is_some(), "no limit: {}", program.title(target));
            }
        }
        let text = "[a.b]\nplain = 10\nplain-held = 15\ntls = 10\n";
        let budget = Budget::parse(text).unwrap();
        for (key, bytes, fits) in [
            ("plain", 16, false),
            ("plain", 15, true),
            ("plain", 11, true),
            ("plain", 10, false),
            ("tls", 11, false),
            ("tls", 10, true),
        ] {
            assert_eq!(budget.judge("a for b", "a", "b", key, bytes).is_ok(), fits, "{key}, {bytes} bytes");
        }
        let none = budget.judge("a for b", "a", "b", "deltas", 1).unwrap_err().to_string();
        assert!(none.contains("no deltas in [a.b]"), "{none}");
        for bad in ["plain = 1\n", "[a.b]\nplain\n", "[a.b]\nplain = x\n"] {
            assert!(Budget::parse(bad).is_err(), "{bad:?}");
        }
    }
}
