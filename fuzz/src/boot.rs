//! Targets for rootling-boot: texts that a person or another tool may have edited.

use rootling_boot::{BootLink, Entry, EntryName, KernelArgs, OsRelease};

use crate::{Target, text};

pub const TARGETS: &[Target] = &[
    Target { name: "boot_entry", run: boot_entry, seeds: || vec![ENTRY.to_vec()] },
    Target { name: "entry_name", run: entry_name, seeds: seeds_entry_name },
    Target {
        name: "kargs",
        run: kargs,
        seeds: || vec![b"root=LABEL=x rw console=tty0 dyndbg=\"file a +p\"".to_vec()],
    },
    Target { name: "bootlink", run: bootlink, seeds: seeds_bootlink },
    Target {
        name: "os_release",
        run: os_release,
        seeds: || vec![b"ID=debian\nPRETTY_NAME=\"Debian 12\"\n".to_vec()],
    },
];

const ENTRY: &[u8] = b"title Debian 12 (ostree:0)\nversion 1\noptions root=/dev/vda rw ostree=/ostree/boot.1/os/ab/0\nlinux /ostree/os-ab/vmlinuz\ninitrd /ostree/os-ab/initrd\n";

fn boot_entry(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let entry = Entry::parse(text);
    let written = entry.to_string();
    let again = Entry::parse(&written);
    assert_eq!(again.to_string(), written);
    for key in ["title", "version", "options", "linux"] {
        assert_eq!(again.get(key), entry.get(key));
    }
}

fn entry_name(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Some(name) = EntryName::parse(text) {
        let written = name.to_string();
        assert_eq!(EntryName::parse(&written).map(|again| again.to_string()), Some(written));
    }
}

fn kargs(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let args = KernelArgs::parse(text);
    let again = KernelArgs::parse(&args.to_string());
    assert_eq!(again, args);
    let _ = BootLink::of(&args);
}

fn bootlink(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(link) = BootLink::parse(text) {
        assert!(!link.path().split('/').any(|part| part == ".."), "{text:?}");
        let again = BootLink::parse(&format!("/{}", link.path().trim_start_matches('/')));
        assert_eq!(again.map(|again| again.path()).ok(), Some(link.path()));
    }
}

fn os_release(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let release = OsRelease::parse(text);
    let _ = (release.title(), release.get("ID"));
}

fn seeds_entry_name() -> Vec<Vec<u8>> {
    ["ostree-2.conf", "ostree-1-os.conf", "ostree-2+3-1.conf", "ostree-1-os+3.conf"]
        .map(|s| s.as_bytes().to_vec())
        .into()
}

fn seeds_bootlink() -> Vec<Vec<u8>> {
    vec![format!("/ostree/boot.1/os/{}/0", "ab".repeat(32)).into_bytes()]
}
