//! Deltas in libostree's own format, for devices that still run it.
//!
//! | step | durable after it |
//! |---|---|
//! | code, pack, write the parts | files that nothing names |
//! | unpack and apply all of it again | the same |
//! | superblock, then the index of the new commit | the delta is offered, once a summary names it |

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
use rootling_delta::make::ostree::{self as encoder, Options, Part};
use rootling_delta::make::{Objects, Workers};
use rootling_delta::ostree::{Coding, HEAD, PartHeader, Payload, Superblock, apply, index, path};
use rootling_object::{Checksum, Dict, ObjectKind, ObjectName, Value, summary};
use rootling_store::{Repo, deltas};

use super::pairs::Pair;
use super::trees::{Hashed, Start, Trees};

/// The largest dictionary that libostree itself asks a reader to have.
const DICTIONARY: u64 = 32 << 20;

/// A delta that was made or is there.
#[derive(Debug)]
pub struct Made {
    /// Where from.
    pub from: Option<Checksum>,
    /// Where to.
    pub to: Checksum,
    /// Bytes of superblock, parts and objects that come by themselves.
    pub total: u64,
    /// How many parts.
    pub parts: usize,
    /// How many objects come by themselves.
    pub fallbacks: usize,
    /// How many files are made by patches.
    pub patches: usize,
}

/// Makes the delta of one pair, applies it in memory, and writes it.
pub fn make(repo: &Repo, pair: &Pair, options: &Options, workers: &dyn Workers) -> Result<Made> {
    let Pair { from, to } = pair;
    let trees = Trees { repo, cache: None };
    let unpacked = encoder::make(&trees, *from, *to, options, workers)?;
    let folder = path::folder(from.as_ref(), to);
    let start = Start::new(&trees, *from)?;
    let mut headers = Vec::new();
    for (number, part) in unpacked.parts.iter().enumerate() {
        let bytes = pack(&part.payload)?;
        check(part, &bytes, &start).with_context(|| format!("part {number}: it does not apply"))?;
        let (checksum, size) = (Checksum::of(&bytes), bytes.len() as u64);
        headers.push(PartHeader { checksum, size, content: part.content, objects: part.objects.clone() });
        deltas::write(repo, &format!("{folder}/{number}"), &bytes)?;
    }
    let mut fallbacks = unpacked.fallbacks;
    for entry in &mut fallbacks {
        let file = repo.object_path(&entry.name);
        entry.packed = fs::metadata(&file).with_context(|| file.display().to_string())?.len();
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let detached = Objects::detached(&trees, to)?;
    let detached = detached.map(|bytes| Dict::decode("detached metadata", &bytes)).transpose()?;
    let superblock = Superblock {
        timestamp: now,
        from: *from,
        to: *to,
        commit: Objects::commit(&trees, to)?,
        detached,
        parts: headers,
        fallbacks,
    };
    let bytes = superblock.encode()?;
    if Superblock::decode(&bytes)? != superblock {
        bail!("superblock: it does not decode to what was written");
    }
    deltas::write(repo, &format!("{folder}/superblock"), &bytes)?;
    write_index(repo, to)?;
    let alone: u64 = superblock.fallbacks.iter().map(|entry| entry.packed).sum();
    Ok(Made {
        from: *from,
        to: *to,
        total: bytes.len() as u64 + superblock.size() + alone,
        parts: superblock.parts.len(),
        fallbacks: superblock.fallbacks.len(),
        patches: unpacked.patches,
    })
}

/// The index of the deltas to one commit.
fn write_index(repo: &Repo, to: &Checksum) -> Result<()> {
    let entries: Vec<_> = all(repo)?.into_iter().filter(|(_, other, _)| other == to).collect();
    deltas::write(repo, &path::index(to), &index::encode(&entries))?;
    Ok(())
}

/// Adds to the metadata of a summary what devices need to find the deltas, and writes the indexes, since `ostree` may have
/// made some. Devices of before 2020.8 read the summary, later ones the indexes.
pub fn name_in(repo: &Repo, metadata: &mut Dict) -> Result<()> {
    let all = all(repo)?;
    if !all.is_empty() {
        let leads_to: BTreeSet<Checksum> = all.iter().map(|(_, to, _)| *to).collect();
        leads_to.iter().try_for_each(|to| write_index(repo, to))?;
        metadata.set(summary::key::STATIC_DELTAS, index::value(&all));
        metadata.set(summary::key::INDEXED_DELTAS, Value::Bool(true));
    }
    Ok(())
}

/// Every delta of this format in the repo, ascending: where from, where to, checksum of its superblock.
pub fn all(repo: &Repo) -> Result<Vec<(Option<Checksum>, Checksum, Checksum)>> {
    let mut found = Vec::new();
    for (from, to, place) in folders(repo)? {
        let superblock = place.join("superblock");
        match fs::read(&superblock) {
            Ok(bytes) => found.push((from, to, Checksum::of(&bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| superblock.display().to_string()),
        }
    }
    found.sort();
    Ok(found)
}

/// Removes deltas whose old or new commit is gone; returns how many.
pub fn prune(repo: &Repo) -> Result<u64> {
    let is_here = |commit: &Checksum| repo.has(&ObjectName::new(ObjectKind::Commit, *commit));
    let mut removed = 0;
    for (from, to, place) in folders(repo)? {
        if is_here(&to) && from.is_none_or(|from| is_here(&from)) {
            continue;
        }
        remove_first(&place.join("superblock"))?;
        fs::remove_dir_all(&place).with_context(|| place.display().to_string())?;
        if is_here(&to) {
            write_index(repo, &to)?;
        } else {
            remove_first(&repo.path().join(path::index(&to)))?;
        }
        removed += 1;
    }
    Ok(removed)
}

fn remove_first(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| file.display().to_string())
        }
        _ => Ok(()),
    }
}

