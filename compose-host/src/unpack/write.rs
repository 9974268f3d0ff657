//! Writing the files of one package after another.

use super::UnpackOptions;
use super::cpio::{Cpio, Which};
use super::owners::{Owners, set_caps};
use crate::root::{Place, Root, create, own_root};
use crate::rpmfile::files::{FileEntry, FileType, Files};
use crate::rpmfile::payload::Payload;
use crate::rpmfile::{Package, hex};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use std::collections::HashMap;
use std::io::{Read, Write as _};
use std::rc::Rc;

const BUFFER_BYTES: usize = 128 << 10;
const TIME: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
const EPOCH: Timestamps = Timestamps { last_access: TIME, last_modification: TIME };

/// Writes packages into one tree.
pub struct Writer<'a> {
    root: &'a Root,
    options: &'a UnpackOptions,
    owners: Owners,
    warnings: Vec<String>,
    /// Who wrote what: device and inode of the directory, and the name in it, so that `/lib/x` is `/usr/lib/x`.
    written: HashMap<(u64, u64, String), Written>,
    buffer: Vec<u8>,
}

struct Written {
    package: Rc<str>,
    entry: FileEntry,
}

/// What is known about the package being read.
struct Current<'p> {
    nevra: Rc<str>,
    files: &'p Files,
    /// Hard links read before their content, by the index of the file that brings it.
    waiting: HashMap<usize, Vec<usize>>,
    /// Path that got the content of a hard-link group.
    linked: HashMap<usize, String>,
}

