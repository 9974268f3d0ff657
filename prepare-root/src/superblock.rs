//! Label and UUID of a file system, from its first bytes.
//!
//! | file system | magic | UUID | label |
//! |---|---|---|---|
//! | ext2, 3, 4 | 0x438: 53 ef | 0x468 | 0x478, 16 |
//! | f2fs | 0x400: 10 20 f5 f2 | 0x46c | 0x47c, UTF-16, 512 units |
//! | xfs | 0: "XFSB" | 0x20 | 0x6c, 12 |
//! | btrfs | 0x10040: "_BHRfS_M" | 0x10020 | 0x1012b, 256 |
//! | squashfs, erofs | 0: "hsqs"; 0x400: e2 e1 f5 e0 | none; 0x430 | none; 0x440, 16 |

/// How many bytes of a device are looked at.
pub const LOOK: usize = 0x10300;

/// What a device holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// The name that mount takes.
    pub kind: &'static str,
    /// In lower-case hex with dashes.
    pub uuid: Option<String>,
    /// Its label.
    pub label: Option<String>,
}

struct Known {
    kind: &'static str,
    at: usize,
    magic: &'static [u8],
    uuid: Option<usize>,
    label: Option<(usize, usize)>,
}

const KNOWN: [Known; 6] = [
    Known {
        kind: "f2fs",
        at: 0x400,
        magic: &[0x10, 0x20, 0xf5, 0xf2],
        uuid: Some(0x46c),
        label: Some((0x47c, 1024)),
    },
    Known { kind: "xfs", at: 0, magic: b"XFSB", uuid: Some(0x20), label: Some((0x6c, 12)) },
    Known {
        kind: "btrfs",
        at: 0x10040,
        magic: b"_BHRfS_M",
        uuid: Some(0x10020),
        label: Some((0x1012b, 256)),
    },
    Known { kind: "squashfs", at: 0, magic: b"hsqs", uuid: None, label: None },
    Known {
        kind: "erofs",
        at: 0x400,
        magic: &[0xe2, 0xe1, 0xf5, 0xe0],
        uuid: Some(0x430),
        label: Some((0x440, 16)),
    },
    // its two bytes may be data of any other
    Known { kind: "ext4", at: 0x438, magic: &[0x53, 0xef], uuid: Some(0x468), label: Some((0x478, 16)) },
];

/// Reads the first bytes of a device; `None` for what is not known.
pub fn decode(bytes: &[u8]) -> Option<FileSystem> {
    let known = KNOWN.iter().find(|known| piece(bytes, known.at, known.magic.len()) == Some(known.magic))?;
    let uuid = known.uuid.and_then(|at| piece(bytes, at, 16)).map(dashed);
    let label =
        known.label.and_then(|(at, length)| piece(bytes, at, length)).and_then(|raw| match known.kind {
            "f2fs" => {
                let units = raw.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
                String::from_utf16(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>()).ok()
            }
            _ => raw.split(|byte| *byte == 0).next().and_then(|text| String::from_utf8(text.to_vec()).ok()),
        });
    Some(FileSystem { kind: known.kind, uuid, label: label.filter(|label| !label.is_empty()) })
}

fn piece(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..)?.get(..length)
}

/// 8-4-4-4-12 hex digits, in the order of the bytes.
pub fn dashed(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::process::Command;

    /// Makes a file system on a sparse file; its first bytes, and the UUID that blkid finds.
    fn made(mkfs: &str, args: &[&str], package: &str) -> (Vec<u8>, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        std::fs::File::create(&path).unwrap().set_len(300 << 20).unwrap();
        let run = |program: &str, args: &[&str], package: &str| {
            let out = Command::new(program).args(args).arg(&path).output();
            let out =
                out.unwrap_or_else(|e| panic!("{program}: {e}; install it with: apt-get install {package}"));
            assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
            String::from_utf8_lossy(&out.stdout).trim().to_owned()
        };
        run(mkfs, args, package);
        let uuid = run("blkid", &["-p", "-o", "value", "-s", "UUID"], "util-linux");
        let mut bytes = vec![0; LOOK];
        std::fs::File::open(&path).unwrap().read_exact(&mut bytes).unwrap();
        (bytes, uuid)
    }

    #[test]
    fn knows_what_the_real_programs_make() {
        for (mkfs, args, kind, package) in [
            ("mke2fs", &["-q", "-F", "-L", "ROOT"][..], "ext4", "e2fsprogs"),
            ("mkfs.xfs", &["-q", "-L", "ROOT"], "xfs", "xfsprogs"),
            ("mkfs.btrfs", &["-q", "-L", "ROOT"], "btrfs", "btrfs-progs"),
            ("mkfs.f2fs", &["-q", "-l", "ROOT"], "f2fs", "f2fs-tools"),
        ] {
            let (bytes, uuid) = made(mkfs, args, package);
            assert_eq!(uuid.len(), 36, "{mkfs}: {uuid:?}");
            let want = FileSystem { kind, uuid: Some(uuid), label: Some("ROOT".into()) };
            assert_eq!(decode(&bytes), Some(want), "{mkfs}");
        }
    }

    #[test]
    fn the_magic_of_ext4_is_the_weakest() {
        for known in KNOWN.iter().filter(|known| known.kind != "ext4") {
            let mut bytes = vec![0; LOOK];
            bytes[0x438..][..2].copy_from_slice(&[0x53, 0xef]);
            bytes[known.at..][..known.magic.len()].copy_from_slice(known.magic);
            assert_eq!(decode(&bytes).map(|found| found.kind), Some(known.kind));
        }
    }

    #[test]
    fn any_other_bytes_are_nothing() {
        for length in [0, 1, 0x438, 0x43a, 0x500] {
            assert_eq!(decode(&vec![0; length]), None);
        }
        let mut short = vec![0; 0x43a];
        short[0x438..].copy_from_slice(&[0x53, 0xef]);
        assert_eq!(decode(&short), Some(FileSystem { kind: "ext4", uuid: None, label: None }));
    }
}
