//! Targets for rootling-prepare-root, which as PID 1 reads every disk that is there, whoever wrote it.

use crate::{Target, text};
use cmdline::{Cmdline, Wanted};
use config::Config;

/// The program's own files: as a library beside it they would cost it 800 bytes.
macro_rules! own {
    ($($name:ident $path:literal)*) => { $(
        #[allow(dead_code, reason = "the program has more uses")]
        #[path = $path]
        mod $name;
    )* };
}
own! {
    cmdline "../../prepare-root/src/cmdline.rs"
    config "../../prepare-root/src/config.rs"
    error "../../prepare-root/src/error.rs"
    gpt "../../prepare-root/src/gpt.rs"
    mbr "../../prepare-root/src/mbr.rs"
    superblock "../../prepare-root/src/superblock.rs"
}

pub const TARGETS: &[Target] = &[
    Target { name: "root_args", run: root_args, seeds: seeds_root_args },
    Target { name: "root_device", run: root_device, seeds: seeds_root_device },
];

fn root_args(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let _ = (Config::parse(text), Wanted::parse(text));
    if let Ok(cmdline) = Cmdline::parse(text) {
        assert!(cmdline.link.starts_with("ostree/") && !cmdline.link.split('/').any(|part| part == ".."));
        assert!(!cmdline.init.is_empty() && cmdline.watchdog_s != Some(0), "{cmdline:?}");
    }
}

/// A disk of 512-byte sectors: with a file system, with a table of partitions, and as the entries of a table.
fn root_device(data: &[u8]) {
    if let Some(found) = superblock::decode(data) {
        assert!(found.label.is_none_or(|label| !label.is_empty()));
        assert!(found.uuid.is_none_or(|uuid| uuid.len() == 36));
    }
    let partuuid = "01020304-0506-0708-090a-0b0c0d0e0f10";
    let _ = (mbr::names(data, 2, "02345678-02"), gpt::find(data, 128, partuuid));
    if let Some(entries) = data.get(512..).and_then(|sector| gpt::header(sector, 512)) {
        let bytes = entries.size * entries.count;
        assert!(bytes <= 512 << 10, "{entries:?}");
        let start = usize::try_from(entries.start).unwrap_or(usize::MAX);
        let table = data.get(start..).unwrap_or_default();
        let found = gpt::find(&table[..table.len().min(bytes)], entries.size, partuuid);
        assert!(found.is_none_or(|number| (1..=128).contains(&number)));
    }
}

fn seeds_root_args() -> Vec<Vec<u8>> {
    let link = format!("ostree=/ostree/links/{}.0", "ab".repeat(32));
    let texts = [
        format!(
            "BOOT_IMAGE=/k \"root=LABEL=MY ROOT\" rw rootflags=noatime,data=journal {link} rootling.watchdog=60"
        ),
        format!("root=PARTUUID=02345678-02 rootwait=5 rootfstype=ext4 {link} rootling.trial panic=10"),
        "[sysroot]\nreadonly=true\n[etc]\ntransient=false\n[composefs]\nenabled=no\n".into(),
        "UUID=01020304-0506-0708-090a-0b0c0d0e0f10".into(),
    ];
    texts.map(String::into_bytes).into()
}

fn seeds_root_device() -> Vec<Vec<u8>> {
    let marked = |length, marks: &[(usize, &[u8])]| {
        let mut bytes = vec![0; length];
        for (at, mark) in marks {
            bytes[*at..][..mark.len()].copy_from_slice(mark);
        }
        bytes
    };
    let entry: Vec<u8> = [vec![1; 16], vec![4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16]].concat();
    vec![
        marked(0x480 + 16, &[(0x438, &[0x53, 0xef]), (0x468, b"0123456789abcdef"), (0x478, b"ROOT")]),
        marked(0x480, &[(0, b"XFSB"), (0x20, b"0123456789abcdef"), (0x6c, b"ROOT")]),
        marked(0x87c, &[(0x400, &[0x10, 0x20, 0xf5, 0xf2]), (0x47c, b"R\0O\0")]),
        marked(0x10300, &[(0x10040, b"_BHRfS_M"), (0x1012b, b"ROOT")]),
        marked(512, &[(440, &[0x78, 0x56, 0x34, 2]), (510, &[0x55, 0xaa])]),
        marked(1536, &[(512, b"EFI PART"), (584, &[2]), (592, &[4]), (596, &[128]), (1152, &entry)]),
    ]
}
