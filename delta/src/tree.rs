//! The changed directories of a delta, and the plan that comes of them with the old tree at hand.
//!
//! No checksum of a dirtree travels: each is made from an old one and a few edits, from the leaves to the root, and
//! the root must be the one that the commit names. So every object that a group will make is known by name first.

use crate::error::{Error, Result};
use crate::header::Header;
use crate::num::index;
use rootling_object::{Checksum, Commit, DirTree, FileHeader};
use std::cmp::Ordering;

/// One changed directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dir {
    /// The directory of the old tree that it is made from.
    pub base: Base,
    /// What differs, ascending by name.
    pub edits: Vec<Edit>,
}

/// An old directory or file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// The one of the same name in the base of the directory around it.
    Same,
    /// None.
    Nothing,
    /// The one at this path of the old tree, without a slash in front.
    Path(String),
}

/// What became of one name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The name.
    pub name: String,
    /// What it stands for now.
    pub change: Change,
}

/// What a name stands for in the new tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Remove,
    /// The object of this number in the header.
    Object(u32),
    /// An object that the old tree has, at this path.
    Old(String),
    /// The next directory of the header's list that no name took yet.
    Dir(Meta),
}

/// The dirmeta of a changed directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meta {
    /// As in the base of the directory around it.
    Same,
    /// The new one of this number in the header.
    New(u32),
    /// One that the old tree has.
    Old([u8; 32]),
}

/// A content object that the delta brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its checksum.
    pub checksum: [u8; 32],
    /// Number of its header among the file headers.
    pub header: u32,
    /// Length of the file; `None` for a symlink, which is all header.
    pub size: Option<u64>,
    /// What its content is made from.
    pub source: Base,
}

/// Read access to the tree that a delta starts from.
pub trait OldTree {
    /// The bytes of a dirtree object.
    fn dirtree(&self, checksum: &Checksum) -> Result<Vec<u8>>;
    /// The root of the old commit; `None` if the delta starts from nothing.
    fn root(&self) -> Option<(Checksum, Checksum)>;
}

/// Everything a delta makes, known before any group is fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The new commit, which verification has yet to accept.
    pub commit: Commit,
    /// New dirtree objects, those inside first.
    pub dirtrees: Vec<(Checksum, Vec<u8>)>,
    /// New dirmeta objects.
    pub dirmetas: Vec<(Checksum, Vec<u8>)>,
    /// New content objects, in the order of the header.
    pub objects: Vec<PlannedObject>,
}

impl Plan {
    /// Bytes of all files that the groups make: what must be free before any is fetched.
    pub fn size(&self) -> u64 {
        self.objects.iter().filter_map(|object| object.size).fold(0, u64::saturating_add)
    }
}

/// A content object to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedObject {
    /// What it must hash to.
    pub checksum: Checksum,
    /// Owner, mode, xattrs, target.
    pub header: FileHeader,
    /// Length of the file; `None` for a symlink.
    pub size: Option<u64>,
    /// The old content object that it is made from.
    pub source: Option<Checksum>,
}

/// Works out what `header` makes of the old tree.
pub fn plan(header: &Header, old: &dyn OldTree) -> Result<Plan> {
    let mut objects = Vec::with_capacity(header.objects.len());
    for object in &header.objects {
        let bytes = header.file_headers.get(index(u64::from(object.header))).map_or(&[][..], Vec::as_slice);
        let file_header = FileHeader::decode_hashed(bytes).map_err(|err| inner("file header", &err))?;
        if file_header.is_symlink() != object.size.is_none() {
            return Err(Error::malformed("object", "size", "one for each regular file", "another"));
        }
        objects.push(PlannedObject {
            checksum: Checksum(object.checksum),
            header: file_header,
            size: object.size,
            source: None,
        });
    }
    let dirmetas = header.dirmetas.iter().map(|bytes| (Checksum::of(bytes), bytes.clone())).collect();
    let commit = Commit::decode(&header.commit).map_err(|err| inner("commit", &err))?;
    let mut walk = Walk { header, old, next: 1, objects, dirmetas, dirtrees: Vec::new() };
    let root = walk.dir(header.dirs.first(), old.root().map(|(tree, _)| tree), 0)?;
    if root != commit.root_tree {
        return Err(Error::malformed("delta", "root dirtree", commit.root_tree, root));
    }
    if walk.next != header.dirs.len() {
        return Err(Error::malformed(
            "delta header",
            "dirs",
            format_args!("{} dirs", walk.next),
            header.dirs.len(),
        ));
    }
    let Walk { objects, dirmetas, dirtrees, .. } = walk;
    Ok(Plan { commit, dirtrees, dirmetas, objects })
}

/// Deepest directory that is followed, as `PATH_MAX` allows.
const MAX_DEPTH: u32 = 512;

struct Walk<'a> {
    header: &'a Header,
    old: &'a dyn OldTree,
    /// The next directory that a name takes.
    next: usize,
    objects: Vec<PlannedObject>,
    dirmetas: Vec<(Checksum, Vec<u8>)>,
    dirtrees: Vec<(Checksum, Vec<u8>)>,
}

