//! A delta in libostree's own format: which objects, from which sources, in which parts. The caller packs the parts.

use super::bsdiff::bsdiff;
use super::sources::{Old, join};
use super::tree::{Objects, Workers};
use crate::error::{Error, Result};
use crate::ostree::Fallback;
use crate::ostree::payload::{self, Mode};
use rootling_object::{Checksum, Commit, DirTree, FileHeader, ObjectKind, ObjectName, Xattrs};
use std::collections::HashSet;
use std::sync::Mutex;

/// How to make it.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// A file of more bytes that no patch helps is fetched by itself; 0: never.
    pub fallback: u64,
    /// A part ends when its bytes reach so many.
    pub part: usize,
    /// Files whose old and new bytes are more together are not patched.
    pub patched: usize,
}

impl Default for Options {
    /// As `ostree static-delta generate` has them.
    fn default() -> Options {
        Options { fallback: 4 << 20, part: 32 << 20, patched: 128 << 20 }
    }
}

/// A part before it is packed.
#[derive(Debug, Default)]
pub struct Part {
    /// Its objects.
    pub objects: Vec<ObjectName>,
    /// Sum of their sizes.
    pub content: u64,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// A delta before its parts are packed.
#[derive(Debug, Default)]
pub struct Unpacked {
    /// The parts.
    pub parts: Vec<Part>,
    /// Objects that no part brings; `packed` is 0.
    pub fallbacks: Vec<Fallback>,
    /// How many files are made by patches.
    pub patches: usize,
}

/// Makes the delta from `from` (or from nothing) to `to`.
pub fn make(
    objects: &dyn Objects,
    from: Option<Checksum>,
    to: Checksum,
    options: &Options,
    workers: &dyn Workers,
) -> Result<Unpacked> {
    let old = Old::load(objects, from)?;
    let mut known = HashSet::new();
    if let Some(from) = from {
        known = metadata_of(objects, &from)?;
    }
    let commit = Commit::decode(&objects.commit(&to)?).map_err(|error| foreign(&error))?;
    let mut walk = Walk { objects, old: &old, known, metadata: Vec::new(), files: Vec::new() };
    walk.keep(ObjectKind::DirMeta, &commit.root_meta)?;
    walk.dir(&commit.root_tree, Some(String::new()), "")?;
    let mut parts = Parts { part: options.part, ..Parts::default() };
    for (name, bytes) in &walk.metadata {
        parts.metadata(*name, bytes);
    }
    let files = walk.files;
    // some at a time: all patches of a large tree are longer than memory
    for files in files.chunks(256) {
        let done = Mutex::new(Vec::new());
        workers.each(files.len(), &|at| {
            let coded = code(objects, &files[at], options);
            done.lock().expect("no worker panics").push((at, coded));
        });
        let mut done = done.into_inner().expect("no worker panics");
        done.sort_by_key(|(at, _)| *at);
        for (at, coded) in done {
            parts.file(&files[at], coded?);
        }
    }
    Ok(parts.finish())
}

fn foreign(error: &rootling_object::Error) -> Error {
    Error::io(error.to_string())
}

/// Every dirtree and dirmeta of a commit.
fn metadata_of(objects: &dyn Objects, commit: &Checksum) -> Result<HashSet<ObjectName>> {
    let commit = Commit::decode(&objects.commit(commit)?).map_err(|error| foreign(&error))?;
    let name = ObjectName::new;
    let mut known = HashSet::from([name(ObjectKind::DirMeta, commit.root_meta)]);
    let mut waiting = vec![commit.root_tree];
    while let Some(tree) = waiting.pop() {
        if known.insert(name(ObjectKind::DirTree, tree)) {
            let tree = DirTree::decode(&objects.dirtree(&tree)?).map_err(|error| foreign(&error))?;
            for (_, child, meta) in tree.dirs {
                known.insert(name(ObjectKind::DirMeta, meta));
                waiting.push(child);
            }
        }
    }
    Ok(known)
}

/// A new content object.
struct File {
    checksum: Checksum,
    source: Option<Checksum>,
}

struct Walk<'a> {
    objects: &'a dyn Objects,
    old: &'a Old,
    known: HashSet<ObjectName>,
    metadata: Vec<(ObjectName, Vec<u8>)>,
    files: Vec<File>,
}

impl Walk<'_> {
    fn keep(&mut self, kind: ObjectKind, checksum: &Checksum) -> Result<bool> {
        let name = ObjectName::new(kind, *checksum);
        let is_new = self.known.insert(name);
        if is_new {
            let bytes = match kind {
                ObjectKind::DirTree => self.objects.dirtree(checksum)?,
                _ => self.objects.dirmeta(checksum)?,
            };
            self.metadata.push((name, bytes));
        }
        Ok(is_new)
    }

    fn dir(&mut self, tree: &Checksum, base: Option<String>, path: &str) -> Result<()> {
        if !self.keep(ObjectKind::DirTree, tree)? {
            return Ok(());
        }
        let new = DirTree::decode(&self.objects.dirtree(tree)?).map_err(|error| foreign(&error))?;
        for (name, checksum) in &new.files {
            let is_old = self.old.paths.contains_key(checksum);
            if !is_old && self.known.insert(ObjectName::new(ObjectKind::File, *checksum)) {
                let (_, source) = self.old.source(base.as_deref(), name, path);
                self.files.push(File { checksum: *checksum, source });
            }
        }
        for (name, child, meta) in &new.dirs {
            self.keep(ObjectKind::DirMeta, meta)?;
            let base = base.as_deref().and_then(|base| {
                let same = join(base, name);
                if self.old.dirs.contains_key(&same) {
                    Some(same)
                } else {
                    self.old.renamed_dir(base, name, &new)
                }
            });
            self.dir(child, base, &join(path, name))?;
        }
        Ok(())
    }
}