fn folders(repo: &Repo) -> Result<Vec<(Option<Checksum>, Checksum, std::path::PathBuf)>> {
    let mut found = Vec::new();
    for (first, folder) in rootling_store::fs::list(&repo.path().join("deltas"))? {
        for (rest, place) in rootling_store::fs::list(&folder)? {
            let name = format!("{first}{rest}");
            let (from, to) = match name.split_once('-') {
                Some((from, to)) => (Some(path::from_digits(from)), path::from_digits(to)),
                None => (None, path::from_digits(&name)),
            };
            if let (Some(to), None | Some(Some(_))) = (to, from) {
                found.push((from.flatten(), to, place));
            }
        }
    }
    Ok(found)
}

/// `x` and an .xz stream, with the settings of which the result is shorter; the dictionary is no larger than it has to be,
/// since that is what a reader must have memory for.
fn pack(payload: &[u8]) -> Result<Vec<u8>> {
    let size = (payload.len() as u64).clamp(64 << 10, DICTIONARY).next_power_of_two();
    let mut best: Option<Vec<u8>> = None;
    for position_bits in [0, 2] {
        let mut options = LzmaOptions::new_preset(9 | (1 << 31)).context("liblzma")?;
        options.dict_size(u32::try_from(size)?).position_bits(position_bits).literal_position_bits(0);
        let mut filters = Filters::new();
        filters.lzma2(&options);
        let stream = Stream::new_stream_encoder(&filters, Check::Crc64).context("liblzma")?;
        let mut writer = liblzma::write::XzEncoder::new_stream(vec![b'x'], stream);
        std::io::Write::write_all(&mut writer, payload)?;
        let packed = writer.finish()?;
        if best.as_ref().is_none_or(|best| packed.len() < best.len()) {
            best = Some(packed);
        }
    }
    best.context("liblzma gave nothing")
}

/// Decodes a part with the reader that devices have.
fn check(part: &Part, bytes: &[u8], start: &Start<'_>) -> Result<()> {
    let head = &bytes[..bytes.len().min(usize::try_from(HEAD)?)];
    let coding = Coding::decode(head)?;
    let mut payload = Vec::with_capacity(part.payload.len());
    coding.unpack(&bytes, part.content, part.payload.len() as u64, &mut payload)?;
    if payload != part.payload {
        bail!("expected {} bytes of payload, got {} others", part.payload.len(), payload.len());
    }
    Ok(apply(&Payload::open(&payload)?, &part.objects, start, &mut Hashed::default())?)
}
