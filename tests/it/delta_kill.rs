//! An upgrade by delta with the real programs behind nginx, and killed in the middle of everything.
//!
//! 22 kills, or as many as `cargo xtask kills N` asks for, each at the n-th call of one kind, so that a busy machine changes
//! nothing. After each the old or the new deployment boots, the next run completes by delta alone, and every object is whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::device::{Publisher, Sysroot, install, must, rootling, write_os};
use crate::common::{bin, ostree, run};
use crate::crash_kill::{Case, storm};

/// What fetching and applying does: bytes from the server, bytes of a stored group and of old objects, and all that is written.
const CALLS: &[&str] = &[
    "recvfrom",
    "pread64",
    "write",
    "fdatasync",
    "rename",
    "linkat",
    "unlink",
    "mkdir",
    "syncfs",
    "symlink",
    "unlinkat",
];

/// Files that do not compress and hardly differ from version to version, beside an operating system.
fn write_tree(folder: &Path, version: u8) {
    write_os(folder, u32::from(version), 40);
    for number in 0..12u32 {
        let mut seed = number + 1;
        let mut noise: Vec<u8> = (0..30_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        noise[1000] = version;
        noise.truncate(29_000 + usize::from(version));
        fs::write(folder.join(format!("usr/lib/lib{number}.so")), noise).unwrap();
    }
}

/// The publisher, and a device at version 1 that can go to version 2 by a delta of several groups.
fn scene() -> (Publisher, Case, Sysroot) {
    let publisher = Publisher::new();
    let (tree, template) = (publisher.dir.path().join("tree"), publisher.dir.path().join("template"));
    write_tree(&tree, 1);
    let old = publisher.publish(&tree, "1", 0);
    install(&publisher, &template);
    let guard = Sysroot(template.clone());
    write_tree(&tree, 2);
    let new = publisher.publish(&tree, "2", 60);
    let mut make = Command::new(bin("rootling-compose"));
    make.args(["delta", "make", "--quiet", "--group-tokens=60", "--to", &new.to_string()]);
    run(make.args(["--from", &old.to_string()]).arg("--repo").arg(publisher.repo.path()));
    (publisher, Case { template, old, new, upgrade: &["upgrade", "--require-delta"], calls: CALLS }, guard)
}

#[test]
fn old_or_new_boots_after_a_kill_and_the_delta_completes_the_upgrade() {
    let (publisher, case, _guard) = scene();
    let kills: usize =
        std::env::var("ROOTLING_KILLS").map_or(22, |count| count.parse().expect("ROOTLING_KILLS: a number"));
    let (hit, boots) = storm(&case, publisher.dir.path(), 0, kills);
    println!("{kills} kills, {hit} hit; {boots:?} boot the old and the new");
    assert!(hit * 10 >= kills * 9, "{hit} of {kills} kills came before the end");
    assert!(boots[0] > 0, "{boots:?}");
}

#[test]
fn an_upgrade_by_delta_says_so_and_asks_for_each_byte_once() {
    let (publisher, case, _guard) = scene();
    let log = publisher.dir.path().join("calls");
    let agent = rootling(&case.template, case.upgrade);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-s", "300", "-e", "trace=sendto,write,sendmsg", "-o"]).arg(&log);
    let said = run(command.arg(agent.get_program()).args(agent.get_args()));
    assert!(said.contains(&format!("by delta from {}", case.old)), "{said}");
    let mut ranges: BTreeMap<u64, u64> = BTreeMap::new();
    let sent = fs::read_to_string(&log).unwrap().to_lowercase();
    assert!(!sent.contains(".filez"), "an object came loose");
    for range in sent.split("range: bytes=").skip(1) {
        let (start, rest) = range.split_once('-').unwrap();
        let end: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let (start, end) = (start.parse().unwrap(), end.parse::<u64>().unwrap() + 1);
        assert_eq!(ranges.insert(start, end), None, "bytes from {start} were asked for twice");
    }
    assert!(ranges.len() > 4, "header and several groups: {ranges:?}");
    let edges: Vec<_> =
        ranges.iter().zip(ranges.keys().skip(1)).filter(|((_, end), next)| end != next).collect();
    assert!(edges.is_empty(), "{ranges:?}");
    must(&mut rootling(&case.template, &["fsck"]));
    ostree(&case.template.join("ostree/repo"), &["fsck", "--quiet"]);
    let status = run(Command::new("ostree")
        .args(["admin", "status"])
        .arg(format!("--sysroot={}", case.template.display())));
    assert!(status.contains(&case.new.to_string()), "{status}");
}