impl<'a> Writer<'a> {
    /// Nothing written yet.
    pub fn new(root: &'a Root, options: &'a UnpackOptions) -> Writer<'a> {
        let buffer = vec![0; BUFFER_BYTES];
        Writer {
            root,
            options,
            owners: Owners::default(),
            warnings: Vec::new(),
            written: HashMap::new(),
            buffer,
        }
    }

    /// Owners still to be given, and warnings.
    pub fn finish(self) -> (Owners, Vec<String>) {
        (self.owners, self.warnings)
    }

    /// Writes all files of a package and checks all that its header says about them.
    pub fn package(&mut self, package: &Package, digest: Option<&str>) -> Result<()> {
        let files = Files::of(&package.header)?;
        let index: HashMap<&str, usize> =
            files.entries.iter().enumerate().map(|(index, entry)| (entry.path.as_str(), index)).collect();
        let mut seen = vec![false; files.entries.len()];
        let nevra = package.nevra.to_string().into();
        let mut current = Current { nevra, files: &files, waiting: HashMap::new(), linked: HashMap::new() };
        let mut archive = Cpio::new(Payload::open(package, digest.is_some())?);
        while let Some(which) = archive.next_entry()? {
            let at = locate(&which, &index, &files)?;
            let entry = &files.entries[at];
            ensure!(!std::mem::replace(&mut seen[at], true), "{}: twice in the payload", entry.path);
            ensure!(!entry.ghost, "{}: the header says %ghost, but it is in the payload", entry.path);
            archive.expect(expected_size(&which, entry, at)?);
            self.entry(&mut current, at, &mut archive).with_context(|| entry.path.clone())?;
        }
        let missing = files.entries.iter().zip(&seen).find(|(entry, seen)| !**seen && !entry.ghost);
        if let Some((entry, _)) = missing {
            bail!("{}: in the header, but not in the payload", entry.path);
        }
        archive.finish()?.finish(package, digest)
    }

    fn entry(&mut self, current: &mut Current<'_>, at: usize, data: &mut Cpio<Payload>) -> Result<()> {
        let entry = &current.files.entries[at];
        let wanted = !entry.doc || self.options.documentation;
        match entry.kind {
            FileType::Directory if wanted => self.directory(entry),
            FileType::Symlink => {
                let mut target = String::new();
                data.read_to_string(&mut target)?;
                ensure!(target == entry.target, "link target: expected {:?}, got {target:?}", entry.target);
                if wanted { self.symlink(current, entry) } else { Ok(()) }
            }
            FileType::Regular if entry.content_in == at => self.regular(current, at, wanted, data),
            FileType::Regular if wanted => {
                current.waiting.entry(entry.content_in).or_default().push(at);
                Ok(())
            }
            FileType::Special if self.options.ignore_devices => {
                self.warnings.push(format!("{}: device, fifo or socket left out", entry.path));
                Ok(())
            }
            FileType::Special => bail!("a device, fifo or socket, which no commit can hold"),
            FileType::Directory | FileType::Regular => Ok(()),
        }
    }

    fn directory(&mut self, entry: &FileEntry) -> Result<()> {
        let place = self.root.make_place(&entry.path)?;
        match place.kind()? {
            None => {
                rustix::fs::mkdirat(&place.dir, place.name.as_str(), Mode::from_raw_mode(0o700))
                    .context("mkdir")?;
            }
            Some(rustix::fs::FileType::Directory) => {}
            // a package may call a directory what the base system made a link to one
            Some(rustix::fs::FileType::Symlink) if self.root.dir(&entry.path).is_ok() => return Ok(()),
            Some(other) => bail!("expected a directory, got a {other:?} of an earlier package"),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&place.dir, place.name.as_str(), flags, Mode::empty())?;
        own_root(&fd)?;
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(entry.mode))?;
        self.owners.note(entry);
        Ok(())
    }

    fn symlink(&mut self, current: &Current<'_>, entry: &FileEntry) -> Result<()> {
        let Some(place) = self.claim(current, entry)? else { return Ok(()) };
        let (dir, name) = (&place.dir, place.name.as_str());
        rustix::fs::symlinkat(entry.target.as_str(), dir, name).context("symlink")?;
        let (uid, gid) = (rustix::process::Uid::ROOT, rustix::process::Gid::ROOT);
        rustix::fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        rustix::fs::utimensat(dir, name, &EPOCH, AtFlags::SYMLINK_NOFOLLOW)?;
        self.owners.note(entry);
        Ok(())
    }

    /// A file with content, and the hard links that have waited for it.
    fn regular(
        &mut self,
        current: &mut Current<'_>,
        at: usize,
        wanted: bool,
        data: &mut Cpio<Payload>,
    ) -> Result<()> {
        let mut links = current.waiting.remove(&at).unwrap_or_default();
        if wanted {
            links.push(at);
        }
        let mut file = None;
        for index in links {
            let entry = &current.files.entries[index];
            let Some(place) = self.claim(current, entry)? else { continue };
            match current.linked.get(&at) {
                Some(first) => {
                    let first = self.root.place(first)?.context("first of the hard links is gone")?;
                    let (from, to) = (first.name.as_str(), place.name.as_str());
                    rustix::fs::linkat(&first.dir, from, &place.dir, to, AtFlags::empty())
                        .with_context(|| format!("{}: hard link", entry.path))?;
                }
                None => {
                    file = Some(create(&place).with_context(|| format!("{}: create", entry.path))?);
                    current.linked.insert(at, entry.path.clone());
                }
            }
            self.owners.note(entry);
        }
        let entry = &current.files.entries[at];
        self.copy(entry, current.files.digest_algorithm, data, file.as_mut())?;
        if let Some(file) = file {
            own_root(&file)?;
            rustix::fs::fchmod(&file, Mode::from_raw_mode(entry.mode))?;
            set_caps(&file, entry)?;
            rustix::fs::futimens(&file, &EPOCH)?;
        }
        Ok(())
    }

    fn copy(
        &mut self,
        entry: &FileEntry,
        algorithm: u64,
        data: &mut impl Read,
        mut file: Option<&mut std::fs::File>,
    ) -> Result<()> {
        let mut hasher = FileHasher::new(algorithm)?;
        let mut length = 0u64;
        loop {
            let got = data.read(&mut self.buffer).context("payload")?;
            if got == 0 {
                break;
            }
            let bytes = &self.buffer[..got];
            hasher.update(bytes);
            if let Some(file) = &mut file {
                file.write_all(bytes).context("write")?;
            }
            length += got as u64;
        }
        ensure!(length == entry.size, "payload is truncated: expected {} bytes, got {length}", entry.size);
        let got = hasher.finish();
        ensure!(got == entry.digest, "file digest: expected {}, got {got}", entry.digest);
        Ok(())
    }

    /// The place for a file or link; none when an earlier package has written the very same.
    fn claim(&mut self, current: &Current<'_>, entry: &FileEntry) -> Result<Option<Place>> {
        let place = self.root.make_place(&entry.path)?;
        let dir = rustix::fs::fstat(&place.dir)?;
        let key = (dir.st_dev, dir.st_ino, place.name.clone());
        if let Some(earlier) = self.written.get(&key) {
            if let Some(difference) = difference(&earlier.entry, entry) {
                bail!("file conflict with {} ({}): {difference}", earlier.package, earlier.entry.path);
            }
            return Ok(None);
        }
        if let Some(kind) = place.kind()? {
            bail!("expected nothing there yet, got a {kind:?} that packages share");
        }
        self.written.insert(key, Written { package: Rc::clone(&current.nevra), entry: entry.clone() });
        Ok(Some(place))
    }
}

