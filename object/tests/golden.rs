//! Objects that the real ostree made: each decodes, has the checksum of its name, and encodes to the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use rootling_object::variant::Dict;
use rootling_object::{
    Checksum, Commit, DirMeta, DirTree, FileHeader, ObjectKind, ObjectName, Summary, content,
};

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/ostree-2022.7/repo")
}

fn objects() -> Vec<(ObjectName, Vec<u8>)> {
    let mut found = Vec::new();
    for folder in fs::read_dir(repo().join("objects")).unwrap() {
        let folder = folder.unwrap().path();
        let two = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for file in fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            let rest = path.file_name().unwrap().to_str().unwrap();
            let name = ObjectName::parse(&two, rest).unwrap_or_else(|| panic!("{}", path.display()));
            found.push((name, fs::read(&path).unwrap()));
        }
    }
    found
}

fn again(kind: ObjectKind, bytes: &[u8]) -> Vec<u8> {
    match kind {
        ObjectKind::Commit => Commit::decode(bytes).unwrap().encode(),
        ObjectKind::DirTree => DirTree::decode(bytes).unwrap().encode(),
        ObjectKind::DirMeta => DirMeta::decode(bytes).unwrap().encode(),
        ObjectKind::CommitMeta => Dict::decode("detached metadata", bytes).unwrap().encode(),
        _ => {
            let (prefix, rest) = bytes.split_at(content::PREFIX_SIZE);
            let length = FileHeader::decode_prefix(prefix).unwrap() as usize;
            let (header, size) = FileHeader::decode_archive(&rest[..length]).unwrap();
            [&header.encode_archive(size), &rest[length..]].concat()
        }
    }
}

#[test]
fn every_object_encodes_to_the_same_bytes() {
    let objects = objects();
    for (name, bytes) in &objects {
        assert_eq!(&again(name.kind, bytes), bytes, "{name}");
    }
    for kind in [ObjectKind::Commit, ObjectKind::DirTree, ObjectKind::DirMeta, ObjectKind::CommitMeta] {
        assert!(objects.iter().any(|(name, _)| name.kind == kind), "no {kind}");
    }
}

#[test]
fn metadata_hashes_to_its_name() {
    for (name, bytes) in objects() {
        if matches!(name.kind, ObjectKind::Commit | ObjectKind::DirTree | ObjectKind::DirMeta) {
            assert_eq!(Checksum::of(&bytes), name.checksum, "{name}");
        }
    }
}

#[test]
fn symlinks_hash_to_their_name() {
    let mut count = 0;
    for (name, bytes) in objects().iter().filter(|(name, _)| name.kind == ObjectKind::File) {
        let (prefix, rest) = bytes.split_at(content::PREFIX_SIZE);
        let length = FileHeader::decode_prefix(prefix).unwrap() as usize;
        let (header, _) = FileHeader::decode_archive(&rest[..length]).unwrap();
        if header.is_symlink() {
            assert_eq!(header.hasher().finish(), name.checksum, "{name}");
            count += 1;
        }
    }
    assert_eq!(count, 2);
}

#[test]
fn the_summary_names_the_newest_commit() {
    let bytes = fs::read(repo().join("summary")).unwrap();
    let summary = Summary::decode(&bytes).unwrap();
    assert_eq!(summary.encode(), bytes);
    let commits = fs::read_to_string(repo().join("../commits.txt")).unwrap();
    let newest = commits.lines().last().unwrap();
    let [entry] = summary.refs.as_slice() else { panic!("{} refs", summary.refs.len()) };
    assert_eq!((entry.name.as_str(), entry.commit.to_string().as_str()), ("os/golden", newest));
    let object = objects()
        .into_iter()
        .find(|(name, _)| name.kind == ObjectKind::Commit && name.checksum == entry.commit);
    assert_eq!(entry.commit_size, object.unwrap().1.len() as u64);
}
