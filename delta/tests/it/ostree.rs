//! Deltas in libostree's format: there and back, and every way in which a part can be broken.

use crate::repo::{Repo, two_trees};
use rootling_delta::Result;
use rootling_delta::make::Serial;
use rootling_delta::make::ostree::{Options, Unpacked, make};
use rootling_delta::ostree::payload::encode;
use rootling_delta::ostree::{Coding, Payload, Target, apply};
use rootling_object::{Checksum, ObjectKind, ObjectName, Xattrs};

impl Target for Repo {
    fn metadata(&mut self, name: &ObjectName, bytes: Vec<u8>) -> Result<()> {
        assert_eq!(Repo::metadata(self, bytes), name.checksum, "a wrong object was about to be kept");
        Ok(())
    }
}

fn delta(from_nothing: bool, options: &Options) -> (Repo, Checksum, Unpacked) {
    let (old, new) = two_trees();
    let mut device = Repo::default();
    let from = (!from_nothing).then(|| device.commit_files(&old));
    let mut server = device.clone();
    let to = server.commit_files(&new);
    let made = make(&server, from, to, options, &Serial).unwrap();
    device.metadata.insert(to, server.metadata[&to].clone());
    (device, to, made)
}

#[test]
fn trees_go_there_and_back_in_one_part_or_many() {
    for (from_nothing, part, patches) in [(false, 32 << 20, 6), (true, 32 << 20, 0), (false, 1000, 6)] {
        let (device, to, made) = delta(from_nothing, &Options { part, ..Options::default() });
        assert_eq!(made.patches, patches, "every file that differs is made by a patch");
        assert_eq!(made.parts.len() > 1, part == 1000, "{} parts", made.parts.len());
        let mut new = device.clone();
        for part in &made.parts {
            let payload = Payload::open(&part.payload).unwrap();
            apply(&payload, &part.objects, &device, &mut new).unwrap();
        }
        assert!(!device.is_complete(&to) && new.is_complete(&to));
    }
    let (.., made) = delta(true, &Options { fallback: 1, ..Options::default() });
    assert!(made.fallbacks.len() > 5 && made.fallbacks.iter().all(|entry| entry.size > 1));
}

#[test]
fn a_broken_part_makes_no_wrong_object_and_no_panic() {
    let (device, _, made) = delta(false, &Options::default());
    let part = &made.parts[0];
    let run = |bytes: &Vec<u8>| {
        let mut new = Lenient(0);
        let payload = Payload::open(bytes)?;
        apply(&payload, &part.objects, &device, &mut new)
    };
    assert!(run(&part.payload).is_ok());
    let length = part.payload.len();
    for cut in (0..200).chain((200..length).step_by(97)).chain(length - 300..length) {
        assert!(run(&part.payload[..cut].to_vec()).is_err(), "cut at {cut}");
    }
    for bit in (0..1200).chain((length - 400) * 8..length * 8) {
        let mut bytes = part.payload.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let _ = run(&bytes);
    }
}

/// Takes anything.
struct Lenient(u64);

impl rootling_delta::NewContent for Lenient {
    fn begin(&mut self, _: &rootling_delta::PlannedObject) -> Result<()> {
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0 += bytes.len() as u64;
        Ok(())
    }
    fn finish(&mut self, _: &rootling_delta::PlannedObject) -> Result<()> {
        Ok(())
    }
}

