//! The header as rpm keeps it once a package is installed.
//!
//! The header of the file comes first, unchanged (its region tag 63 says how far it reaches, so its digests and
//! signatures can still be checked); then follow tags from the signature header, most under another number, and tags
//! about the installation, in ascending order. The first 8 bytes, the magic, are left out. Source: rpm's `lib/header.cc`
//! and `lib/package.cc` (`headerMergeLegacySigs`).

use super::RpmdbOptions;
use crate::rpmfile::files::Files;
use crate::rpmfile::header::Kind;
use crate::rpmfile::{Header, Package, tags};
use anyhow::{Context as _, Result, bail, ensure};

/// Tags of the signature header and what rpmdb calls them.
const SIGNATURE_TAGS: [(u32, u32); 17] = [
    (tags::SIG_SIZE, tags::SIGSIZE),
    (tags::SIG_PGP, tags::SIGPGP),
    (tags::SIG_MD5, tags::SIGMD5),
    (tags::SIG_GPG, tags::SIGGPG),
    (tags::DSAHEADER, tags::DSAHEADER),
    (tags::RSAHEADER, tags::RSAHEADER),
    (tags::SHA1HEADER, tags::SHA1HEADER),
    (tags::LONGSIGSIZE, tags::LONGSIGSIZE),
    (tags::LONGARCHIVESIZE, tags::LONGARCHIVESIZE),
    (tags::SHA256HEADER, tags::SHA256HEADER),
    (tags::VERITYSIGNATURES, tags::VERITYSIGNATURES),
    (tags::VERITYSIGNATUREALGO, tags::VERITYSIGNATUREALGO),
    (tags::OPENPGP, tags::OPENPGP),
    (tags::SHA3_256HEADER, tags::SHA3_256HEADER),
    (tags::SIG_PAYLOADSIZE, tags::ARCHIVESIZE),
    (tags::SIG_FILESIGNATURES, tags::FILESIGNATURES),
    (tags::SIG_FILESIGNATURELENGTH, tags::FILESIGNATURELENGTH),
];

/// RPMFILE_STATE_NORMAL.
const STATE_NORMAL: u8 = 0;
/// RPMFILE_STATE_NOTINSTALLED.
const STATE_NOT_INSTALLED: u8 = 2;

struct Added {
    tag: u32,
    kind: Kind,
    count: u32,
    data: Vec<u8>,
}

/// The blob of a package's row in `Packages`.
pub fn encode(package: &Package, options: &RpmdbOptions) -> Result<Vec<u8>> {
    let header = &package.header;
    let first = header.entries().first().context("header is empty")?;
    ensure!(
        first.tag == tags::HEADER_IMMUTABLE,
        "header has no immutable region: expected tag 63, got {}",
        first.tag
    );
    let mut added = Vec::new();
    for (from, tag) in SIGNATURE_TAGS {
        if let Some(entry) = package.signature.entry(from) {
            let data = package.signature.data(entry).to_vec();
            added.push(Added { tag, kind: entry.kind, count: entry.count, data });
        }
    }
    let time = u32::try_from(options.timestamp).context("timestamp is beyond 2106")?;
    for tag in [tags::INSTALLTIME, tags::INSTALLTID] {
        added.push(number(tag, time));
    }
    added.push(number(tags::INSTALLCOLOR, 0));
    let states = states(header, options)?;
    if !states.is_empty() {
        let count = u32::try_from(states.len())?;
        added.push(Added { tag: tags::FILESTATES, kind: Kind::Char, count, data: states });
    }
    added.sort_by_key(|added| added.tag);
    join(header, &added)
}

fn number(tag: u32, value: u32) -> Added {
    Added { tag, kind: Kind::Int32, count: 1, data: value.to_be_bytes().to_vec() }
}

fn states(header: &Header, options: &RpmdbOptions) -> Result<Vec<u8>> {
    let files = Files::of(header)?;
    let state = |doc: bool| if doc && !options.documentation { STATE_NOT_INSTALLED } else { STATE_NORMAL };
    Ok(files.entries.iter().map(|entry| state(entry.doc)).collect())
}

