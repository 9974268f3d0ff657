//! Targets for rootling-delta: superblock and part of a delta of ostree, the head of a delta, a list of deltas, a group as an attacker would make it, and a broken old file.

use rootling_delta::header::PROFILE;
use rootling_delta::make::{code, code_from, pack};
use rootling_delta::ostree::{Coding, PartHeader, Payload, Superblock, Target as Objects, apply, payload};
use rootling_delta::{Backend, Group, GroupHeader, Header, Prelude, list};
use rootling_delta::{Error, NewContent, OldContent, PlannedObject, ReadAt};
use rootling_object::{Checksum, Commit, Dict, ObjectKind, ObjectName, Xattrs};

use crate::Target;

pub const TARGETS: &[Target] = &[
    Target { name: "delta_head", run: head, seeds: || vec![golden().to_vec(), sources().to_vec()] },
    Target { name: "delta_list", run: delta_list, seeds: || vec![list_of_two()] },
    Target {
        name: "delta_group",
        run: group,
        seeds: || vec![seed(b"an old file, a bit long", b"a new file, a bit long")],
    },
    Target { name: "delta_old", run: old, seeds: || vec![elf()] },
    Target { name: "delta_ostree", run: ostree, seeds: || vec![superblock(), PACKED.to_vec(), unpacked()] },
];

/// Memory that decoding may take, in bytes.
const BUDGET: u64 = 4 << 20;
/// Length of a new file that is asked for.
const SIZE: u64 = 4096;

fn golden() -> &'static [u8] {
    include_bytes!("../../delta/tests/golden/profile-1/trees.deflate")
}

/// One whose objects have several sources.
fn sources() -> &'static [u8] {
    include_bytes!("../../delta/tests/golden/profile-3/trees.deflate")
}

/// Whatever is accepted encodes to the same header.
fn head(data: &[u8]) {
    let Ok(prelude) = Prelude::decode(data) else { return };
    let end = usize::try_from(prelude.groups_at()).unwrap_or(usize::MAX);
    let Some(packed) = data.get(rootling_delta::header::PRELUDE..end) else { return };
    if let Ok(header) = Header::decode(&prelude, packed, 8 << 20) {
        let again = header.encode(prelude.backend);
        let prelude = Prelude::decode(&again).expect("our own prelude");
        let packed = &again[rootling_delta::header::PRELUDE..];
        assert_eq!(Header::decode(&prelude, packed, 8 << 20).expect("our own header"), header);
    }
}

/// Whatever is accepted encodes to the same list.
fn delta_list(data: &[u8]) {
    let to = Checksum([9; 32]);
    if let Ok(entries) = list::decode(data, &to) {
        assert_eq!(list::encode(&to, &entries), data);
    }
}

fn list_of_two() -> Vec<u8> {
    let entry = |from: Option<Checksum>, total| {
        let (version, profile, head, checksum) = (1, 1, 30, Checksum([7; 32]));
        list::Entry { from, version, profile, head, total, checksum }
    };
    list::encode(&Checksum([9; 32]), &[entry(None, 90), entry(Some(Checksum([2; 32])), 50)])
}

/// The four streams as they are: lengths as two bytes each, then deflated here.
fn group(data: &[u8]) {
    let Some((lengths, mut rest)) = data.split_first_chunk::<8>() else { return };
    let mut streams = [&[][..]; 4];
    for (stream, length) in streams.iter_mut().zip(lengths.chunks_exact(2)) {
        let length = usize::from(u16::from_le_bytes([length[0], length[1]])).min(rest.len());
        (*stream, rest) = rest.split_at(length);
    }
    let [control, gaps, values, inserts] = streams.map(<[u8]>::to_vec);
    let coded = rootling_delta::make::Coded { size: SIZE, profile: 1, control, gaps, values, inserts };
    let packed = pack(Backend::Deflate, [&coded]);
    decode(&packed.header, &packed.bytes, rest);
}

fn decode(header: &GroupHeader, bytes: &[u8], old: &[u8]) {
    let Ok(mut group) = Group::open(Backend::Deflate, header, &bytes, BUDGET) else { return };
    let mut made = Vec::new();
    let old = pieces(old).map(|piece| -> Box<dyn ReadAt> { Box::new(piece) });
    if group.next_file(&old, SIZE, &mut made).is_ok() {
        assert_eq!(made.len() as u64, SIZE, "a file of another length was accepted");
    }
}

/// An old file, and a few bytes of a second one.
fn pieces(data: &[u8]) -> [&[u8]; 2] {
    let (first, second) = data.split_at(data.len() - data.len() / 8);
    [first, second]
}

/// Any file comes back byte for byte, whatever the old ones pretend to be.
fn old(data: &[u8]) {
    let mut new = data.to_vec();
    new.rotate_left(data.len() / 3);
    let coded = code_from(&pieces(data), &new, PROFILE).expect("any files are coded");
    let packed = pack(Backend::Deflate, [&coded]);
    let mut group = Group::open(Backend::Deflate, &packed.header, &packed.bytes, BUDGET).expect("a group");
    let mut made = Vec::new();
    let old = pieces(data).map(|piece| -> Box<dyn ReadAt> { Box::new(piece) });
    group.next_file(&old, new.len() as u64, &mut made).expect("a file");
    assert!(made == new, "decoded to other bytes");
}

