//! repomd.xml: which metadata files a repository has, with their checksums and sizes.

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

use std::io::BufRead;

use anyhow::{Context, Result, bail};

use super::xml::{Document, Item};
use crate::fetch::{Digest, Expected};

/// One metadata file.
#[derive(Debug)]
pub(super) struct Record {
    /// `primary`, `filelists` ...
    pub(super) kind: String,
    /// Path below the repository's URL.
    pub(super) location: String,
    /// Checksum and size of the file as it is served.
    pub(super) expected: Expected,
    /// Size after decompression.
    pub(super) open_size_bytes: Option<u64>,
}

/// The files that repomd.xml lists.
#[derive(Debug)]
pub(super) struct Repomd(Vec<Record>);

impl Repomd {
    /// Reads repomd.xml.
    pub(super) fn parse(input: impl BufRead) -> Result<Repomd> {
        let mut document = Document::new(input);
        let mut records = Vec::new();
        let mut current = Partial::default();
        let mut is_repomd = false;
        loop {
            match document.next()? {
                Item::Start(tag) => match tag.name.as_str() {
                    "repomd" => is_repomd = true,
                    "data" => current = Partial { kind: tag.need("type")?.to_string(), ..Partial::default() },
                    "checksum" => current.checksum_kind = tag.need("type")?.to_string(),
                    "location" => current.location = Some(tag.need("href")?.to_string()),
                    _ => {}
                },
                Item::End { name, text } => match name.as_str() {
                    "checksum" => {
                        current.checksum = Some(Digest::parse(&current.checksum_kind, text.trim())?)
                    }
                    "size" => current.size_bytes = Some(text.trim().parse().context("element size")?),
                    "open-size" => {
                        current.open_size_bytes = Some(text.trim().parse().context("element open-size")?)
                    }
                    "data" => records.push(std::mem::take(&mut current).finish()?),
                    _ => {}
                },
                Item::Eof => break,
            }
        }
        if !is_repomd {
            bail!("no repomd element, expected the index of a repository");
        }
        Ok(Repomd(records))
    }

    /// The record of one kind.
    pub(super) fn get(&self, kind: &str) -> Option<&Record> {
        self.0.iter().find(|record| record.kind == kind)
    }

    /// The kinds there are.
    pub(super) fn kinds(&self) -> Vec<&str> {
        self.0.iter().map(|record| record.kind.as_str()).collect()
    }
}

#[derive(Default)]
struct Partial {
    kind: String,
    location: Option<String>,
    checksum_kind: String,
    checksum: Option<Digest>,
    size_bytes: Option<u64>,
    open_size_bytes: Option<u64>,
}

impl Partial {
    fn finish(self) -> Result<Record> {
        let kind = self.kind;
        Ok(Record {
            location: self.location.with_context(|| format!("record {kind} has no location"))?,
            expected: Expected {
                digest: self.checksum.with_context(|| format!("record {kind} has no checksum"))?,
                size_bytes: self.size_bytes,
            },
            open_size_bytes: self.open_size_bytes,
            kind,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_records_and_refuses_what_is_not_one() {
        let hex = "ab".repeat(32);
        let text = format!(
            "<?xml version='1.0'?><repomd xmlns:rpm='x'><revision>1</revision><data type='primary'>\
             <checksum type='sha256'>{hex}</checksum><open-checksum type='sha256'>{}</open-checksum>\
             <location href='repodata/p.xml.gz'/><size>5</size><open-size>9</open-size></data></repomd>",
            "cd".repeat(32)
        );
        let repomd = Repomd::parse(text.as_bytes()).unwrap();
        let record = repomd.get("primary").unwrap();
        assert_eq!(record.location, "repodata/p.xml.gz");
        assert_eq!(record.expected.digest.to_string(), format!("sha256:{hex}"));
        assert_eq!((record.expected.size_bytes, record.open_size_bytes), (Some(5), Some(9)));
        for (bad, expected) in [
            ("<html><body>404</body></html>".to_string(), "no repomd element"),
            (text.replace("type='sha256'>ab", "type='md5'>ab"), "md5"),
            (text.replace("<location href='repodata/p.xml.gz'/>", ""), "record primary has no location"),
            (text.replace("<size>5", "<size>-5"), "element size"),
        ] {
            let error = format!("{:#}", Repomd::parse(bad.as_bytes()).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
