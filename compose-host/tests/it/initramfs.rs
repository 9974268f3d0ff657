//! The initramfs of Debian's own kernel, against kmod and cpio.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use rootling_compose::initramfs::{Compression, Maker, Options, Program, STORAGE, make};
use rootling_compose::postprocess;
use rootling_compose::root::Root;

use crate::rpms;
use crate::tree::bed;

/// What a command prints; it must succeed.
fn said(command: &mut Command, input: &[u8]) -> String {
    let name = format!("{:?}", command.get_program());
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{name}: {error}; install kmod and cpio"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // one that has read enough closes its end
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{name}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of one of depmod's lists, each as a key and a set of words.
fn list(folder: &Path, name: &str) -> BTreeSet<(String, BTreeSet<String>)> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let words = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().unwrap_or_default(), words.collect())
    };
    lines.map(words).collect()
}

/// The archive's list of modules; each is in the archive, and after all that it needs.
fn loaded(archive: &[u8], tree: &Path) -> Vec<String> {
    let members = said(Command::new("cpio").args(["-t", "--quiet"]), archive);
    let members: BTreeSet<&str> = members.lines().collect();
    for name in ["init", "dev/console", "dev/null", "sysroot", "lib/firmware/me4000_firmware.bin"] {
        assert!(members.contains(name), "{name}: {members:#?}");
    }
    let mut cpio = Command::new("cpio");
    let load = said(cpio.args(["-i", "--quiet", "--to-stdout", "lib/rootling/modules.load"]), archive);
    let load: Vec<String> = load.lines().map(str::to_owned).collect();
    for (index, path) in load.iter().enumerate() {
        assert!(members.contains(&path[1..]), "{path}: {members:#?}");
        let depends = said(Command::new("modinfo").args(["-F", "depends"]).arg(tree.join(&path[1..])), b"");
        for needed in depends.trim().split(',').filter(|name| !name.is_empty()) {
            let needed = format!("/{}.ko", needed.replace('-', "_"));
            let place = load.iter().position(|one| one.replace('-', "_").ends_with(&needed));
            assert!(place.is_none_or(|place| place < index), "{path} before {needed}");
        }
    }
    load
}

/// What modprobe would load; nothing for a name that the kernel lacks.
fn modprobe(tree: &Path, version: &str, name: &str) -> Vec<String> {
    let mut modprobe = Command::new("modprobe");
    modprobe.arg("-d").arg(tree).args(["-S", version, "-C", "/nonexistent", "--show-depends", name]);
    let output = modprobe.stderr(Stdio::null()).output().expect("modprobe is missing: apt-get install kmod");
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text.lines().filter_map(|line| line.strip_prefix("insmod ")).map(str::trim);
    paths.map(|path| path.strip_prefix(tree.to_str().unwrap()).unwrap().to_owned()).collect()
}

#[test]
fn modules_are_those_of_kmod_in_an_order_that_loads() {
    let kernel: Vec<_> =
        bed(&["kernel-core"]).into_iter().filter(|file| file.nevra.starts_with("kernel-core-")).collect();
    let dir = tempfile::tempdir().unwrap();
    rpms::unpack(dir.path(), &kernel).unwrap();
    let tree = Root::open(dir.path()).unwrap();
    tree.symlink("usr/lib", "lib").unwrap();
    tree.write("usr/lib/firmware/me4000_firmware.bin", b"firmware", 0o644).unwrap();
    let version = tree.list("usr/lib/modules").unwrap().remove(0).0;
    let folder = dir.path().join("usr/lib/modules").join(&version);
    let lists = ["modules.dep", "modules.alias", "modules.softdep"];
    assert!(lists.iter().all(|name| !folder.join(name).exists()));
    // one with firmware, soft dependencies before and after, an alias among them
    let names = ["me4000", "xt_LOG", "mpls-iptunnel", "xts"];
    let mut options = Options {
        modules: names.map(str::to_owned).to_vec(),
        // static on Debian, and on every machine
        program: Program::Host("/usr/sbin/ldconfig".into()),
        compression: Compression::None,
        basearch: "x86_64".to_owned(),
    };

    let by_ours = make(&tree, &version, &options).unwrap();
    let ours: BTreeMap<_, _> = lists.iter().map(|name| (*name, list(&folder, name))).collect();
    said(Command::new("depmod").arg("-b").arg(dir.path()).arg(&version), b"");
    for name in lists {
        let theirs = list(&folder, name);
        let differ: Vec<_> = ours[name].symmetric_difference(&theirs).take(5).collect();
        assert!(differ.is_empty() && !theirs.is_empty(), "{name}: {differ:#?}");
    }
    let by_theirs = make(&tree, &version, &options).unwrap();
    assert!(by_theirs == make(&tree, &version, &options).unwrap(), "the same tree, other bytes");

    let all = STORAGE.iter().chain(&names);
    let mut wanted: BTreeSet<String> = all.flat_map(|name| modprobe(dir.path(), &version, name)).collect();
    assert!(wanted.len() > 20, "{wanted:#?}");
    for archive in [&by_ours, &by_theirs] {
        let load = loaded(archive, dir.path());
        assert_eq!(load.iter().cloned().collect::<BTreeSet<_>>(), wanted);
        assert_eq!(load.len(), wanted.len(), "one is loaded twice");
    }

    // kmod follows the first of several lines; all of them here, where no modprobe is to be called later
    options.modules.push("ksmbd".into());
    wanted.extend(modprobe(dir.path(), &version, "ksmbd"));
    let soft = std::fs::read_to_string(folder.join("modules.softdep")).unwrap();
    let soft: Vec<&str> = soft.lines().filter_map(|line| line.strip_prefix("softdep ksmbd pre: ")).collect();
    assert!(soft.len() > 3, "{soft:?}");
    wanted.extend(soft.iter().flat_map(|name| modprobe(dir.path(), &version, name)));
    let by_theirs = make(&tree, &version, &options).unwrap();
    assert_eq!(BTreeSet::from_iter(loaded(&by_theirs, dir.path())), wanted);

    // the same by the manifest's way, in the default compression
    let image = format!("usr/lib/modules/{version}/initramfs.img");
    let gzip = Options { compression: Compression::Gzip, ..options.clone() };
    let with =
        postprocess::Options { initramfs: Some(Maker::Rootling(gzip)), ..postprocess::Options::default() };
    let outcome = postprocess::run(dir.path(), &with).unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(outcome.kernel.as_deref(), Some(version.as_str()));
    let mut plain = Vec::new();
    let bytes = std::fs::read(dir.path().join(image)).unwrap();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
    assert!(plain == by_theirs, "{} bytes, expected {}", plain.len(), by_theirs.len());

    options.modules.push("no-such-module".into());
    let error = make(&tree, &version, &options).unwrap_err().to_string();
    assert!(
        error.starts_with("initramfs-modules: no-such-module: expected a module of kernel 6."),
        "{error}"
    );
}