fn seed(old: &[u8], new: &[u8]) -> Vec<u8> {
    let coded = code(old, new).expect("coded");
    let streams = [&coded.control, &coded.gaps, &coded.values, &coded.inserts];
    let lengths = streams.iter().flat_map(|stream| (stream.len() as u16).to_le_bytes());
    lengths
        .chain(streams.iter().flat_map(|stream| stream.iter().copied()))
        .chain(old.iter().copied())
        .collect()
}

/// A 64-bit ELF header with one program header and no sections.
fn elf() -> Vec<u8> {
    let mut file = vec![0u8; 120];
    file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    (file[16], file[18], file[32], file[54], file[56], file[58]) = (3, 62, 64, 56, 1, 64);
    file
}

/// A payload packed by liblzma.
const PACKED: &[u8] = b"x\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4F\x02\x00!\x01\x08\x00\x00\x00\xd8\x0f#\x13\xe0\x00\x8f\x00\x22]\x000\x88\x0a\x06T\xa0\xab \x83\xb5\x1b\xae\x804wh\x86.\x19\x9c\x07\x88\x1b\xbc\xee\xc9\xd0\xed*\xa8\xd9\x80\x00\x00\x00\x00\x00\x1e\xba\x06>J\xff\x94\xca\x00\x01>\x90\x01\x00\x00\x00u\xf2\x9f\x94\xb1\xc4g\xfb\x02\x00\x00\x00\x00\x04YZ";

/// As a superblock, as a packed part, and as an unpacked one.
fn ostree(data: &[u8]) {
    if let Ok(superblock) = Superblock::decode(data) {
        let again = superblock.encode().expect("what was decoded");
        assert_eq!(Superblock::decode(&again).expect("our own superblock"), superblock);
    }
    if let Ok(coding) = Coding::decode(data) {
        let mut made = Vec::new();
        let unpacked = coding.unpack(&data, SIZE, SIZE, &mut made);
        assert!(made.len() as u64 <= SIZE && coding.window(SIZE) <= 512 << 10, "{unpacked:?}");
    }
    let name = |kind| ObjectName::new(kind, Checksum([1; 32]));
    let objects = [ObjectKind::File, ObjectKind::DirTree, ObjectKind::File].map(name);
    if let Ok(payload) = Payload::open(&data) {
        let mut sink = Sink(0);
        let _ = apply(&payload, &objects, &Same(data), &mut sink);
        // each operation, of at least two bytes, moves at most all of the input
        assert!(sink.0 <= data.len() * data.len(), "{} bytes from {}", sink.0, data.len());
    }
}

/// Every old object.
struct Same<'a>(&'a [u8]);

impl OldContent for Same<'_> {
    fn open(&self, _: &Checksum) -> Result<Box<dyn ReadAt + '_>, Error> {
        Ok(Box::new(self.0))
    }
}

/// Counts the bytes.
struct Sink(usize);

impl NewContent for Sink {
    fn begin(&mut self, _: &PlannedObject) -> Result<(), Error> {
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.0 += bytes.len();
        Ok(())
    }
    fn finish(&mut self, _: &PlannedObject) -> Result<(), Error> {
        Ok(())
    }
}

impl Objects for Sink {
    fn metadata(&mut self, _: &ObjectName, bytes: Vec<u8>) -> Result<(), Error> {
        self.0 += bytes.len();
        Ok(())
    }
}

fn superblock() -> Vec<u8> {
    let (root_tree, root_meta) = (Checksum([3; 32]), Checksum([4; 32]));
    let (metadata, subject, body) = (Dict(Vec::new()), "s".to_owned(), String::new());
    let commit = Commit { metadata, parent: None, subject, body, timestamp: 9, root_tree, root_meta };
    let commit = commit.encode();
    let objects = vec![ObjectName::new(ObjectKind::File, Checksum([1; 32]))];
    let parts = vec![PartHeader { checksum: Checksum([5; 32]), size: 100, content: 1000, objects }];
    let (to, from) = (Checksum::of(&commit), Some(Checksum([8; 32])));
    let detached = Some(Dict(Vec::new()));
    let superblock = Superblock { timestamp: 7, from, to, commit, detached, parts, fallbacks: Vec::new() };
    superblock.encode().expect("a superblock")
}

/// Three objects: one opened, patched and written, a dirtree, and one whole.
fn unpacked() -> Vec<u8> {
    let mut blob = vec![1; 32];
    [4u64, 2, 1 << 63 | 5].iter().for_each(|number| blob.extend(number.to_le_bytes()));
    blob.extend(b"diffnewrest");
    let operations = b"o\x00\x00\x0ar\x00B\x20\x1eRw\x04\x3fcS\x04\x3fS\x00\x00\x03\x3c";
    payload::encode(&[(0, 0, 0o100_644)], &[Xattrs::default()], blob, operations.to_vec())
}