impl Target for Lenient {
    fn metadata(&mut self, _: &ObjectName, _: Vec<u8>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn hostile_operations_are_refused_by_name() {
    let file = ObjectName::new(ObjectKind::File, Checksum([1; 32]));
    let control = |add: u64, insert: u64| [add, insert, 0].map(u64::to_le_bytes).concat();
    let device = Repo::default();
    let mut known = Repo::default();
    let tree: crate::repo::Files = [("x".to_owned(), b"old".to_vec())].into();
    known.commit_files(&tree);
    let old = *known.content.keys().next().unwrap();
    let run = |repo: &Repo, blob: Vec<u8>, operations: &[u8]| {
        let modes = [(0, 0, 0o100_644), (0, 0, 0o120_777), (0, 0, 0o020_600)];
        let payload = encode(&modes, &[Xattrs::default()], blob, operations.to_vec());
        let result = apply(&Payload::open(&payload).unwrap(), &[file], repo, &mut Lenient(0));
        result.map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    };
    let mut patch = old.0.to_vec();
    patch.extend(control(4, 0));
    let cases: [(&[u8], &str); 16] = [
        (b"", "1 to make"),
        (b"?", "one of SowrRBc"),
        (b"S\0\0\x05\x00", "within 3 bytes"),
        (b"S\0\0\x01\x03", "within 3 bytes"),
        (b"S\x09\0\x01\0", "mode and xattrs"),
        (b"S\x02\0\x01\0", "a regular file or a symlink"),
        (b"S\0\0\x01", "more bytes"),
        (b"S\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\0", "64 bits"),
        (b"o\x01\0\x01", "a regular file, got a symlink"),
        (b"o\0\0\x01o\0\0\x01", "the open file closed"),
        (b"S\0\0\x01\0S\0\0\x01\0", "no further object"),
        (b"w\x01\0", "an open file"),
        (b"c", "an open file"),
        (b"r\0", "within 3 bytes"),
        (b"o\0\0\x01B\0\x01", "an old object"),
        (b"o\0\0\x01", "1 to make"),
    ];
    for (operations, part) in cases {
        let said = run(&device, b"abc".to_vec(), operations);
        assert!(said.contains(part), "{}: {said}", operations.escape_ascii());
    }
    assert!(run(&device, vec![7; 32], b"o\0\0\x01r\0").contains("no object"));
    let patched = |size: u8, blob: &[u8], length: u8| {
        run(&known, blob.to_vec(), &[b'o', 0, 0, size, b'r', 0, b'B', 32, length, b'c'])
    };
    assert!(patched(3, &patch, 24).contains("at most 3 bytes"));
    assert!(patched(4, &patch, 24).contains("differences and new bytes"));
    assert!(patched(4, &patch, 20).contains("control"));
    let whole = [&patch[..], &[0; 4]].concat();
    assert_eq!(patched(4, &whole, 28), "fine", "the old object ends before: its bytes count as zero");
    assert!(patched(5, &whole, 28).contains("control"));
}

#[test]
fn packing_is_read_from_its_first_bytes_and_bounded() {
    for (head, part) in [
        (&b""[..], "0 or x"),
        (b"y", "0 or x"),
        (b"x\xfd7zXZ\0", "that of .xz"),
        (b"x\xfd7zXZ\0\0\x04....\x02\x01\x21\x01\x16", "one filter"),
        (b"x\xfd7zXZ\0\0\x04....\x02\x00\x03\x01\x16", "LZMA2"),
        (b"x\xfd7zXZ\0\0\x04....\x02\x00\x21\x01\x29", "LZMA2"),
        (b"x\xfd7zXZ\0\0\x04....\x02\xc0\x80", "all of it"),
    ] {
        let said = Coding::decode(head).unwrap_err().to_string();
        assert!(said.contains(part), "{}: {said}", head.escape_ascii());
    }
    let coding = Coding::decode(b"x\xfd7zXZ\0\0\x04....\x02\x00\x21\x01\x1c").unwrap();
    assert_eq!(coding, Coding::Xz { start: 25, dictionary: 64 << 20 });
    assert_eq!(coding.window(8 << 20), (9 << 20) + (256 << 10));
    assert!(coding.memory(1 << 40) > 64 << 20);
    let mut out = Vec::new();
    Coding::None.unpack(&b"0abc".to_vec(), 3, 3, &mut out).unwrap();
    assert_eq!(out, b"abc");
    assert!(
        Coding::None.unpack(&b"0abc".to_vec(), 3, 2, &mut out).unwrap_err().to_string().contains("at most 2")
    );
}
