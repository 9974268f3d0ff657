//! Committing a directory: walk, hash (and compress) on several threads, then build the dirtrees.

use super::mem::MemTree;
use super::stat_cache::StatCache;
use super::{Root, not_utf8};
use crate::error::{Error, Result};
use crate::input::Input;
use crate::repo::Transaction;
use rootling_object::{Checksum, DirMeta, FileHeader, ObjectKind, ObjectName, Xattrs, content, dirmeta};
use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Files up to this many bytes are read once, hashed and compressed from memory; larger ones are read twice.
const IN_MEMORY: u64 = 64 << 20;

/// How a directory becomes a tree.
#[derive(Default)]
pub struct TreeOptions<'a> {
    /// Owner of everything, instead of the one on disk.
    pub owner: Option<(u32, u32)>,
    /// Leaves out xattrs.
    pub skip_xattrs: bool,
    /// Whether to take the file with this path from the root (`/usr/bin/x`); all if there is none.
    pub keep: Option<&'a (dyn Fn(&str) -> bool + Sync)>,
    /// Content checksums from the last time.
    pub cache: Option<&'a StatCache>,
    /// Threads that hash; 0 and 1 are the same.
    pub threads: usize,
}

impl TreeOptions<'_> {
    /// Distinguishes cache entries whose headers were made in other ways.
    pub(super) fn fingerprint(&self) -> u64 {
        let (uid, gid) = self.owner.unwrap_or((u32::MAX, u32::MAX));
        let owner = (u64::from(uid) << 32 | u64::from(gid)).rotate_left(7);
        if self.skip_xattrs { !owner } else { owner }
    }

    fn owner(&self, metadata: &Metadata) -> (u32, u32) {
        self.owner.unwrap_or((metadata.uid(), metadata.gid()))
    }

    fn xattrs(&self, path: &Path) -> Result<Xattrs> {
        if self.skip_xattrs { Ok(Xattrs::default()) } else { crate::repo::read_xattrs(path) }
    }
}

struct Leaf {
    path: PathBuf,
    metadata: Metadata,
    checksum: OnceLock<Checksum>,
}

struct Dir {
    meta: Checksum,
    /// Name, and the index of the leaf that has its content.
    files: Vec<(String, usize)>,
    dirs: Vec<(String, Dir)>,
}

/// Adds everything below `root` to the transaction and returns the objects of `root` itself.
pub fn commit_dir(txn: &Transaction<'_>, root: &Path, options: &TreeOptions<'_>) -> Result<Root> {
    let mut walk = Walk { txn, options, leaves: Vec::new(), inodes: HashMap::new() };
    let dir = walk.dir(root, "")?;
    let leaves = walk.leaves;
    write_leaves(txn, &leaves, options)?;
    to_mem(&dir, &leaves)?.write(txn)
}

struct Walk<'a, 'b> {
    txn: &'a Transaction<'a>,
    options: &'a TreeOptions<'b>,
    leaves: Vec<Leaf>,
    /// Leaf of each inode with several names.
    inodes: HashMap<(u64, u64), usize>,
}

impl Walk<'_, '_> {
    fn dir(&mut self, path: &Path, inside: &str) -> Result<Dir> {
        let metadata = path.symlink_metadata().map_err(Error::io("stat", path))?;
        let (uid, gid) = self.options.owner(&metadata);
        let mode = dirmeta::MODE_DIRECTORY | (metadata.mode() & 0o7777);
        let meta = DirMeta { uid, gid, mode, xattrs: self.options.xattrs(path)? };
        let meta = self.txn.write_metadata(ObjectKind::DirMeta, &meta.encode(), None)?;
        let mut dir = Dir { meta, files: Vec::new(), dirs: Vec::new() };
        for entry in fs::read_dir(path).map_err(Error::io("list", path))? {
            let entry = entry.map_err(Error::io("list", path))?;
            let path = entry.path();
            let name = entry.file_name().into_string().map_err(|_| not_utf8(&path))?;
            let inside = format!("{inside}/{name}");
            if self.options.keep.is_some_and(|keep| !keep(&inside)) {
                continue;
            }
            let metadata = path.symlink_metadata().map_err(Error::io("stat", &path))?;
            if metadata.is_dir() {
                dir.dirs.push((name, self.dir(&path, &inside)?));
            } else if metadata.is_file() || metadata.is_symlink() {
                dir.files.push((name, self.leaf(path, metadata)));
            } else {
                return Err(Error::refused(format_args!(
                    "{}: only files, symlinks and directories can be in a tree",
                    path.display()
                )));
            }
        }
        Ok(dir)
    }

