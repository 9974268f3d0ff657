//! RPMs that are broken, or lie with digests that are right: each is refused for its own reason.

use std::path::Path;

use rootling_compose::rpmfile::Package;
use rootling_compose::unpack::PackageFile;
use rpm::FileOptions;
use sha2::{Digest as _, Sha256};

use crate::rpms::{self, builder, refusal, replace, reseal, write};

const NEVRA: &str = "t-1.0-1.noarch";

/// The bytes of an honest package: two files in /usr/bin, and a directory.
fn honest(dir: &Path) -> Vec<u8> {
    let mut builder = builder("t");
    builder
        .with_file_contents("0123456789", FileOptions::new("/usr/bin/tool1"))
        .and_then(|b| b.with_file_contents("abcdefghij", FileOptions::new("/usr/bin/tool2")))
        .and_then(|b| b.with_dir_entry(FileOptions::dir("/usr/lib/t")))
        .unwrap();
    std::fs::read(write(dir, &mut builder).path).unwrap()
}

fn verdict(dir: &Path, bytes: &[u8]) -> String {
    let path = dir.join("hostile.rpm");
    std::fs::write(&path, bytes).unwrap();
    refusal(&[PackageFile { path, nevra: NEVRA.to_owned(), digest: None }])
}

fn payload_start(bytes: &[u8]) -> usize {
    rpm::PackageMetadata::parse(&mut &bytes[..]).unwrap().get_package_segment_offsets().payload as usize
}

/// A lie told by replacing bytes in the header and in the payload, with digests made right again.
struct Lie {
    header: (&'static str, &'static str),
    payload: (&'static str, &'static str),
    reason: &'static str,
}

const SAME: (&str, &str) = ("", "");

const LIES: [Lie; 12] = [
    Lie { header: SAME, payload: ("./usr/bin/tool1", "./usr/bin/other"), reason: "not in the header" },
    Lie { header: SAME, payload: ("./usr/bin/tool1", "./../../../tool"), reason: "not in the header" },
    Lie {
        header: SAME,
        payload: ("./usr/bin/tool1", "//usr/bin/tool1"),
        reason: "expected ./ before the path",
    },
    Lie {
        header: SAME,
        payload: ("./usr/bin/tool2", "./usr/bin/tool1"),
        reason: "/usr/bin/tool1: twice in the payload",
    },
    Lie {
        header: SAME,
        payload: ("0123456789", "0123456780"),
        reason: "/usr/bin/tool1: file digest: expected 84d8",
    },
    Lie {
        header: SAME,
        payload: ("0000000a", "0000000b"),
        reason: "size: the header says 10, the payload 11",
    },
    Lie {
        header: SAME,
        payload: ("000081a4", "000041ed"),
        reason: "the header says Regular, the payload 40755",
    },
    Lie { header: SAME, payload: ("070701", "070707"), reason: "archive entry magic: expected 070701" },
    Lie {
        header: ("/usr/bin/\0", "/us/../b/\0"),
        payload: SAME,
        reason: "path component \"..\" is not allowed",
    },
    Lie { header: ("/usr/bin/\0", "usr//bin/\0"), payload: SAME, reason: "expected an absolute path" },
    Lie {
        header: ("tool2\0", "tool1\0"),
        payload: SAME,
        reason: "/usr/bin/tool1: listed twice in the header",
    },
    Lie { header: ("cpio\0", "cpia\0"), payload: SAME, reason: "payload format: expected cpio, got cpia" },
];

#[test]
fn each_lie_is_refused_for_its_own_reason() {
    let dir = tempfile::tempdir().unwrap();
    let original = honest(dir.path());
    assert_eq!(verdict(dir.path(), &original), "accepted");
    let start = payload_start(&original);
    for lie in LIES {
        let mut bytes = original.clone();
        for (part, (from, to)) in [(0..start, lie.header), (start..original.len(), lie.payload)] {
            if !from.is_empty() {
                assert!(replace(&mut bytes[part], from.as_bytes(), to.as_bytes()) > 0, "{from} is not there");
            }
        }
        let got = verdict(dir.path(), &reseal(bytes, &original));
        assert!(got.contains(lie.reason), "expected {:?}, got {got:?}", lie.reason);
        assert!(got.contains("hostile.rpm") || got.contains(NEVRA), "no package in {got:?}");
    }
}

