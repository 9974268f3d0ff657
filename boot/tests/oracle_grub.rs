//! GRUB's own tools against this crate: `grub-editenv` in both directions, and the generated files run by GRUB
//! itself (`grub-emu`) on an ext4 image whose blocks it reads and writes.

mod common;

use common::{Random, tool, try_tool};
use rootling_boot::Entry;
use rootling_boot::grub::{self, GrubEnv};
use rootling_boot::loader::TrialId;
use std::fs;
use std::path::Path;

fn editenv(file: &Path, args: &[&str]) -> (Vec<u8>, bool) {
    try_tool("grub-editenv", "grub-common", &[&[file.to_str().unwrap()], args].concat())
}

#[test]
fn a_new_block_is_that_of_grub_editenv() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("grubenv");
    editenv(&file, &["create"]);
    assert_eq!(fs::read(&file).unwrap(), GrubEnv::default().encode().unwrap());
}

#[test]
fn edits_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("grubenv");
    let mut random = Random(11);
    let names = ["a", "ab", "boot_counter", "boot_success", "saved_entry", "x-y", "x.y"];
    for _ in 0..12 {
        editenv(&file, &["create"]);
        let mut env = GrubEnv::decode(&fs::read(&file).unwrap()).unwrap();
        for _ in 0..25 {
            let name = names[random.below(names.len())];
            let value = random.text("ab 1#\\\n=$", 60);
            let mut next = env.clone();
            let good = match random.below(4) {
                0 => {
                    next.unset(name);
                    editenv(&file, &["unset", name]).1
                }
                _ => {
                    next.set(name, &value).unwrap();
                    editenv(&file, &["set", &format!("{name}={value}")]).1
                }
            };
            match next.encode() {
                Ok(bytes) => {
                    assert!(good, "grub-editenv refused {name}={value:?}");
                    assert_eq!(String::from_utf8(fs::read(&file).unwrap()), String::from_utf8(bytes));
                    env = next;
                }
                // grub-editenv keeps one byte less in use
                Err(_) => assert!(!good, "grub-editenv took {name}={value:?}"),
            }
        }
        let listed = String::from_utf8(editenv(&file, &["list"]).0).unwrap();
        for name in names {
            let value = env.get(name);
            let expected = value.as_ref().map(|v| format!("{name}={v}\n"));
            assert!(expected.is_none_or(|line| listed.contains(&line)), "{name} {value:?} in {listed}");
        }
    }
}

/// An ext4 image with the files of a folder.
fn image(folder: &Path, image: &Path) {
    let (folder, image) = (folder.to_str().unwrap(), image.to_str().unwrap());
    tool(
        "mke2fs",
        "e2fsprogs",
        &["-q", "-t", "ext4", "-O", "^metadata_csum_seed,^orphan_file", "-d", folder, image, "8M"],
    );
}

