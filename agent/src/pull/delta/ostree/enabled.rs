//! A build that reads deltas of `ostree`.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rootling_delta::Sink;
use rootling_delta::ostree::index::{self, MAX_INDEX};
use rootling_delta::ostree::superblock::MAX_SUPERBLOCK;
use rootling_delta::ostree::{Coding, HEAD, PartHeader, Payload, Superblock, path};
use rootling_object::{Checksum, Dict};
use rootling_store::Transaction;

use super::super::objects::{New, Old};
use super::super::parts::{Group, Parts, Piece};
use super::super::{Brought, Mode, is_whole};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::pull::Pull;
use crate::pull::lookup::trusted_summary;
use crate::pull::source::Server;
use crate::settings;
use crate::text::size;
use crate::transport::{Answer, Request};

/// A delta whose superblock was fetched and read, but not trusted.
#[derive(Debug)]
pub struct Opened {
    superblock: Superblock,
    detached: Option<Dict>,
    parts: Parts,
    folder: String,
}

impl Opened {
    /// The commit object and its detached metadata.
    pub fn commit(&self) -> (&[u8], Option<Dict>) {
        (&self.superblock.commit, self.detached.clone())
    }
}

/// The delta to `to` that starts from the newest commit here; `None` if the server has none at all.
pub fn open(pull: &Pull<'_>, server: &Server, to: &Checksum) -> Result<Option<Opened>> {
    let offered = offered(server, to)?;
    if offered.is_empty() {
        return Ok(None);
    }
    let age = |from: &Checksum| pull.repo.load_commit(from).map_or(0, |commit| commit.timestamp);
    let here = offered.iter().filter_map(|(from, superblock)| Some((from.as_ref()?, superblock)));
    let best = here.filter(|(from, _)| is_whole(pull, from)).max_by_key(|(from, _)| age(from));
    let nothing_here = || Ok::<_, Error>(pull.repo.list_refs()?.iter().all(|(_, tip)| !is_whole(pull, tip)));
    let (from, checksum) = match best {
        Some((from, superblock)) => (Some(*from), *superblock),
        None => match offered.iter().find(|(from, _)| from.is_none()) {
            Some((_, superblock)) if pull.deltas == Mode::Require || nothing_here()? => (None, *superblock),
            _ => {
                return Err(Error::refused(format_args!(
                    "none of the server's deltas starts from a commit that is here"
                )));
            }
        },
    };
    let folder = path::folder(from.as_ref(), to);
    let place = format!("{folder}/superblock");
    let superblock = server.retry.run(|fresh| {
        let bytes = read(server, &place, MAX_SUPERBLOCK, fresh)?;
        let bytes = bytes.ok_or_else(|| wrong(server, &place, "a superblock", "none"))?;
        let got = Checksum::of(&bytes);
        if got != checksum {
            return Err(wrong(server, &place, &checksum.to_string(), &got.to_string()));
        }
        Superblock::decode(&bytes).map_err(|error| Error::from(error).at(&server.place(&place)))
    });
    let superblock = superblock.map_err(|error| server.only_here(error))?;
    if (superblock.from, superblock.to) != (from, *to) {
        return Err(wrong(server, &place, "what its index says", "another delta"));
    }
    let detached = match superblock.detached.clone() {
        Some(detached) => Some(detached),
        None => pull.source.detached(to)?,
    };
    let parts = Parts::open(pull.repo.path(), &checksum)?;
    Ok(Some(Opened { superblock, detached, parts, folder }))
}

fn wrong(server: &Server, place: &str, expected: &str, got: &str) -> Error {
    Error::corrupt(format_args!("{}: expected {expected}, got {got}", server.place(place)))
}

fn read(server: &Server, path: &str, limit: u64, fresh: bool) -> Result<Option<Vec<u8>>> {
    match server.transport.get(&Request { fresh, optional: true, ..Request::new(path, limit) })? {
        Answer::Found(body) => body.metered(server.meter.clone()).bytes().map(Some),
        Answer::Absent | Answer::Unchanged => Ok(None),
    }
}

/// Where each delta to `to` starts, with the checksum of its superblock: as a signed summary says, else as the index does.
fn offered(server: &Server, to: &Checksum) -> Result<Vec<(Option<Checksum>, Checksum)>> {
    let of = |metadata: &Dict| {
        let entries = index::entries(metadata).into_iter().filter(|(_, other, _)| other == to);
        entries.map(|(from, _, superblock)| (from, superblock)).collect::<Vec<_>>()
    };
    let signed = trusted_summary(server)?.map(|summary| of(&summary.metadata)).unwrap_or_default();
    if !signed.is_empty() {
        return Ok(signed);
    }
    let path = path::index(to);
    let listed = server.retry.run(|fresh| {
        let Some(bytes) = read(server, &path, MAX_INDEX, fresh)? else { return Ok(Vec::new()) };
        let metadata = index::decode(&bytes).map_err(|error| Error::from(error).at(&server.place(&path)))?;
        Ok(of(&metadata))
    });
    listed.map_err(|error| server.only_here(error))
}

