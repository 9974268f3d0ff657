//! Codes the files that a comparison of two trees found.

use super::tree::{Objects, Workers};
use super::{Coded, code_from};
use crate::error::Result;
use crate::tree::Base;
use rootling_object::{Checksum, FileHeader};
use std::sync::Mutex;

/// A new content object before it has a number.
pub(super) struct Found {
    pub(super) checksum: Checksum,
    pub(super) path: String,
    pub(super) source: Base,
    pub(super) old: Option<Checksum>,
}

/// A new content object with its tokens; none for a symlink.
pub(super) struct Ordered {
    /// Its place among those that were found.
    pub(super) found: usize,
    pub(super) path: String,
    pub(super) checksum: Checksum,
    pub(super) header: FileHeader,
    pub(super) source: Base,
    /// Paths of the sources after the first.
    pub(super) more: Vec<String>,
    /// What `source` and `more` name.
    pub(super) sources: Vec<Checksum>,
    pub(super) coded: Option<Coded>,
}

/// Codes all files, the largest first: a large one that comes last would keep one thread at work alone.
pub(super) fn code_all(
    objects: &dyn Objects,
    found: &[Found],
    profile: u32,
    workers: &dyn Workers,
) -> Result<Vec<Ordered>> {
    let described = found.iter().map(|found| objects.described(&found.checksum));
    let mut described: Vec<_> = described.collect::<Result<Vec<_>>>()?.into_iter().enumerate().collect();
    described.sort_by_key(|(_, (_, size))| std::cmp::Reverse(*size));
    let done = Mutex::new(Vec::with_capacity(found.len()));
    workers.each(found.len(), &|turn| {
        let (at, (header, _)) = &described[turn];
        let coded = code_one(objects, *at, &found[*at], header, profile);
        done.lock().expect("no worker panics").push(coded);
    });
    done.into_inner().expect("no worker panics").into_iter().collect()
}

fn code_one(
    objects: &dyn Objects,
    at: usize,
    found: &Found,
    header: &FileHeader,
    profile: u32,
) -> Result<Ordered> {
    let Found { checksum, path, source, old } = found;
    let mut ordered = Ordered {
        found: at,
        path: path.clone(),
        checksum: *checksum,
        header: header.clone(),
        source: Base::Nothing,
        more: Vec::new(),
        sources: Vec::new(),
        coded: None,
    };
    if !header.is_symlink() {
        (ordered.source, ordered.sources) = (source.clone(), Vec::from_iter(*old));
        ordered.coded = Some(coded(objects, &ordered.sources, checksum, profile)?);
    }
    Ok(ordered)
}

/// The tokens of the file `to` made from the files `from`.
pub(super) fn coded(objects: &dyn Objects, from: &[Checksum], to: &Checksum, profile: u32) -> Result<Coded> {
    if let Some(kept) = objects.kept(from, to) {
        return Ok(kept);
    }
    let old = from.iter().map(|from| Ok(objects.content(from)?.1)).collect::<Result<Vec<_>>>()?;
    let old: Vec<&[u8]> = old.iter().map(Vec::as_slice).collect();
    let coded = code_from(&old, &objects.content(to)?.1, profile)?;
    objects.keep(from, to, &coded);
    Ok(coded)
}