/// What becomes of a file.
struct Coded {
    header: FileHeader,
    size: u64,
    how: How,
}

enum How {
    Whole(Vec<u8>),
    Patch(Checksum, Vec<u8>),
    ByItself,
}

fn code(objects: &dyn Objects, file: &File, options: &Options) -> Result<Coded> {
    let (header, new) = objects.content(&file.checksum)?;
    if let Some(target) = header.target.clone() {
        return Ok(Coded { header, size: 0, how: How::Whole(target.into_bytes()) });
    }
    let size = new.len() as u64;
    let source = file.source.map(|source| Ok((source, objects.content(&source)?))).transpose()?;
    if let Some((source, (old_header, old))) = source {
        let fits = old.len() + new.len() <= options.patched && !old.is_empty() && !new.is_empty();
        if fits && !old_header.is_symlink() {
            let patch = bsdiff(&old, &new);
            if weight(&patch) < weight(&new) {
                return Ok(Coded { header, size, how: How::Patch(source, patch) });
            }
        }
    }
    let alone = options.fallback > 0 && size > options.fallback;
    Ok(Coded { header, size, how: if alone { How::ByItself } else { How::Whole(new) } })
}

/// About how many bytes it takes once packed.
fn weight(bytes: &[u8]) -> usize {
    miniz_oxide::deflate::compress_to_vec(bytes, 3).len()
}

#[derive(Default)]
struct Parts {
    part: usize,
    made: Unpacked,
    objects: Vec<ObjectName>,
    content: u64,
    modes: Vec<Mode>,
    xattrs: Vec<Xattrs>,
    blob: Vec<u8>,
    operations: Vec<u8>,
}

impl Parts {
    fn metadata(&mut self, name: ObjectName, bytes: &[u8]) {
        self.begin(name, bytes.len() as u64);
        let offset = self.bytes(bytes);
        self.operation(b'S', &[bytes.len(), offset]);
        self.cut();
    }

    fn file(&mut self, file: &File, coded: Coded) {
        let name = ObjectName::new(ObjectKind::File, file.checksum);
        let Coded { header, size, how } = coded;
        if let How::ByItself = how {
            self.made.fallbacks.push(Fallback { name, packed: 0, size });
            return;
        }
        self.begin(name, size);
        let mode = place(&mut self.modes, (header.uid, header.gid, header.mode));
        let xattrs = place(&mut self.xattrs, header.xattrs);
        match how {
            How::Patch(source, patch) => {
                self.made.patches += 1;
                let old = self.bytes(&source.0);
                let offset = self.bytes(&patch);
                self.operation(b'o', &[mode, xattrs, size as usize]);
                self.operation(b'r', &[old]);
                self.operation(b'B', &[offset, patch.len()]);
                self.operation(b'R', &[]);
                self.operation(b'c', &[]);
            }
            How::Whole(bytes) => {
                let offset = self.bytes(&bytes);
                self.operation(b'S', &[mode, xattrs, bytes.len(), offset]);
            }
            How::ByItself => {}
        }
        self.cut();
    }

    fn begin(&mut self, name: ObjectName, size: u64) {
        self.objects.push(name);
        self.content += size;
    }

    fn bytes(&mut self, bytes: &[u8]) -> usize {
        let offset = self.blob.len();
        self.blob.extend_from_slice(bytes);
        offset
    }

    fn operation(&mut self, which: u8, numbers: &[usize]) {
        self.operations.push(which);
        for number in numbers {
            let mut rest = *number;
            while rest >= 0x80 {
                self.operations.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            self.operations.push(rest as u8);
        }
    }

    fn cut(&mut self) {
        if self.blob.len() >= self.part {
            self.close();
        }
    }

    fn close(&mut self) {
        let take = std::mem::take::<Vec<u8>>;
        let (blob, operations) = (take(&mut self.blob), take(&mut self.operations));
        let payload = payload::encode(&self.modes, &self.xattrs, blob, operations);
        let objects = std::mem::take(&mut self.objects);
        let content = std::mem::take(&mut self.content);
        self.made.parts.push(Part { objects, content, payload });
        (self.modes, self.xattrs) = (Vec::new(), Vec::new());
    }

    fn finish(mut self) -> Unpacked {
        if !self.objects.is_empty() {
            self.close();
        }
        self.made
    }
}

fn place<T: PartialEq>(list: &mut Vec<T>, value: T) -> usize {
    list.iter().position(|known| *known == value).unwrap_or_else(|| {
        list.push(value);
        list.len() - 1
    })
}