/// Boots the image with GRUB; answers the lines it printed.
fn emulate(dir: &Path) -> String {
    let map = dir.join("map");
    fs::write(&map, format!("(hd0) {}\n", dir.join("disk.img").display())).unwrap();
    let args = ["120", "grub-emu", "-m", map.to_str().unwrap(), "-r", "hd0", "-d", "/boot/grub"];
    let (out, _) = try_tool("timeout", "coreutils and grub-emu", &args);
    let text = String::from_utf8_lossy(&out).replace('\r', "\n");
    assert!(text.contains('H'), "no output from grub-emu; install it with: apt-get install grub-emu");
    // the terminal's own codes come first on the line
    text.lines()
        .filter_map(|line| {
            line.rsplit_once("\u{1b}[").map_or(Some(line), |(_, l)| l.split_once(['H', 'm']).map(|(_, l)| l))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The tree of a device whose list is b (on trial) and a, with an environment.
fn tree(dir: &Path, env: &[u8], menu: &str) {
    let boot = dir.join("tree/boot");
    fs::create_dir_all(boot.join("grub")).unwrap();
    fs::create_dir_all(boot.join("loader.0")).unwrap();
    std::os::unix::fs::symlink("loader.0", boot.join("loader")).unwrap();
    fs::write(boot.join("grub/grub.cfg"), grub::config(0)).unwrap();
    fs::write(boot.join("grub/grubenv"), env).unwrap();
    fs::write(boot.join("loader.0/grub.cfg"), menu).unwrap();
    fs::write(
        boot.join("grub/custom.cfg"),
        "if [ -z \"${run_entry}\" ]; then\necho \"CHOSE ${default}\"\nexit\nfi\n",
    )
    .unwrap();
    image(&dir.join("tree"), &dir.join("disk.img"));
}

fn id() -> TrialId {
    TrialId::parse(&format!("{}.0", "5a".repeat(32))).unwrap()
}

fn menu() -> String {
    let entries = ["title new\nlinux /k1\n", "title old\nlinux /k2\n"].map(Entry::parse);
    grub::menu(&entries, Some(&id()))
}

fn env_with(state: &str) -> Vec<u8> {
    let mut env = GrubEnv::default();
    env.set("rootling_try", &format!("{}:{state}", id())).unwrap();
    env.encode().unwrap()
}

#[test]
fn grub_itself_counts_and_falls_back() {
    for (state, want) in [
        ("3", "0 0 0 1 1"),
        ("9", "0 0 0 0 0"),
        ("1", "0 1 1 1 1"),
        ("0", "1 1 1 1 1"),
        ("good", "0 0 0 0 0"),
        ("30", "1 1 1 1 1"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path(), &env_with(state), &menu());
        let mut got = Vec::new();
        for _ in 0..5 {
            let out = emulate(dir.path());
            let at = out.find("CHOSE ").unwrap_or_else(|| panic!("GRUB said: {out}"));
            got.push(out[at + 6..].chars().take_while(char::is_ascii_digit).collect::<String>());
        }
        assert_eq!(got.join(" "), want, "{state}");
    }
}

#[test]
fn grub_itself_selects_the_confirmed_entry_with_a_damaged_environment() {
    let good = env_with("3");
    let torn = [&good[..130], &vec![b'#'; 1024 - 130]].concat();
    let other_day = {
        let mut env = GrubEnv::default();
        env.set("rootling_try", "other.0:3").unwrap();
        env.encode().unwrap()
    };
    for (env, want) in [(vec![], "1"), (vec![0; 1024], "1"), (torn, "1"), (other_day, "1"), (good, "0")] {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path(), &env, &menu());
        let out = emulate(dir.path());
        assert!(out.contains(&format!("CHOSE {want}")), "GRUB said: {out}");
    }
}

#[test]
fn grub_itself_reads_every_word_as_it_was_meant() {
    let options = "quiet x=$y a=it's \"q=a b\" c;d {e} (f) g&h #i j\\k l|m <n>";
    let entry = Entry::parse(&format!("title It's $a (1) \"x\"\nlinux /k;1\noptions {options}\n"));
    let text = grub::menu(&[entry], None);
    let script = text.replace("  linux ", "  echo WORDS: ").replace("\n}\n", "\n  exit\n}\n");
    let dir = tempfile::tempdir().unwrap();
    tree(dir.path(), &env_with("0"), &format!("set run_entry=1\n{script}"));
    let out = emulate(dir.path());
    let want = format!("WORDS: /k;1 {}", options.replace('"', ""));
    assert!(out.contains(&want), "GRUB said: {out}");
    let file = dir.path().join("grub.cfg");
    for script in [text, grub::config(5)] {
        fs::write(&file, script).unwrap();
        tool("grub-script-check", "grub-common", &[file.to_str().unwrap()]);
    }
}

#[test]
fn mutated_blocks_are_read_or_refused() {
    let mut env = GrubEnv::default();
    env.set("saved_entry", "a\\b\nc").unwrap();
    let seed = env.encode().unwrap();
    let mut random = Random(3);
    let mut read = 0;
    for _ in 0..5000 {
        let mut bytes = random.mutate(&seed);
        if random.below(2) == 0 {
            bytes.resize(grub::SIZE, b'#');
        }
        if let Ok(env) = GrubEnv::decode(&bytes) {
            assert_eq!(env.encode().unwrap(), bytes);
            env.get("saved_entry");
            read += 1;
        }
    }
    assert!(read > 500, "{read}");
}
