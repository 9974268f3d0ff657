//! Commits in memory.

use crate::elf::{Machine, Random, library};
use rootling_delta::make::Objects;
use rootling_delta::{Error, NewContent, OldContent, OldTree, PlannedObject, ReadAt, Result};
use rootling_object::{Checksum, Commit, Dict, DirMeta, DirTree, FileHeader, Xattrs};
use std::collections::BTreeMap;

#[derive(Default, Clone)]
pub struct Repo {
    pub metadata: BTreeMap<Checksum, Vec<u8>>,
    pub content: BTreeMap<Checksum, (FileHeader, Vec<u8>)>,
    begun: Vec<u8>,
}

pub type Files = BTreeMap<String, Vec<u8>>;

impl Repo {
    pub fn metadata(&mut self, bytes: Vec<u8>) -> Checksum {
        let checksum = Checksum::of(&bytes);
        self.metadata.insert(checksum, bytes);
        checksum
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Checksum {
        let mode = if name.ends_with(".link") { 0o120_777 } else { 0o100_644 };
        let target = (mode == 0o120_777).then(|| String::from_utf8(bytes.to_vec()).unwrap());
        let bytes = if target.is_some() { &[] } else { bytes };
        let header = FileHeader { uid: 0, gid: 0, mode, target, xattrs: Xattrs::default() };
        let mut hasher = header.hasher();
        hasher.update(bytes);
        let checksum = hasher.finish();
        self.content.insert(checksum, (header, bytes.to_vec()));
        checksum
    }

    fn dir(&mut self, prefix: &str, files: &Files) -> Checksum {
        let mut tree = DirTree::default();
        let mut below = std::collections::BTreeSet::new();
        let inside: Vec<_> =
            files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(prefix)?, bytes))).collect();
        for (path, bytes) in inside {
            match path.split_once('/') {
                Some((dir, _)) => _ = below.insert(dir.to_owned()),
                None => tree.files.push((path.to_owned(), self.file(path, bytes))),
            }
        }
        for name in below {
            let child = self.dir(&format!("{prefix}{name}/"), files);
            let meta = self.meta(if name == "private" { 0o700 } else { 0o755 });
            tree.dirs.push((name, child, meta));
        }
        tree.files.sort();
        tree.dirs.sort();
        self.metadata(tree.encode())
    }

    fn meta(&mut self, mode: u32) -> Checksum {
        self.metadata(DirMeta { uid: 0, gid: 0, mode: 0o40_000 | mode, xattrs: Xattrs::default() }.encode())
    }

    pub fn commit_files(&mut self, files: &Files) -> Checksum {
        let root_tree = self.dir("", files);
        let root_meta = self.meta(0o755);
        let commit = Commit {
            metadata: Dict(Vec::new()),
            parent: None,
            subject: "a tree".into(),
            body: String::new(),
            timestamp: 1,
            root_tree,
            root_meta,
        };
        self.metadata(commit.encode())
    }

    fn find(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.metadata.get(checksum).cloned().ok_or_else(|| Error::io(format!("no object {checksum}")))
    }

    /// The objects that `commit` reaches are all there.
    pub fn is_complete(&self, commit: &Checksum) -> bool {
        let Ok(bytes) = self.find(commit) else { return false };
        let commit = Commit::decode(&bytes).unwrap();
        let mut waiting = vec![commit.root_tree];
        while let Some(tree) = waiting.pop() {
            let Ok(bytes) = self.find(&tree) else { return false };
            let tree = DirTree::decode(&bytes).unwrap();
            if !tree.files.iter().all(|(_, file)| self.content.contains_key(file)) {
                return false;
            }
            if !tree.dirs.iter().all(|(.., meta)| self.metadata.contains_key(meta)) {
                return false;
            }
            waiting.extend(tree.dirs.iter().map(|(_, tree, _)| *tree));
        }
        self.metadata.contains_key(&commit.root_meta)
    }
}

impl Objects for Repo {
    fn commit(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.find(checksum)
    }
    fn detached(&self, _: &Checksum) -> Result<Option<Vec<u8>>> {
        Ok(Some(Vec::new()))
    }
    fn dirtree(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.find(checksum)
    }
    fn dirmeta(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.find(checksum)
    }
    fn content(&self, checksum: &Checksum) -> Result<(FileHeader, Vec<u8>)> {
        self.content.get(checksum).cloned().ok_or_else(|| Error::io(format!("no object {checksum}")))
    }
}

/// A repo seen from one of its commits.
pub struct At<'a>(pub &'a Repo, pub Option<Checksum>);

