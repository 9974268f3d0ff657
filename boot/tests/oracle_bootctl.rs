//! systemd-boot's own lister against this crate: `bootctl list` on a folder of entries, counted, good and bad.
//!
//! bootctl takes a folder for an ESP only where something is mounted: a tmpfs in a mount namespace of its own, for users
//! other than root in a user namespace too. Debian's package of it would install the loader into the machine's own ESP, so
//! `cargo xtask test` unpacks it and names it in `ROOTLING_BOOTCTL`.
#![allow(clippy::disallowed_types, reason = "the tools are programs")]

mod common;

use common::Random;
use rootling_boot::Entry;
use rootling_boot::sdboot::{CountedName, Listed, boot_order};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is told of an entry, by both.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    file: String,
    id: String,
    title: String,
    version: Option<String>,
    left: Option<u32>,
    done: Option<u32>,
}

fn bootctl() -> PathBuf {
    let named = std::env::var_os("ROOTLING_BOOTCTL").map(PathBuf::from);
    let program = named.unwrap_or_else(|| "bootctl".into());
    let started = Command::new(&program).arg("--version").output();
    let why = "it is in Debian's systemd-boot, which would install the loader: cargo xtask test unpacks it, ROOTLING_BOOTCTL \
               names it";
    assert!(started.is_ok_and(|output| output.status.success()), "{}: {why}", program.display());
    program
}

/// What bootctl lists of a folder, in its order.
fn listed(program: &Path, folder: &Path) -> Vec<Shown> {
    let script = "mount -t tmpfs none \"$2\" && cp -r \"$1\"/. \"$2\" && exec \"$3\" --esp-path=\"$2\" --json=pretty list";
    let mounted = folder.with_file_name("mounted");
    fs::create_dir_all(&mounted).unwrap();
    let is_root = common::tool("id", "coreutils", &["-u"]) == b"0\n";
    let mut command = Command::new("unshare");
    command.args(if is_root { &["-m"][..] } else { &["-Urm"][..] }).args(["sh", "-c", script, "sh"]);
    command.args([folder, &mounted, program]).env("SYSTEMD_RELAX_ESP_CHECKS", "1");
    let output = command.output().unwrap_or_else(|e| panic!("unshare: {e}; apt-get install util-linux"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "bootctl: {}\n{text}", String::from_utf8_lossy(&output.stderr));
    text.split("\n}").filter(|one| one.contains("\"path\"")).map(shown).collect()
}

/// One of bootctl's objects; there is a line for each of its values.
fn shown(object: &str) -> Shown {
    let value = |key: &str| {
        let start = format!("\t\"{key}\" : ");
        let value = object.lines().find_map(|line| line.strip_prefix(&start))?;
        Some(value.trim_end_matches(',').trim_matches('"').to_owned())
    };
    let number = |key| value(key).map(|text| text.parse().unwrap());
    let path = value("path").unwrap();
    Shown {
        file: path.rsplit('/').next().unwrap().to_owned(),
        id: value("id").unwrap(),
        title: value("title").unwrap(),
        version: value("version"),
        left: number("triesLeft"),
        done: number("triesDone"),
    }
}

/// What this crate reads in it.
fn ours((name, entry): &Listed) -> Shown {
    Shown {
        file: name.to_string(),
        id: name.good().to_string(),
        title: entry.get("title").unwrap().to_owned(),
        version: entry.get("version").map(str::to_owned),
        left: name.counter.map(|counter| counter.left),
        done: name.counter.map(|counter| counter.done.unwrap_or(0)),
    }
}

fn some_entry(random: &mut Random) -> Listed {
    let stem = format!("ostree-{}{}", 1 + random.below(12), random.text("ab.-_~", 2).replace('~', "z"));
    let good = CountedName::parse(&format!("{stem}.conf")).unwrap();
    let name = match random.below(5) {
        0 | 1 => good,
        2 => good.bad(),
        _ => {
            let tries = u32::try_from(1 + random.below(12)).unwrap();
            let counted = CountedName::counted(&stem, tries).unwrap();
            (0..random.below(4)).fold(counted, |name, _| name.tried())
        }
    };
    let mut entry = Entry::default();
    entry.set("title", &format!("Guest {}", random.below(100)));
    if random.below(4) > 0 {
        entry.set("version", &format!("{}.{}", random.below(3), random.below(12)));
    }
    if random.below(4) > 0 {
        entry.set("sort-key", ["guest", "other"][random.below(2)]);
    }
    if random.below(3) == 0 {
        entry.set("machine-id", &format!("{:032x}", 1 + random.below(2)));
    }
    entry.set("linux", "/ostree/k");
    entry.set("options", "quiet");
    (name, entry)
}

#[test]
fn bootctl_lists_entries_as_this_crate_orders_and_reads_them() {
    let program = bootctl();
    let (mut random, mut counts) = (Random(11), [0; 3]);
    for round in 0..25 {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("esp");
        for part in ["EFI/systemd", "loader/entries", "ostree"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        fs::write(folder.join("ostree/k"), "").unwrap();
        let mut entries: Vec<Listed> = Vec::new();
        for _ in 0..10 {
            let (name, entry) = some_entry(&mut random);
            // of two with one name and other counters bootctl's order is that of the folder
            if entries.iter().all(|(other, _)| other.stem != name.stem) {
                fs::write(folder.join("loader/entries").join(name.to_string()), entry.to_string()).unwrap();
                entries.push((name, entry));
            }
        }
        entries.sort_by(boot_order);
        for (name, _) in &entries {
            counts[usize::from(name.counter.is_some()) + usize::from(name.is_bad())] += 1;
        }
        let expected: Vec<Shown> = entries.iter().map(ours).collect();
        assert_eq!(listed(&program, &folder), expected, "round {round}");
    }
    assert!(counts.iter().all(|count| *count > 20), "good, counted and bad: {counts:?}");
}
