//! The initramfs of Debian's own kernel, against kmod and cpio.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use rootling_compose::initramfs::{Compression, Options, Program, make};
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

#[test]
fn modules_are_those_of_kmod_in_an_order_that_loads() {
    let kernel: Vec<_> =
        bed(&["kernel-core"]).into_iter().filter(|file| file.nevra.starts_with("kernel-core-")).collect();
    let dir = tempfile::tempdir().unwrap();
    rpms::unpack(dir.path(), &kernel).unwrap();
    let tree = Root::open(dir.path()).unwrap();
    tree.symlink("usr/lib", "lib").unwrap();
    tree.write("usr/lib/firmware/qed/qed_init_values_zipped-8.42.2.0.bin", b"firmware", 0o644).unwrap();
    let version = tree.list("usr/lib/modules").unwrap().remove(0).0;
    let folder = dir.path().join("usr/lib/modules").join(&version);
    // named as an RPM's ghosts, and not there
    for name in ["modules.dep", "modules.alias", "modules.softdep"] {
        assert!(!folder.join(name).exists(), "{name}");
    }
    // static on Debian, and on every machine
    let program = Program::Host("/usr/sbin/ldconfig".into());
    let modules = ["qede", "iscsi_tcp", "nls-cp437", "btrfs"].map(str::to_owned).to_vec();
    let basearch = "x86_64".to_owned();
    let mut options = Options { modules, program, compression: Compression::None, basearch };
    let first = make(&tree, &version, &options).unwrap();

    let lists = ["modules.dep", "modules.alias", "modules.softdep"];
    let ours: BTreeMap<_, _> = lists.iter().map(|name| (*name, list(&folder, name))).collect();
    said(Command::new("depmod").arg("-b").arg(dir.path()).arg(&version), b"");
    for name in lists {
        let theirs = list(&folder, name);
        let differ: Vec<_> = ours[name].symmetric_difference(&theirs).take(5).collect();
        assert!(differ.is_empty() && !theirs.is_empty(), "{name}: {differ:#?}");
    }
    assert!(make(&tree, &version, &options).unwrap() == first, "other bytes from depmod's own lists");

    let members = said(Command::new("cpio").args(["-t", "--quiet"]), &first);
    let members: BTreeSet<&str> = members.lines().collect();
    for name in ["init", "dev/console", "sysroot", "lib/firmware/qed/qed_init_values_zipped-8.42.2.0.bin"] {
        assert!(members.contains(name), "{name}: {members:#?}");
    }
    let load = said(
        Command::new("cpio").args(["-i", "--quiet", "--to-stdout", "lib/rootling/modules.load"]),
        &first,
    );
    let load: Vec<&str> = load.lines().collect();
    assert!(load.iter().all(|path| members.contains(&path[1..])), "{load:#?}");

    let known = [
        "virtio_pci",
        "virtio_mmio",
        "virtio_blk",
        "virtio_scsi",
        "sd_mod",
        "ahci",
        "nvme",
        "xhci_pci",
        "ehci_pci",
        "usb_storage",
        "uas",
        "ext4",
        "vfat",
        "overlay",
        "qede",
        "iscsi_tcp",
        "nls-cp437",
        "btrfs",
    ];
    let mut theirs = BTreeSet::new();
    for name in known {
        // a name that this kernel lacks makes modprobe fail
        let mut modprobe = Command::new("modprobe");
        modprobe.arg("-d").arg(dir.path()).args([
            "-S",
            &version,
            "-C",
            "/nonexistent",
            "--show-depends",
            name,
        ]);
        let output = modprobe.stderr(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let paths = text.lines().filter_map(|line| line.strip_prefix("insmod ")).map(str::trim);
        let under = dir.path().to_str().unwrap();
        let paths: Vec<String> = paths.map(|path| path.strip_prefix(under).unwrap().to_owned()).collect();
        let places: Vec<_> = paths.iter().map(|path| load.iter().position(|one| one == path)).collect();
        assert!(places.iter().all(Option::is_some), "{name}: {paths:#?} in {load:#?}");
        theirs.extend(paths);
    }
    let ours: BTreeSet<String> = load.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(ours, theirs);
    assert!(ours.len() > 15, "{ours:#?}");
    // each after all that it needs
    for (index, path) in load.iter().enumerate() {
        let mut modinfo = Command::new("modinfo");
        let depends = said(modinfo.args(["-F", "depends"]).arg(dir.path().join(&path[1..])), b"");
        for needed in depends.trim().split(',').filter(|name| !name.is_empty()) {
            let needed = format!("/{}.ko", needed.replace('-', "_"));
            let place = load.iter().position(|one| one.replace('-', "_").ends_with(&needed));
            assert!(place.is_none_or(|place| place < index), "{path} before {needed}");
        }
    }

    // the same by the manifest's way, in the default compression
    let image = format!("usr/lib/modules/{version}/initramfs.img");
    let gzip = Options { compression: Compression::Gzip, ..options.clone() };
    let with = postprocess::Options { initramfs: Some(gzip), ..postprocess::Options::default() };
    let outcome = postprocess::run(dir.path(), &with).unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(outcome.kernel.as_deref(), Some(version.as_str()));
    let mut plain = Vec::new();
    let bytes = std::fs::read(dir.path().join(image)).unwrap();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
    assert!(plain == first, "{} bytes, expected {}", plain.len(), first.len());

    options.modules.push("no-such-module".into());
    let error = make(&tree, &version, &options).unwrap_err().to_string();
    assert!(
        error.starts_with("initramfs-modules: no-such-module: expected a module of kernel 6."),
        "{error}"
    );
}
