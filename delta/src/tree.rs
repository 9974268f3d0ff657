//! The changed directories of a delta, and the plan that comes of them with the old tree at hand.
//!
//! No checksum of a dirtree travels: each is made from an old one and a few edits, from the leaves to the root, and
//! the root must be the one that the commit names. So every object that a group will make is known by name first.

use crate::ENABLED;
use crate::error::{Error, Result};
use crate::header::Header;
use crate::num::{index, wide};
use rootling_object::{Checksum, Commit, DirTree, FileHeader};

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
    /// What else: up to three files at these paths of the old tree. Since profile 3; before, there is no such field.
    pub more: Vec<String>,
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
    /// The old content objects that it is made from, [`MAX_SOURCES`] at most.
    pub sources: Vec<Checksum>,
}

/// Works out what `header` makes of the old tree.
#[inline(never)]
pub fn plan(header: &Header, old: &dyn OldTree) -> Result<Plan> {
    if !ENABLED {
        return Error::none();
    }
    let mut objects = Vec::with_capacity(header.objects.len());
    for object in &header.objects {
        let bytes = header.file_headers.get(index(u64::from(object.header))).map_or(&[][..], Vec::as_slice);
        let file_header = FileHeader::decode_hashed(bytes).map_err(|err| inner("file header", &err))?;
        if file_header.is_symlink() != object.size.is_none() {
            return Err(Error::fixed("object: size: expected one for each regular file, got another"));
        }
        objects.push(PlannedObject {
            checksum: Checksum(object.checksum),
            header: file_header,
            size: object.size,
            sources: Vec::new(),
        });
    }
    let mut dirmetas = Vec::new();
    for bytes in &header.dirmetas {
        dirmetas.push((Checksum::of(bytes), bytes.clone()));
    }
    let commit = Commit::decode(&header.commit).map_err(|err| inner("commit", &err))?;
    let old_root = old.root().map(|(tree, _)| tree);
    let mut walk =
        Walk { header, old, old_root, next: 1, objects, dirmetas, dirtrees: Vec::new(), error: None };
    let root = walk.dir(header.dirs.first(), old_root, 0);
    walk.more();
    if let Some(error) = walk.error {
        return Err(error);
    }
    if root != commit.root_tree {
        return Err(Error::malformed("delta", "root dirtree", &commit.root_tree, &root));
    }
    if walk.next != header.dirs.len() {
        return Err(Error::count("delta header: dirs", wide(walk.next), "dirs", wide(header.dirs.len())));
    }
    let Walk { objects, dirmetas, dirtrees, .. } = walk;
    Ok(Plan { commit, dirtrees, dirmetas, objects })
}

/// Most old files that one new file is made from. Changing it breaks the format.
pub const MAX_SOURCES: usize = 4;
/// Deepest directory that is followed, as `PATH_MAX` allows.
const MAX_DEPTH: u32 = 512;

/// Goes on after an error with checksums of zeros, which ends soon: to ask after each step costs much more code.
struct Walk<'a> {
    header: &'a Header,
    old: &'a dyn OldTree,
    old_root: Option<Checksum>,
    /// The next directory that a name takes.
    next: usize,
    objects: Vec<PlannedObject>,
    dirmetas: Vec<(Checksum, Vec<u8>)>,
    dirtrees: Vec<(Checksum, Vec<u8>)>,
    /// The first error.
    error: Option<Error>,
}