impl Walk<'_> {
    /// Makes the dirtree of `dir`; `same` is the old directory of the same name.
    fn dir(&mut self, dir: Option<&Dir>, same: Option<Checksum>, depth: u32) -> Result<Checksum> {
        let Some(dir) = dir else {
            return Err(Error::malformed(
                "delta header",
                "dirs",
                "one for each changed directory",
                "too few",
            ));
        };
        if depth > MAX_DEPTH {
            return Err(Error::limit("directory depth", MAX_DEPTH.into(), depth.into()));
        }
        let base = match &dir.base {
            Base::Same => same,
            Base::Nothing => None,
            Base::Path(path) => Some(self.old_dir(path)?),
        };
        let base = base.map_or_else(|| Ok(DirTree::default()), |base| self.tree(&base))?;
        let (mut files, mut dirs) = (Kept::new(&base.files), Kept::new(&base.dirs));
        let mut last: Option<&str> = None;
        for edit in &dir.edits {
            if last.is_some_and(|last| last >= edit.name.as_str()) {
                return Err(Error::malformed(
                    "edit",
                    "name",
                    "ascending names",
                    format_args!("{:?}", edit.name),
                ));
            }
            last = Some(&edit.name);
            files.pass(&edit.name, |(name, _)| name);
            dirs.pass(&edit.name, |(name, ..)| name);
            match &edit.change {
                Change::Remove => {}
                Change::Object(number) => {
                    let checksum = self.object(*number, base.file(&edit.name).copied())?;
                    files.kept.push((edit.name.clone(), checksum));
                }
                Change::Old(path) => files.kept.push((edit.name.clone(), self.old_file(path)?)),
                Change::Dir(meta) => {
                    let same = base.dir(&edit.name);
                    let meta = self.meta(meta, same.map(|(_, meta)| *meta))?;
                    let child = self.header.dirs.get(self.next);
                    self.next = self.next.saturating_add(1);
                    let tree = self.dir(child, same.map(|(tree, _)| *tree), depth.saturating_add(1))?;
                    dirs.kept.push((edit.name.clone(), tree, meta));
                }
            }
        }
        let new = DirTree { files: files.all(), dirs: dirs.all() };
        let bytes = new.encode();
        DirTree::decode(&bytes).map_err(|err| inner("new dirtree", &err))?;
        let checksum = Checksum::of(&bytes);
        self.dirtrees.push((checksum, bytes));
        Ok(checksum)
    }

    /// Notes where object `number` comes from and gives its name.
    fn object(&mut self, number: u32, same: Option<Checksum>) -> Result<Checksum> {
        let number = index(u64::from(number));
        let source = match self.header.objects.get(number).map(|object| &object.source) {
            Some(Base::Same) => same,
            Some(Base::Path(path)) => Some(self.old_file(path)?),
            Some(Base::Nothing) | None => None,
        };
        let Some(object) = self.objects.get_mut(number) else {
            return Err(Error::malformed("edit", "object", "one of the header's objects", number));
        };
        object.source = object.source.or(source);
        Ok(object.checksum)
    }

    fn meta(&self, meta: &Meta, same: Option<Checksum>) -> Result<Checksum> {
        let found = match meta {
            Meta::Same => same,
            Meta::New(number) => self.dirmetas.get(index(u64::from(*number))).map(|(checksum, _)| *checksum),
            Meta::Old(checksum) => Some(Checksum(*checksum)),
        };
        found
            .ok_or_else(|| Error::malformed("edit", "dirmeta", "one that is known", format_args!("{meta:?}")))
    }

    fn tree(&self, checksum: &Checksum) -> Result<DirTree> {
        DirTree::decode(&self.old.dirtree(checksum)?).map_err(|err| inner("old dirtree", &err))
    }

    fn old_dir(&self, path: &str) -> Result<Checksum> {
        let mut at = self.old.root().map(|(tree, _)| tree).ok_or_else(|| missing(path))?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = *self.tree(&at)?.dir(name).ok_or_else(|| missing(path))?.0;
        }
        Ok(at)
    }

    fn old_file(&self, path: &str) -> Result<Checksum> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        let tree = self.tree(&self.old_dir(dir)?)?;
        tree.file(name).copied().ok_or_else(|| missing(path))
    }
}

/// An old list that becomes a new one, both ascending by name.
struct Kept<'a, T> {
    old: &'a [T],
    kept: Vec<T>,
}

impl<'a, T: Clone> Kept<'a, T> {
    fn new(old: &'a [T]) -> Kept<'a, T> {
        Kept { old, kept: Vec::with_capacity(old.len()) }
    }

    /// Keeps what comes before `name`, and drops `name` itself.
    fn pass(&mut self, name: &str, name_of: fn(&T) -> &String) {
        while let Some((first, rest)) = self.old.split_first() {
            match name_of(first).as_str().cmp(name) {
                Ordering::Less => self.kept.push(first.clone()),
                Ordering::Equal => {}
                Ordering::Greater => return,
            }
            self.old = rest;
        }
    }

    fn all(mut self) -> Vec<T> {
        self.kept.extend_from_slice(self.old);
        self.kept
    }
}

fn missing(path: &str) -> Error {
    Error::malformed("delta", "old path", "a path of the old tree", path)
}

fn inner(field: &'static str, err: &rootling_object::Error) -> Error {
    Error::malformed("delta", field, "a valid one", err)
}
