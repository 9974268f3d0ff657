//! Rules about the tree that the compiler does not know; also run as tests of this crate.
//!
//! Each rule is a function from the tree to complaints, over a pure function that is tested with a tree that
//! breaks the rule.

pub mod edges;
mod forgotten;
mod formats;
mod fuzzed;
mod length;
pub mod metadata;
mod pure;
mod source;
mod unsafety;

use std::path::Path;

use anyhow::{Result, bail};

use crate::place;

type Rule = fn(&Path) -> Result<Vec<String>>;

const RULES: &[(&str, Rule)] = &[
    ("crate edges", edges::check),
    ("agent dependencies", edges::check_agent),
    ("pure crates", pure::check),
    ("unsafe only in sys.rs", unsafety::check),
    ("file length", length::check),
    ("every decoder is fuzzed", fuzzed::check),
    ("format documents name source and proof", formats::check),
    ("no test is forgotten", forgotten::check),
];

/// Applies all rules.
pub fn tidy() -> Result<()> {
    let mut complaints = Vec::new();
    for (name, rule) in RULES {
        let found = rule(place::root())?;
        eprintln!("   {name}: {}", if found.is_empty() { "ok" } else { "BROKEN" });
        complaints.extend(found.into_iter().map(|complaint| format!("{name}: {complaint}")));
    }
    if complaints.is_empty() {
        return Ok(());
    }
    bail!("{}", complaints.join("\n"));
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        super::tidy().unwrap();
    }
}