    fn leaf(&mut self, path: PathBuf, metadata: Metadata) -> usize {
        let index = self.leaves.len();
        if metadata.nlink() > 1 {
            let first = *self.inodes.entry((metadata.dev(), metadata.ino())).or_insert(index);
            if first != index {
                return first;
            }
        }
        self.leaves.push(Leaf { path, metadata, checksum: OnceLock::new() });
        index
    }
}

fn write_leaves(txn: &Transaction<'_>, leaves: &[Leaf], options: &TreeOptions<'_>) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some(leaf) = leaves.get(next.fetch_add(1, Ordering::Relaxed)) {
            let checksum = write_leaf(txn, leaf, options).inspect_err(|_| {
                // The other threads need not go on.
                next.store(leaves.len(), Ordering::Relaxed);
            })?;
            let _ = leaf.checksum.set(checksum);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..options.threads).map(|_| scope.spawn(work)).collect();
        let mut result = work();
        for helper in helpers {
            let ended = helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            result = result.and(ended);
        }
        result
    })
}

fn write_leaf(txn: &Transaction<'_>, leaf: &Leaf, options: &TreeOptions<'_>) -> Result<Checksum> {
    let Leaf { path, metadata, .. } = leaf;
    let fingerprint = options.fingerprint();
    if let Some(checksum) = options.cache.and_then(|cache| cache.get(metadata, fingerprint))
        && txn.has(&ObjectName::new(ObjectKind::File, checksum))
    {
        return Ok(checksum);
    }
    let (uid, gid) = options.owner(metadata);
    let mut header =
        FileHeader { uid, gid, mode: metadata.mode(), target: None, xattrs: options.xattrs(path)? };
    let checksum = if metadata.is_symlink() {
        let target = fs::read_link(path).map_err(Error::io("read", path))?;
        let target = std::str::from_utf8(target.as_os_str().as_bytes()).map_err(|_| not_utf8(path))?;
        header.mode = content::MODE_SYMLINK | (header.mode & 0o7777);
        header.target = Some(target.to_owned());
        write_if_new(txn, &header, 0, header.hasher().finish(), &mut std::io::empty())?
    } else {
        write_file(txn, path, metadata.len(), &header)?
    };
    if let Some(cache) = options.cache {
        cache.put(metadata, fingerprint, checksum);
    }
    Ok(checksum)
}

fn write_if_new(
    txn: &Transaction<'_>,
    header: &FileHeader,
    size: u64,
    checksum: Checksum,
    source: &mut dyn Input,
) -> Result<Checksum> {
    if txn.has(&ObjectName::new(ObjectKind::File, checksum)) {
        return Ok(checksum);
    }
    txn.write_content(header, size, source, Some(&checksum))
}

fn write_file(txn: &Transaction<'_>, path: &Path, size: u64, header: &FileHeader) -> Result<Checksum> {
    let open = || File::open(path).map_err(Error::io("open", path));
    let mut hasher = header.hasher();
    if size <= IN_MEMORY {
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        open()?.read_to_end(&mut bytes).map_err(Error::io("read", path))?;
        hasher.update(&bytes);
        return write_if_new(txn, header, bytes.len() as u64, hasher.finish(), &mut bytes.as_slice());
    }
    let mut file = open()?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if count == 0 {
            break;
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
    write_if_new(txn, header, size, hasher.finish(), &mut open()?)
}

fn to_mem(dir: &Dir, leaves: &[Leaf]) -> Result<MemTree> {
    let mut tree = MemTree::new(dir.meta);
    for (name, index) in &dir.files {
        let checksum = leaves.get(*index).and_then(|leaf| leaf.checksum.get());
        tree.add_file(name, *checksum.expect("every leaf was written"))?;
    }
    for (name, inner) in &dir.dirs {
        tree.add_dir(name, to_mem(inner, leaves)?)?;
    }
    Ok(tree)
}
