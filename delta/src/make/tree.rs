//! A whole delta: compares two trees, chooses sources, codes all files and lays out header and groups.

use super::coding::{Found, Ordered, code_all};
use super::sources::{Old, join};
use super::{Coded, many, pack};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::header::{Header, PROFILE};
use crate::tree::{Base, Change, Dir, Edit, Meta, Object};
use rootling_object::content::PREFIX_SIZE;
use rootling_object::{Checksum, Commit, DirTree, FileHeader};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;

/// Read access to all objects of both commits.
pub trait Objects: Sync {
    /// The bytes of a commit object.
    fn commit(&self, checksum: &Checksum) -> Result<Vec<u8>>;
    /// The encoded detached metadata of a commit.
    fn detached(&self, checksum: &Checksum) -> Result<Option<Vec<u8>>>;
    /// The bytes of a dirtree object.
    fn dirtree(&self, checksum: &Checksum) -> Result<Vec<u8>>;
    /// The bytes of a dirmeta object.
    fn dirmeta(&self, checksum: &Checksum) -> Result<Vec<u8>>;
    /// A content object.
    fn content(&self, checksum: &Checksum) -> Result<(FileHeader, Vec<u8>)>;

    /// The header of a content object, and the length of its content.
    fn described(&self, checksum: &Checksum) -> Result<(FileHeader, u64)> {
        let (header, bytes) = self.content(checksum)?;
        Ok((header, bytes.len() as u64))
    }

    /// What was [kept](Objects::keep) of an earlier time.
    fn kept(&self, _from: &[Checksum], _to: &Checksum) -> Option<Coded> {
        None
    }

    /// Keeps the tokens of a file made from old ones; they depend on nothing but these, the profile and [`super::ENCODER`].
    fn keep(&self, _from: &[Checksum], _to: &Checksum, _coded: &Coded) {}
}

/// How to make a delta.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The coder of all streams.
    pub backend: Backend,
    /// A group is closed when its tokens reach so many bytes.
    pub group_tokens: usize,
    /// The highest profile that its readers have.
    pub profile: u32,
}

/// Who codes the files: the caller brings the threads, and may show how far it is.
pub trait Workers {
    /// Calls `work` once for each number below `count`, in any order, and returns when all calls have.
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync));
}

/// One file after the other.
#[derive(Debug, Clone, Copy)]
pub struct Serial;

impl Workers for Serial {
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(work);
    }
}

impl Default for Options {
    fn default() -> Options {
        Options { backend: Backend::Lzma, group_tokens: 1 << 20, profile: PROFILE }
    }
}

/// A delta: the header as fetched, then the groups.
#[derive(Debug, Clone)]
pub struct Made {
    /// What the encoded header says.
    pub header: Header,
    /// Prelude and packed header.
    pub head: Vec<u8>,
    /// The groups.
    pub groups: Vec<Vec<u8>>,
    /// What each file took, in the order of the groups.
    pub files: Vec<FileCost>,
}

/// Where the bytes of a delta went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCost {
    /// Its content object.
    pub checksum: Checksum,
    /// Number of its group.
    pub group: usize,
    /// The first path of the file in the new tree.
    pub path: String,
    /// Its length.
    pub size: u64,
    /// Number of old files that it is made from.
    pub sources: usize,
    /// Bytes of control, gap, value and insert tokens before they are packed.
    pub tokens: [usize; 4],
}

