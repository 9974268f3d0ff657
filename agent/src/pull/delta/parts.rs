//! What was downloaded of a delta, kept where neither a kill nor a reboot loses it.
//!
//! ```text
//! tmp/rootling-delta/lock            held while a process works here
//! tmp/rootling-delta/NAME/header     prelude and packed header
//! tmp/rootling-delta/NAME/N          group N as far as it came
//! ```
//! NAME is the header's checksum, so all bytes here are of one file; folders of other deltas are removed. Every file is
//! compared with its checksum before it is used.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rootling_delta::header::PRELUDE;
use rootling_delta::list::Entry;
use rootling_delta::{Header, Prelude, ReadAt};
use rootling_object::{Checksum, Hasher};
use rootling_store::deltas;
use rootling_store::lock::{FileLock, LockKind};

use super::{BUDGET, Opened};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::pull::Pull;
use crate::pull::source::Server;
use crate::transport::{Answer, Request};

/// Bytes copied from a connection at a time.
const CHUNK: usize = 16 << 10;

/// The folder of one delta, held.
#[derive(Debug)]
pub(super) struct Parts {
    folder: PathBuf,
    _lock: FileLock,
}

/// A piece of the file on the server.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) path: &'a str,
    pub(super) start: u64,
    pub(super) size: u64,
    pub(super) checksum: Checksum,
}

fn place(repo: &Path) -> PathBuf {
    repo.join("tmp/rootling-delta")
}

fn io<'a>(path: &'a Path) -> impl Fn(std::io::Error) -> Error + 'a {
    move |error| Error::io(&path.display().to_string(), &error)
}

/// Fetches and reads the header of a delta.
#[inline(never)]
pub(super) fn head(pull: &Pull<'_>, server: &Server, to: &Checksum, entry: &Entry) -> Result<Opened> {
    let parts = Parts::open(pull.repo.path(), &entry.checksum)?;
    let path = deltas::data_path(to, &entry.checksum);
    let piece = Piece { path: &path, start: 0, size: entry.head.into(), checksum: entry.checksum };
    let file = parts.fetch(server, "header", &piece, pull.repo.usable_space()?)?;
    let mut bytes = vec![0; usize::try_from(entry.head).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, 0).map_err(io(&parts.folder))?;
    let at = |error: rootling_delta::Error| Error::from(error).at(&server.place(&path));
    let prelude = Prelude::decode(&bytes).map_err(at)?;
    let header = Header::decode(&prelude, bytes.get(PRELUDE..).unwrap_or_default(), BUDGET).map_err(at)?;
    let total = header.groups.iter().fold(prelude.groups_at(), |sum, group| sum.saturating_add(group.size()));
    let from = header.from.map(Checksum);
    if (Checksum(header.to), from, total) != (*to, entry.from, entry.total) {
        return Err(Error::corrupt(format_args!(
            "{}: expected what its list says, got another delta",
            server.place(&path)
        )));
    }
    Ok(Opened { prelude, header, parts, path, total })
}

/// Removes everything that was downloaded, unless another process works there.
pub(super) fn forget(repo: &Path) {
    let all = place(repo);
    if !all.exists() {
        return;
    }
    if let Ok(_held) = FileLock::try_acquire(&all.join("lock"), LockKind::Exclusive) {
        // what stays is removed by the next delta
        let _ = fs::remove_dir_all(&all);
    }
}

impl Parts {
    pub(super) fn open(repo: &Path, name: &Checksum) -> Result<Parts> {
        let all = place(repo);
        let folder = all.join(name.to_string());
        fs::create_dir_all(&all).map_err(io(&all))?;
        let lock = FileLock::try_acquire(&all.join("lock"), LockKind::Exclusive)?;
        for (_, other) in rootling_store::fs::list(&all)? {
            if other.is_dir() && other != folder {
                fs::remove_dir_all(&other).map_err(io(&other))?;
            }
        }
        fs::create_dir_all(&folder).map_err(io(&folder))?;
        Ok(Parts { folder, _lock: lock })
    }

