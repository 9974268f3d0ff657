//! filelists.xml: all paths of every package; only those somebody asked for are kept.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

use std::collections::HashSet;
use std::io::BufRead;

use anyhow::{Result, bail};

use super::pool::Pool;
use super::xml::{Document, Item};

/// Adds the wanted paths to the packages of repository `repo`.
pub(super) fn read(
    pool: &mut Pool,
    repo: usize,
    input: impl BufRead,
    wanted: &HashSet<String>,
) -> Result<()> {
    let mut document = Document::new(input);
    let mut packages = Vec::new();
    let mut is_filelists = false;
    loop {
        match document.next()? {
            Item::Start(tag) => match tag.name.as_str() {
                "filelists" => is_filelists = true,
                "package" => {
                    let key = (repo, tag.need("pkgid")?.to_string());
                    packages = pool.by_digest.get(&key).cloned().unwrap_or_default();
                }
                _ => {}
            },
            Item::End { name, text } => {
                if name == "file" && wanted.contains(&text) {
                    let path = pool.strings.intern(&text);
                    for &id in &packages {
                        pool.add_file(id, path);
                    }
                }
            }
            Item::Eof => break,
        }
    }
    if !is_filelists {
        bail!("no filelists element, expected filelists.xml");
    }
    Ok(())
}