/// Makes the delta from `from` (or from nothing) to `to`.
pub fn make(
    objects: &dyn Objects,
    from: Option<Checksum>,
    to: Checksum,
    options: &Options,
    workers: &dyn Workers,
) -> Result<Made> {
    let old = Old::load(objects, from)?;
    let commit = objects.commit(&to)?;
    let root = Commit::decode(&commit).map_err(|err| foreign(&err))?;
    let mut walk = Walk {
        objects,
        old: &old,
        dirs: Vec::new(),
        found: Vec::new(),
        by_name: HashMap::new(),
        metas: Numbered::default(),
    };
    walk.dir(&root.root_tree, Some(String::new()), true, "")?;
    let Walk { mut dirs, found, mut metas, .. } = walk;
    metas.number(&root.root_meta, || old.knows_meta(&root.root_meta));
    let dirmetas = metas.new.iter().map(|meta| objects.dirmeta(meta)).collect::<Result<Vec<_>>>()?;

    let mut coded = code_all(objects, &found, options.profile, workers)?;
    many::improve(objects, &old, &mut coded, options, workers)?;
    let (order, bounds) = arrange(coded, options);
    let groups = pack_all(&order, &bounds, options, workers);
    let mut numbers = vec![0; order.len()];
    for (number, object) in order.iter().enumerate() {
        numbers[object.found] = number as u32;
    }
    for edit in dirs.iter_mut().flat_map(|dir| &mut dir.edits) {
        if let Change::Object(number) = &mut edit.change {
            *number = numbers[*number as usize];
        }
    }
    let mut file_headers: Vec<Vec<u8>> = Vec::new();
    let list = order.iter().map(|object| {
        let encoded = object.header.encode_hashed().split_off(PREFIX_SIZE);
        let known = file_headers.iter().position(|header| *header == encoded);
        let header = known.unwrap_or_else(|| {
            file_headers.push(encoded);
            file_headers.len() - 1
        });
        let size = object.coded.as_ref().map(|coded| coded.size);
        let (source, more) = (object.source.clone(), object.more.clone());
        Object { checksum: object.checksum.0, header: header as u32, size, source, more }
    });
    let objects_list = list.collect();
    let profile = order.iter().filter_map(|object| Some(object.coded.as_ref()?.profile)).max().unwrap_or(1);
    let header = Header {
        profile,
        from: from.map(|from| from.0),
        to: to.0,
        commit,
        detached: objects.detached(&to)?,
        dirmetas,
        file_headers,
        dirs,
        objects: objects_list,
        groups: groups.iter().map(|group| group.header).collect(),
    };
    let head = header.encode(options.backend);
    let symlinks = order.iter().take_while(|object| object.coded.is_none()).count();
    let files = order.iter().enumerate().filter_map(|(at, object)| {
        let (coded, path) = (object.coded.as_ref()?, object.path.clone());
        let group = bounds.partition_point(|bound| bound.end <= at - symlinks);
        let (checksum, size, tokens) = (object.checksum, coded.size, coded.lengths());
        Some(FileCost { checksum, group, path, size, sources: object.sources.len(), tokens })
    });
    let files = files.collect();
    Ok(Made { header, head, files, groups: groups.into_iter().map(|group| group.bytes).collect() })
}

fn foreign(err: &rootling_object::Error) -> Error {
    Error::io(err.to_string())
}

/// All names of two directories, ascending.
fn names<'a>(one: &'a DirTree, other: &'a DirTree) -> std::collections::BTreeSet<&'a str> {
    let of = |tree: &'a DirTree| {
        let dirs = tree.dirs.iter().map(|(name, ..)| name.as_str());
        tree.files.iter().map(|(name, _)| name.as_str()).chain(dirs)
    };
    of(one).chain(of(other)).collect()
}

/// New dirmetas in the order of their numbers.
#[derive(Default)]
struct Numbered {
    new: Vec<Checksum>,
}

impl Numbered {
    fn number(&mut self, checksum: &Checksum, known: impl Fn() -> bool) -> Meta {
        if known() {
            return Meta::Old(checksum.0);
        }
        let at = self.new.iter().position(|meta| meta == checksum).unwrap_or_else(|| {
            self.new.push(*checksum);
            self.new.len() - 1
        });
        Meta::New(at as u32)
    }
}

struct Walk<'a> {
    objects: &'a dyn Objects,
    old: &'a Old,
    dirs: Vec<Dir>,
    found: Vec<Found>,
    by_name: HashMap<Checksum, u32>,
    metas: Numbered,
}