impl OldTree for At<'_> {
    fn dirtree(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.0.find(checksum)
    }
    fn root(&self) -> Option<(Checksum, Checksum)> {
        let commit = Commit::decode(&self.0.find(&self.1?).ok()?).ok()?;
        Some((commit.root_tree, commit.root_meta))
    }
}

impl OldContent for Repo {
    fn open(&self, checksum: &Checksum) -> Result<Box<dyn ReadAt + '_>> {
        match self.content.get(checksum) {
            Some((_, bytes)) => Ok(Box::new(bytes.as_slice())),
            None => Err(Error::io(format!("no object {checksum}"))),
        }
    }
}

impl NewContent for Repo {
    fn begin(&mut self, _: &PlannedObject) -> Result<()> {
        self.begun.clear();
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.begun.extend_from_slice(bytes);
        Ok(())
    }
    fn finish(&mut self, object: &PlannedObject) -> Result<()> {
        let mut hasher = object.header.hasher();
        hasher.update(&self.begun);
        assert_eq!(hasher.finish(), object.checksum, "a wrong object was about to be kept");
        self.content.insert(object.checksum, (object.header.clone(), self.begun.clone()));
        Ok(())
    }
}

/// Trees that profile 2 reads: a program for 32-bit x86.
pub fn two_trees_of_profile_2() -> (Files, Files) {
    let (mut old, mut new) = two_trees();
    old.insert("usr/lib/narrow.so".into(), library(Machine::I386, 60, &[]));
    new.insert("usr/lib/narrow.so".into(), library(Machine::I386, 60, &[6]));
    (old, new)
}

/// Trees that profile 3 reads: files joined from two and from four.
pub fn two_trees_of_profile_3() -> (Files, Files) {
    let (mut old, mut new) = two_trees();
    let mut random = Random(33);
    let parts: Vec<Vec<u8>> = (0..4).map(|_| random.bytes(6000)).collect();
    for (name, part) in
        ["usr/lib/joined.so", "usr/lib/first.so", "usr/lib/third.so", "opt/second"].iter().zip(&parts)
    {
        old.insert((*name).into(), part.clone());
    }
    let mut joined = parts.concat();
    joined[11_000] ^= 1;
    new.insert("usr/lib/joined.so".into(), joined);
    let tool = [&old["usr/bin/tool"][..], &parts[2][500..5500]].concat();
    new.insert("usr/bin/tool".into(), tool);
    old.insert("var/same".into(), old["usr/share/same"].clone());
    (old, new)
}

/// An old and a new tree: edits, a renamed directory, a removed one, links, a new file, an equal file elsewhere.
pub fn two_trees() -> (Files, Files) {
    let mut random = Random(99);
    let text =
        |n: usize| (0..n).map(|line| format!("line {line} of a file\n")).collect::<String>().into_bytes();
    let mut old = Files::new();
    old.insert("etc/motd".into(), text(40));
    old.insert("etc/gone".into(), text(3));
    old.insert("usr/bin/tool".into(), library(Machine::X86, 60, &[]));
    old.insert("usr/lib/libthing.so.1.2".into(), library(Machine::Aarch64, 60, &[]));
    old.insert("usr/lib/modules/6.1.0-53/kernel/a.ko".into(), random.bytes(3000));
    old.insert("usr/lib/modules/6.1.0-53/kernel/private/b.ko".into(), random.bytes(2000));
    old.insert("usr/lib/libother.so".into(), library(Machine::Thumb, 60, &[]));
    old.insert("usr/share/same".into(), text(10));
    old.insert("usr/share/x.link".into(), b"same".to_vec());
    old.insert("var/old/file".into(), text(5));
    let mut new = Files::new();
    let mut motd = text(40);
    motd.extend(b"one more line\n");
    new.insert("etc/motd".into(), motd);
    new.insert("etc/private/fresh".into(), random.bytes(500));
    new.insert("usr/bin/tool".into(), library(Machine::X86, 60, &[5]));
    new.insert("usr/lib/libthing.so.1.3".into(), library(Machine::Aarch64, 60, &[9]));
    new.insert("usr/lib/libother.so".into(), library(Machine::Thumb, 60, &[7]));
    for (path, bytes) in old.iter().filter(|(path, _)| path.contains("6.1.0-53")) {
        let mut bytes = bytes.clone();
        bytes[100] ^= 1;
        new.insert(path.replace("-53", "-54"), bytes);
    }
    new.insert("usr/share/same".into(), text(10));
    new.insert("usr/share/again".into(), text(10));
    new.insert("usr/share/x.link".into(), b"again".to_vec());
    (old, new)
}