/// Index in the header of an archive's entry.
fn locate(which: &Which, index: &HashMap<&str, usize>, files: &Files) -> Result<usize> {
    match which {
        Which::Index(at) => {
            ensure!(
                *at < files.entries.len(),
                "payload entry {at}: expected less than {}",
                files.entries.len()
            );
            Ok(*at)
        }
        Which::Name { name, .. } => {
            let path = name.strip_prefix('.').filter(|path| path.starts_with('/'));
            let path =
                path.with_context(|| format!("payload entry {name:?}: expected ./ before the path"))?;
            let at = index.get(path).copied();
            at.with_context(|| format!("payload entry {name:?}: not in the header"))
        }
    }
}

/// Bytes of data that the header says an entry has; an archive that says otherwise lies.
fn expected_size(which: &Which, entry: &FileEntry, at: usize) -> Result<u64> {
    let expected = match entry.kind {
        FileType::Regular if entry.content_in == at => entry.size,
        FileType::Symlink => entry.target.len() as u64,
        _ => 0,
    };
    if let Which::Name { mode, size, .. } = which {
        let kind = match mode & 0o170000 {
            0o100000 => Some(FileType::Regular),
            0o040000 => Some(FileType::Directory),
            0o120000 => Some(FileType::Symlink),
            _ => Some(FileType::Special),
        };
        ensure!(
            kind == Some(entry.kind),
            "{}: the header says {:?}, the payload {mode:o}",
            entry.path,
            entry.kind
        );
        ensure!(*size == expected, "{}: size: the header says {expected}, the payload {size}", entry.path);
    }
    Ok(expected)
}

/// How two packages' files at one place differ; none when they may share it.
fn difference(a: &FileEntry, b: &FileEntry) -> Option<String> {
    let pairs = [
        ("type", format!("{:?}", a.kind), format!("{:?}", b.kind)),
        ("link target", a.target.clone(), b.target.clone()),
        ("digest", a.digest.clone(), b.digest.clone()),
        ("user", a.user.clone(), b.user.clone()),
        ("group", a.group.clone(), b.group.clone()),
        ("capabilities", a.caps.clone(), b.caps.clone()),
        ("mode", mode(a), mode(b)),
    ];
    let (what, first, second) = pairs.into_iter().find(|(_, first, second)| first != second)?;
    Some(format!("{what} {first} there, {second} here"))
}

fn mode(entry: &FileEntry) -> String {
    if entry.kind == FileType::Symlink { String::new() } else { format!("{:04o}", entry.mode) }
}

/// The digests that FILEDIGESTALGO may name.
enum FileHasher {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl FileHasher {
    fn new(algorithm: u64) -> Result<FileHasher> {
        match algorithm {
            8 => Ok(FileHasher::Sha256(Sha256::new())),
            9 => Ok(FileHasher::Sha384(Sha384::new())),
            10 => Ok(FileHasher::Sha512(Sha512::new())),
            other => bail!("file digest algorithm: expected 8 (SHA-256), 9 or 10, got {other}"),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            FileHasher::Sha256(hasher) => hasher.update(bytes),
            FileHasher::Sha384(hasher) => hasher.update(bytes),
            FileHasher::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            FileHasher::Sha256(hasher) => hex(&hasher.finalize()),
            FileHasher::Sha384(hasher) => hex(&hasher.finalize()),
            FileHasher::Sha512(hasher) => hex(&hasher.finalize()),
        }
    }
}