fn join(header: &Header, added: &[Added]) -> Result<Vec<u8>> {
    let (counts, rest) = header.bytes().split_at_checked(8).context("header is shorter than its counts")?;
    let (entries, _) = counts.split_at(4);
    let old_entries = u32::from_be_bytes(entries.try_into()?);
    let (index, data) =
        rest.split_at_checked(old_entries as usize * 16).context("header is shorter than its index")?;
    let mut index = index.to_vec();
    let mut data = data.to_vec();
    for added in added {
        let width = added.kind.width().max(1);
        data.resize(data.len().next_multiple_of(width), 0);
        let offset = u32::try_from(data.len())?;
        for field in [added.tag, added.kind.number(), offset, added.count] {
            index.extend(field.to_be_bytes());
        }
        data.extend(&added.data);
    }
    let mut blob = Vec::with_capacity(8 + index.len() + data.len());
    blob.extend(u32::try_from(index.len() / 16)?.to_be_bytes());
    blob.extend(u32::try_from(data.len())?.to_be_bytes());
    blob.extend(index);
    blob.extend(data);
    Ok(blob)
}

/// Takes an installed header apart again: the header and signature header of the package it came from.
pub fn decode(blob: &[u8]) -> Result<(Header, Header)> {
    let whole = Header::decode(blob.to_vec())?;
    let region = whole
        .entries()
        .first()
        .filter(|entry| entry.tag == tags::HEADER_IMMUTABLE && entry.kind == Kind::Bin);
    let region = region.context("header has no immutable region")?;
    let trailer: [u8; 16] = whole.data(region).try_into().ok().context("region trailer is not 16 bytes")?;
    let back = i32::from_be_bytes(trailer[8..12].try_into()?);
    let entries = usize::try_from(back.checked_neg().context("region length")?)? / 16;
    let total = whole.entries().len();
    ensure!(entries <= total, "region of {entries} entries: expected at most {total}");
    let data = blob.get(8 + total * 16..).context("header data")?;
    let offset = u32::from_be_bytes(blob.get(16..20).context("header index")?.try_into()?) as usize;
    let Some(region_data) = data.get(..offset + 16) else { bail!("region trailer is out of the header") };
    let mut bytes = Vec::new();
    bytes.extend(u32::try_from(entries)?.to_be_bytes());
    bytes.extend(u32::try_from(region_data.len())?.to_be_bytes());
    bytes.extend(blob.get(8..8 + entries * 16).context("header index")?);
    bytes.extend(region_data);
    let mut added = Vec::new();
    for entry in whole.entries().iter().skip(entries) {
        if let Some((tag, _)) = SIGNATURE_TAGS.iter().find(|(_, tag)| *tag == entry.tag) {
            added.push(Added {
                tag: *tag,
                kind: entry.kind,
                count: entry.count,
                data: whole.data(entry).to_vec(),
            });
        }
    }
    added.sort_by_key(|added| added.tag);
    Ok((Header::decode(bytes)?, signature(&added)?))
}

/// A signature header of these tags, with its region.
fn signature(added: &[Added]) -> Result<Header> {
    let region_bytes = i32::try_from((added.len() + 1) * 16)?;
    let mut empty = Vec::new();
    for field in [1u32, 0, tags::HEADER_SIGNATURES, Kind::Bin.number(), 0, 0] {
        empty.extend(field.to_be_bytes());
    }
    let joined = join(&Header::decode(empty)?, added)?;
    let trailer_at = u32::try_from(joined.len() - 8 - 16 * (added.len() + 1))?;
    let mut bytes = joined;
    bytes[4..8].copy_from_slice(&(trailer_at + 16).to_be_bytes());
    bytes[16..20].copy_from_slice(&trailer_at.to_be_bytes());
    bytes[20..24].copy_from_slice(&16u32.to_be_bytes());
    for field in [tags::HEADER_SIGNATURES, Kind::Bin.number()] {
        bytes.extend(field.to_be_bytes());
    }
    bytes.extend((-region_bytes).to_be_bytes());
    bytes.extend(16u32.to_be_bytes());
    Header::decode(bytes)
}