    /// Removes all of it, for the sake of space.
    pub(super) fn clear(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// Removes a group whose objects are durable.
    pub(super) fn remove(&self, number: usize) {
        let _ = fs::remove_file(self.folder.join(number.to_string()));
    }

    fn file(&self, name: &str) -> Result<(PathBuf, File)> {
        let path = self.folder.join(name);
        let open = OpenOptions::new().read(true).append(true).create(true).open(&path);
        Ok((path.clone(), open.map_err(io(&path))?))
    }

    /// At least the first `count` bytes of `piece`, kept in the file `name`; [`fetch`](Parts::fetch) goes on from there, and
    /// only then they are compared with anything.
    #[cfg(feature = "ostree-delta")]
    pub(super) fn begin(&self, server: &Server, name: &str, piece: &Piece<'_>, count: u64) -> Result<File> {
        let (path, mut file) = self.file(name)?;
        let piece = Piece { size: piece.size.min(count), ..*piece };
        let tried = server.retry.run(|_| {
            let have = file.metadata().map_err(io(&path))?.len();
            if have < piece.size { receive(server, &piece, have, false, &mut file) } else { Ok(()) }
        });
        tried.map_err(|error| server.only_here(error))?;
        Ok(file)
    }

    /// An empty file that is none of the pieces.
    #[cfg(feature = "ostree-delta")]
    pub(super) fn scratch(&self, name: &str) -> Result<File> {
        let (path, file) = self.file(name)?;
        file.set_len(0).map_err(io(&path))?;
        Ok(file)
    }

    /// The whole of `piece`, kept in the file `name`: only what is missing is asked for, and all is compared with its checksum.
    ///
    /// A bad line that still brings something is not given up. `usable` is the space that may be filled.
    pub(super) fn fetch(&self, server: &Server, name: &str, piece: &Piece<'_>, usable: u64) -> Result<File> {
        let (path, mut file) = self.file(name)?;
        let missing = piece.size.saturating_sub(file.metadata().map_err(io(&path))?.len());
        if missing > usable {
            let place = path.display();
            return Err(Error::space(format_args!(
                "{place}: expected {missing} bytes of free space, got {usable}"
            )));
        }
        loop {
            let before = file.metadata().map_err(io(&path))?.len();
            let tried = server.retry.run(|fresh| attempt(server, piece, &path, &mut file, fresh));
            match tried {
                Ok(()) => return Ok(file),
                Err(error)
                    if error.exit() == Exit::Network
                        && file.metadata().map_err(io(&path))?.len() > before => {}
                Err(error) => return Err(server.only_here(error)),
            }
        }
    }
}

fn attempt(server: &Server, piece: &Piece<'_>, path: &Path, file: &mut File, fresh: bool) -> Result<()> {
    let mut have = file.metadata().map_err(io(path))?.len();
    if fresh || have > piece.size {
        file.set_len(0).map_err(io(path))?;
        have = 0;
    }
    if have < piece.size {
        receive(server, piece, have, fresh, file).map_err(|error| match error.exit() {
            Exit::Space | Exit::Locked => error.at(&path.display().to_string()),
            _ => error,
        })?;
    }
    check(server, piece, path, file)
}

/// Appends what is missing after the first `have` bytes, and makes it durable.
fn receive(server: &Server, piece: &Piece<'_>, have: u64, fresh: bool, file: &mut File) -> Result<()> {
    let (start, left) = (piece.start.saturating_add(have), piece.size.saturating_sub(have));
    let range = Some(start..start.saturating_add(left));
    let request = Request { range, fresh, ..Request::new(piece.path, u64::MAX) };
    let place = server.place(piece.path);
    let Answer::Found(body) = server.transport.get(&request)? else {
        return Err(Error::refused(format_args!("{place}: expected a delta, got none")));
    };
    let mut body = body.metered(server.meter.clone());
    if body.offset != start {
        return Err(Error::refused(format_args!(
            "{place}: expected bytes from {start}, got {}: no Range",
            body.offset
        )));
    }
    if let Some(total) = body.total.filter(|total| *total < start.saturating_add(left)) {
        return Err(Error::corrupt(format_args!("{place}: expected a longer file, got {total} bytes")));
    }
    let mut buffer = [0; CHUNK];
    let mut left = left;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let count = body.read(buffer.get_mut(..most).unwrap_or_default());
        let count = match (count, body.fault()) {
            (Ok(0), _) => {
                return Err(Error::retry(format_args!("{place}: expected {left} more bytes, got the end")));
            }
            (Ok(count), _) => count,
            (Err(_), Some(fault)) => return Err(fault),
            (Err(error), None) => return Err(Error::retry(format_args!("{place}: {error}"))),
        };
        file.write_all(buffer.get(..count).unwrap_or_default())
            .map_err(|error| Error::io("write", &error))?;
        left = left.saturating_sub(count as u64);
    }
    file.sync_data().map_err(|error| Error::io("sync", &error))
}

fn check(server: &Server, piece: &Piece<'_>, path: &Path, file: &File) -> Result<()> {
    let (mut hasher, mut at, mut buffer) = (Hasher::new(), 0, [0; CHUNK]);
    while at < piece.size {
        let most = usize::try_from(piece.size - at).unwrap_or(CHUNK).min(CHUNK);
        let bytes = buffer.get_mut(..most).unwrap_or_default();
        file.read_exact_at(bytes, at).map_err(io(path))?;
        hasher.update(bytes);
        at += most as u64;
    }
    let got = hasher.finish();
    if got != piece.checksum {
        let end = piece.start.saturating_add(piece.size);
        let place = server.place(piece.path);
        let (start, expected) = (piece.start, piece.checksum);
        return Err(Error::corrupt(format_args!(
            "{place}: bytes {start} to {end}: expected {expected}, got {got}"
        )));
    }
    Ok(())
}

/// A verified group in its file.
pub(super) struct Group {
    pub(super) file: File,
    pub(super) size: u64,
}

impl ReadAt for Group {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> rootling_delta::Result<()> {
        let read = self.file.read_exact_at(into, offset);
        read.map_err(|error| rootling_delta::Error::io(format!("group: {error}")))
    }
}