impl Walk<'_> {
    /// Keeps the first error.
    #[cold]
    #[inline(never)]
    fn fail(&mut self, error: Error) -> Checksum {
        self.error.get_or_insert(error);
        Checksum([0; 32])
    }

    /// Makes the dirtree of `dir`; `same` is the old directory of the same name.
    fn dir(&mut self, dir: Option<&Dir>, same: Option<Checksum>, depth: u32) -> Checksum {
        let Some(dir) = dir.filter(|_| depth <= MAX_DEPTH) else {
            return self.fail(Error::fixed(
                "delta header: dirs: expected one for each changed directory, 512 deep at most, got others",
            ));
        };
        let base = self.base(&dir.base, same, false);
        let mut tree = base.map_or_else(DirTree::default, |base| self.tree(&base));
        let mut last = "";
        for edit in &dir.edits {
            let name = edit.name.as_str();
            if last >= name {
                self.fail(Error::malformed("edit", "name", "ascending names", name));
            }
            if self.error.is_some() {
                break;
            }
            last = name;
            let (file, at) = match tree.files.binary_search_by(|(other, _)| other.as_str().cmp(name)) {
                Ok(at) => (Some(tree.files.remove(at).1), at),
                Err(at) => (None, at),
            };
            let (same, dir_at) = match tree.dirs.binary_search_by(|(other, ..)| other.as_str().cmp(name)) {
                Ok(at) => (Some(tree.dirs.remove(at)), at),
                Err(at) => (None, at),
            };
            let file = match &edit.change {
                Change::Remove => continue,
                Change::Object(number) => self.object(*number, file),
                Change::Old(path) => self.old(path, true),
                Change::Dir(meta) => {
                    let meta = self.meta(meta, same.as_ref().map(|(.., meta)| *meta));
                    let child = self.header.dirs.get(self.next);
                    self.next = self.next.saturating_add(1);
                    let inside = self.dir(child, same.map(|(_, tree, _)| tree), depth.saturating_add(1));
                    tree.dirs.insert(dir_at, (name.to_owned(), inside, meta));
                    continue;
                }
            };
            tree.files.insert(at, (name.to_owned(), file));
        }
        let bytes = tree.encode();
        if let Err(error) = DirTree::decode(&bytes) {
            self.fail(inner("new dirtree", &error));
        }
        let checksum = Checksum::of(&bytes);
        self.dirtrees.push((checksum, bytes));
        checksum
    }

    /// What a base stands for where `same` has the same name.
    #[inline(never)]
    fn base(&mut self, base: &Base, same: Option<Checksum>, is_file: bool) -> Option<Checksum> {
        match base {
            Base::Same => same,
            Base::Nothing => None,
            Base::Path(path) => Some(self.old(path, is_file)),
        }
    }

    /// Notes where object `number` comes from and gives its name.
    fn object(&mut self, number: u32, same: Option<Checksum>) -> Checksum {
        let number = index(u64::from(number));
        let source = self.header.objects.get(number).map(|object| &object.source);
        let source = source.and_then(|source| self.base(source, same, true));
        match self.objects.get_mut(number) {
            Some(object) => {
                if let Some(source) = source.filter(|_| object.sources.is_empty()) {
                    object.sources.push(source);
                }
                object.checksum
            }
            None => {
                let known = wide(self.objects.len());
                self.fail(Error::count("edit: object", known, "objects at most", wide(number)))
            }
        }
    }

    /// Notes the further sources of all objects, which come after the first.
    fn more(&mut self) {
        let mut objects = std::mem::take(&mut self.objects);
        for (object, listed) in objects.iter_mut().zip(&self.header.objects) {
            for path in &listed.more {
                // an object is never made from itself, nor by this from nothing
                let source = self.find(path, true).unwrap_or(object.checksum);
                let (known, own) = (&object.sources, object.checksum);
                let is_known = source == own || known.iter().any(|known| *known == source || *known == own);
                if is_known || !(1..MAX_SOURCES).contains(&known.len()) {
                    let expected = "one made from up to four different old files";
                    self.fail(Error::malformed("delta", "object", expected, &object.checksum));
                    return;
                }
                object.sources.push(source);
            }
        }
        self.objects = objects;
    }

    fn meta(&mut self, meta: &Meta, same: Option<Checksum>) -> Checksum {
        let found = match meta {
            Meta::Same => same,
            Meta::New(number) => self.dirmetas.get(index(u64::from(*number))).map(|(checksum, _)| *checksum),
            Meta::Old(checksum) => Some(Checksum(*checksum)),
        };
        found.unwrap_or_else(|| {
            self.fail(Error::fixed("edit: dirmeta: expected one that is known, got another"))
        })
    }

    fn tree(&mut self, checksum: &Checksum) -> DirTree {
        let tree = self.old.dirtree(checksum);
        let tree = tree.and_then(|bytes| DirTree::decode(&bytes).map_err(|err| inner("old dirtree", &err)));
        tree.unwrap_or_else(|error| {
            self.fail(error);
            DirTree::default()
        })
    }

    /// The directory, or the file, at a path of the old tree; an error if there is none.
    fn old(&mut self, path: &str, is_file: bool) -> Checksum {
        self.find(path, is_file).unwrap_or_else(|| {
            self.fail(Error::malformed("delta", "old path", "a path of the old tree", path))
        })
    }

    #[inline(never)]
    fn find(&mut self, path: &str, is_file: bool) -> Option<Checksum> {
        let (mut found, mut inside, mut rest) = (None, self.old_root, path);
        if !is_file {
            found = inside;
        }
        while let Some(dir) = inside
            && !rest.is_empty()
        {
            let length = rest.bytes().position(|byte| byte == b'/');
            let (name, after) = rest.split_at_checked(length.unwrap_or(rest.len())).unwrap_or((rest, ""));
            let tree = self.tree(&dir);
            found = match length {
                None if is_file => tree.file(name).copied(),
                _ => tree.dir(name).map(|(tree, _)| *tree),
            };
            inside = found;
            rest = after.get(1..).unwrap_or("");
        }
        found
    }
}

fn inner(field: &'static str, err: &rootling_object::Error) -> Error {
    Error::malformed("delta", field, "a valid one", err)
}