#[test]
fn payload_longer_or_shorter_than_the_header_says() {
    let dir = tempfile::tempdir().unwrap();
    let original = honest(dir.path());
    let start = payload_start(&original);
    let mut longer = original.clone();
    longer.extend(b"junk");
    let got = verdict(dir.path(), &reseal(longer, &original));
    assert!(got.contains("archive goes on after its trailer"), "{got}");
    let second = start + find(&original[start..], b"./usr/bin/tool2") - 110;
    let trailer = start + find(&original[start..], b"TRAILER!!!") - 110;
    let shorter = [&original[..second], &original[trailer..]].concat();
    let got = verdict(dir.path(), &reseal(shorter, &original));
    assert!(got.contains("in the header, but not in the payload"), "{got}");
    let cut = original[..second + 3].to_vec();
    let got = verdict(dir.path(), &reseal(cut, &original));
    assert!(got.contains("archive is truncated"), "{got}");
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}

#[test]
fn a_file_below_a_link_of_the_same_package() {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = builder("t");
    builder
        .with_symlink(FileOptions::symlink("/usr/a", "/etc"))
        .and_then(|b| b.with_file_contents("x", FileOptions::new("/usr/a/passwd")))
        .unwrap();
    let got = refusal(&[write(dir.path(), &mut builder)]);
    assert!(
        got.contains("/usr/a/passwd: leads through /usr/a, which the same package says is Symlink"),
        "{got}"
    );
}

#[test]
fn digests_that_do_not_match() {
    let dir = tempfile::tempdir().unwrap();
    let original = honest(dir.path());
    let start = payload_start(&original);
    let mut header = original.clone();
    assert!(replace(&mut header[..start], b"for a test", b"for b test") > 0);
    let got = verdict(dir.path(), &header);
    assert!(got.contains("header SHA-256: expected"), "{got}");
    let mut payload = original.clone();
    // the inode, which nothing else looks at
    payload[start + 13] ^= 1;
    let got = verdict(dir.path(), &payload);
    assert!(got.contains("payload SHA-256: expected"), "{got}");
    let path = dir.path().join("honest.rpm");
    std::fs::write(&path, &original).unwrap();
    let file = |nevra: &str, digest: String| PackageFile {
        path: path.clone(),
        nevra: nevra.to_owned(),
        digest: Some(digest),
    };
    let right: String = Sha256::digest(&original).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(refusal(&[file(NEVRA, right.clone())]), "accepted");
    let got = refusal(&[file(NEVRA, right.replace('0', "1"))]);
    assert!(got.contains("file SHA-256: expected"), "{got}");
    let got = refusal(&[file("t-2.0-1.noarch", right)]);
    assert!(got.contains("expected package t-2.0-1.noarch, got t-1.0-1.noarch"), "{got}");
}

#[test]
fn every_truncation_and_every_flipped_byte() {
    let dir = tempfile::tempdir().unwrap();
    let original = honest(dir.path());
    let digest: String = Sha256::digest(&original).iter().map(|byte| format!("{byte:02x}")).collect();
    let path = dir.path().join("hostile.rpm");
    let locked = PackageFile { path: path.clone(), nevra: NEVRA.to_owned(), digest: Some(digest) };
    for length in (0..original.len()).step_by(7) {
        let got = verdict(dir.path(), &original[..length]);
        assert!(got != "accepted", "{length} of {} bytes were accepted", original.len());
    }
    let mut accepted = Vec::new();
    for at in (0..original.len()).step_by(3) {
        let mut bytes = original.clone();
        bytes[at] ^= 0x41;
        std::fs::write(&path, &bytes).unwrap();
        assert!(
            refusal(std::slice::from_ref(&locked)) != "accepted",
            "byte {at} differs from the lock file's digest"
        );
        if Package::open(&path).is_ok()
            && rpms::refusal(&[PackageFile { digest: None, ..locked.clone() }]) == "accepted"
        {
            accepted.push(at);
        }
    }
    // without a lock file, what nothing covers: the lead's name and the other tags of the signature header
    let start = rpm::PackageMetadata::parse(&mut &original[..]).unwrap().get_package_segment_offsets().header
        as usize;
    assert!(accepted.iter().all(|at| *at < start), "{accepted:?}, header at {start}");
}