impl Walk<'_> {
    /// Describes the new directory `tree` at `path` by the old directory at `base`; `same` if that is what the
    /// decoder takes by itself.
    fn dir(&mut self, tree: &Checksum, base: Option<String>, same: bool, path: &str) -> Result<()> {
        let new = DirTree::decode(&self.objects.dirtree(tree)?).map_err(|err| foreign(&err))?;
        let before = base.as_deref().and_then(|base| self.old.dirs.get(base)).cloned();
        let before_tree = before.as_ref().map(|before| before.tree.clone()).unwrap_or_default();
        let place = self.dirs.len();
        let how = match (&base, same) {
            (_, true) if before.is_some() => Base::Same,
            (Some(base), _) if before.is_some() => Base::Path(base.clone()),
            _ => Base::Nothing,
        };
        self.dirs.push(Dir { base: how, edits: Vec::new() });
        let base = base.filter(|_| before.is_some());
        let mut edits = Vec::new();
        for name in names(&before_tree, &new) {
            if let Some(change) = self.change(name, &before_tree, &new, base.as_deref(), path)? {
                edits.push(Edit { name: name.to_owned(), change });
            }
        }
        self.dirs[place].edits = edits;
        Ok(())
    }

    /// What became of `name`. Directories are entered at once: the decoder meets objects in the same order, and the
    /// first meeting says what an object is made from.
    fn change(
        &mut self,
        name: &str,
        before: &DirTree,
        new: &DirTree,
        base: Option<&str>,
        path: &str,
    ) -> Result<Option<Change>> {
        if let Some(checksum) = new.file(name) {
            let same = before.file(name) == Some(checksum);
            return Ok((!same).then(|| self.file(checksum, base, name, path)));
        }
        let Some((tree, meta)) = new.dir(name) else { return Ok(Some(Change::Remove)) };
        let was = before.dir(name);
        if was == Some((tree, meta)) {
            return Ok(None);
        }
        let meta = match was {
            Some((_, was)) if was == meta => Meta::Same,
            _ => self.metas.number(meta, || self.old.knows_meta(meta)),
        };
        let here = base.map(|base| join(base, name)).filter(|_| was.is_some());
        let same = here.is_some();
        let base = here.or_else(|| self.old.renamed_dir(base?, name, new));
        self.dir(tree, base, same, &join(path, name))?;
        Ok(Some(Change::Dir(meta)))
    }

    fn file(&mut self, checksum: &Checksum, base: Option<&str>, name: &str, path: &str) -> Change {
        if let Some(path) = self.old.paths.get(checksum) {
            return Change::Old(path.clone());
        }
        let found = &mut self.found;
        let number = self.by_name.entry(*checksum).or_insert_with(|| {
            let (source, old) = self.old.source(base, name, path);
            found.push(Found { checksum: *checksum, path: join(path, name), source, old });
            found.len() as u32 - 1
        });
        Change::Object(*number)
    }
}

/// Puts symlinks first and files of one method beside each other, and says which files make a group.
fn arrange(mut coded: Vec<Ordered>, options: &Options) -> (Vec<Ordered>, Vec<Range<usize>>) {
    coded.sort_by(|one, other| {
        let key = |object: &Ordered| object.coded.as_ref().map(|coded| coded.control.first().copied());
        (key(one), &one.path).cmp(&(key(other), &other.path))
    });
    let mut bounds = Vec::new();
    let (mut start, mut size, mut end) = (0, 0, 0);
    for coded in coded.iter().filter_map(|object| object.coded.as_ref()) {
        end += 1;
        size += coded.lengths().iter().sum::<usize>();
        if size >= options.group_tokens {
            bounds.push(start..end);
            (start, size) = (end, 0);
        }
    }
    if end > start {
        bounds.push(start..end);
    }
    (coded, bounds)
}

fn pack_all(
    order: &[Ordered],
    bounds: &[Range<usize>],
    options: &Options,
    workers: &dyn Workers,
) -> Vec<super::Packed> {
    let files: Vec<&Coded> = order.iter().filter_map(|object| object.coded.as_ref()).collect();
    let done = Mutex::new(Vec::with_capacity(bounds.len()));
    workers.each(bounds.len(), &|at| {
        let packed = pack(options.backend, files[bounds[at].clone()].iter().copied());
        done.lock().expect("no worker panics").push((at, packed));
    });
    let mut groups = done.into_inner().expect("no worker panics");
    groups.sort_by_key(|(at, _)| *at);
    groups.into_iter().map(|(_, packed)| packed).collect()
}