/// Bytes that agent.conf grants to unpack a part; a file with an error in it is no reason to miss an update.
pub fn memory_limit(root: &Path) -> u64 {
    match settings::read(root) {
        Ok(settings) => settings.memory_limit,
        Err(error) => {
            rootling_store::warn!("{error}; all objects come loose");
            0
        }
    }
}

/// Makes all objects it can; the texts say which parts could not be used.
pub fn apply(
    pull: &Pull<'_>,
    server: &Server,
    transaction: &Transaction<'_>,
    opened: &Opened,
) -> Result<(Brought, Vec<String>)> {
    let superblock = &opened.superblock;
    let bytes = size(superblock.size());
    pull.screen.say(&match superblock.from {
        Some(from) => format!("by delta of ostree from {from}: {bytes}"),
        None => format!("by delta of ostree from nothing: {bytes}"),
    });
    let old = Old { repo: pull.repo, root: None };
    let mut work = Work { pull, server, transaction, opened, old, brought: Brought::default() };
    let mut broken = Vec::new();
    let codings = match work.codings() {
        Err(error) => {
            broken.push(format!("the delta: {}", tolerable(error)?));
            return Ok((work.brought, broken));
        }
        Ok(codings) => codings,
    };
    for (number, (part, coding)) in superblock.parts.iter().zip(codings).enumerate() {
        if part.objects.iter().all(|name| transaction.has(name)) {
            continue;
        }
        match work.part(number, part, coding) {
            Ok(()) => {
                transaction.checkpoint()?;
                opened.parts.remove(number);
            }
            Err(error) => broken.push(format!("part {number} of the delta: {}", tolerable(error)?)),
        }
    }
    Ok((work.brought, broken))
}

/// What loose objects mend.
fn tolerable(error: Error) -> Result<String> {
    match error.exit() {
        Exit::Corrupt | Exit::Failed | Exit::Space => Ok(error.to_string()),
        _ => Err(error),
    }
}

struct Work<'a> {
    pull: &'a Pull<'a>,
    server: &'a Server,
    transaction: &'a Transaction<'a>,
    opened: &'a Opened,
    old: Old<'a>,
    brought: Brought,
}

impl Work<'_> {
    fn path(&self, number: usize) -> String {
        format!("{}/{number}", self.opened.folder)
    }

    /// How each part is packed; an error if one takes more memory than is granted.
    fn codings(&self) -> Result<Vec<Coding>> {
        let parts = self.opened.superblock.parts.iter().enumerate();
        parts
            .map(|(number, part)| {
                let path = self.path(number);
                let piece = Piece { path: &path, start: 0, size: part.size, checksum: part.checksum };
                let file = self.opened.parts.begin(self.server, &number.to_string(), &piece, HEAD)?;
                let mut head = vec![0; usize::try_from(part.size.min(HEAD)).unwrap_or(0)];
                file.read_exact_at(&mut head, 0).map_err(|error| Error::io(&path, &error))?;
                let coding =
                    Coding::decode(&head).map_err(|error| Error::refused(format_args!("{error}")))?;
                let (needed, limit) = (coding.memory(part.content), self.pull.memory_limit);
                if needed > limit {
                    let [needed, limit] = [needed, limit].map(size);
                    return Err(Error::refused(format_args!(
                        "part {number} takes {needed} of memory, memory-limit is {limit}"
                    )));
                }
                Ok(coding)
            })
            .collect()
    }

    fn part(&mut self, number: usize, part: &PartHeader, coding: Coding) -> Result<()> {
        let (path, parts) = (self.path(number), &self.opened.parts);
        let piece = Piece { path: &path, start: 0, size: part.size, checksum: part.checksum };
        let usable = self.pull.repo.usable_space()?;
        let packed = parts.fetch(self.server, &number.to_string(), &piece, usable)?;
        let mut payload = Scratch { file: parts.scratch("payload")?, size: 0, failed: None };
        let most = self.pull.repo.usable_space()?;
        let unpacked =
            coding.unpack(&Group { file: packed, size: part.size }, part.content, most, &mut payload);
        if let Some(error) = payload.failed.take() {
            return Err(error);
        }
        unpacked.map_err(corrupt)?;
        let payload = Group { file: payload.file, size: payload.size };
        let mut new =
            New { transaction: self.transaction, open: None, disk: None, made: Vec::new(), bytes: 0 };
        let made = Payload::open(&payload)
            .and_then(|payload| rootling_delta::ostree::apply(&payload, &part.objects, &self.old, &mut new));
        let New { made: objects, disk, .. } = new;
        self.brought.objects += objects.len() as u64;
        self.brought.hashed.extend(objects);
        if let Some(error) = disk {
            return Err(error.into());
        }
        made.map_err(corrupt)
    }
}

fn corrupt(error: rootling_delta::Error) -> Error {
    Error::corrupt(format_args!("{error}"))
}

/// An unpacked part being written.
struct Scratch {
    file: File,
    size: u64,
    failed: Option<Error>,
}

impl Sink for Scratch {
    fn write(&mut self, bytes: &[u8]) -> rootling_delta::Result<()> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        self.file.write_all(bytes).map_err(|error| {
            let text = error.to_string();
            self.failed = Some(Error::io("unpacked part", &error));
            rootling_delta::Error::io(text)
        })
    }
}
