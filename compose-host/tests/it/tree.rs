//! A whole tree from real packages: the same whatever surrounds it, and one that rpm and OSTree agree with.

use std::path::{Path, PathBuf};
use std::process::Command;

use rootling_compose::unpack::PackageFile;
use rootling_compose::{postprocess, rpmdb, scriptlet};

use crate::repos::TestRepo;
use crate::rpms::{self, listing};
use crate::sets::ours;

const TIMESTAMP: u64 = 1_700_000_000;
const PACKAGES: [&str; 8] = [
    "basesystem",
    "systemd-sysv",
    "kernel-core",
    "kmod",
    "openssh-server",
    "iputils-ping",
    "ca-certificates",
    "sudo",
];

/// Packages of the test bed with all they need.
pub fn bed(names: &[&str]) -> Vec<PackageFile> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/testbed/amd64/base");
    assert!(
        dir.join("repodata/repomd.xml").is_file(),
        "{} is not there, run cargo xtask testbed",
        dir.display()
    );
    let repos = [TestRepo { id: "base", priority: None, dir: dir.clone() }];
    let nevras = ours(&repos, names, &[], false).expect("solve");
    let without_epoch = |nevra: &str| match nevra.split_once(':') {
        Some((before, after)) => format!("{}-{after}", before.rsplit_once('-').expect("name").0),
        None => nevra.to_owned(),
    };
    nevras
        .iter()
        .map(|nevra| rpms::file(dir.join("packages").join(format!("{}.rpm", without_epoch(nevra)))))
        .collect()
}

/// All of the back half, without the commit.
fn compose(root: &Path, files: &[PackageFile]) -> postprocess::Outcome {
    let mut unpacked = rpms::unpack(root, files).unwrap_or_else(|error| panic!("{error:#}"));
    let count =
        scriptlet::run_all(root, &mut unpacked, TIMESTAMP).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(count > 20, "{count} scriptlets");
    assert!(unpacked.warnings.is_empty(), "{:?}", unpacked.warnings);
    let options = rpmdb::RpmdbOptions { timestamp: TIMESTAMP, documentation: true };
    rpmdb::write(root, &unpacked.packages, &options).unwrap();
    verify_with_rpm(root, files.len());
    let options = postprocess::Options {
        units: vec!["ssh.service".to_owned()],
        default_target: Some("multi-user.target".to_owned()),
        no_initramfs: true,
        scripts: vec!["#!/bin/bash\necho $TZ $LANG $(umask) $(id -u) > /usr/share/seen".to_owned()],
        timestamp: TIMESTAMP,
        ..postprocess::Options::default()
    };
    postprocess::run(root, &options).unwrap_or_else(|error| panic!("{error:#}"))
}

/// `rpm -qa`, `rpmdb --verifydb`, and `rpm -V` of every file before the tree is rearranged.
fn verify_with_rpm(root: &Path, count: usize) {
    let rpm = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.arg("--root").arg(root).args(["--dbpath", "/usr/share/rpm"]).args(arguments);
        let output = command.output().expect("rpm is missing: apt-get install rpm");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(rpm("rpm", &["-qa"]).1.lines().count(), count);
    assert!(rpm("rpmdb", &["--verifydb"]).0);
    // scriptlets add accounts; times are 0
    let accounts = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"];
    let (_, output) = rpm("rpm", &["-Va", "--nomtime", "--nodeps", "--noscripts"]);
    let differ: Vec<&str> = output
        .lines()
        .filter(|line| !accounts.iter().any(|path| line.ends_with(&format!(" c {path}"))))
        .collect();
    assert!(differ.is_empty(), "rpm -V: {differ:#?}");
    std::fs::remove_file(root.join("usr/share/rpm/.rpm.lock")).unwrap();
}

#[test]
fn same_tree_in_another_umask_and_folder() {
    let files = bed(&PACKAGES);
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("a/deeper/folder"));
    let outcome = compose(&first, &files);
    assert!(outcome.kernel.is_some());
    let mut reversed = files;
    reversed.reverse();
    let umask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    compose(&second, &reversed);
    rustix::process::umask(umask);
    let (first, second) = (listing(&first, &[]), listing(&second, &[]));
    let differ: Vec<_> = first.iter().filter(|(path, what)| second.get(*path) != Some(what)).collect();
    assert!(differ.is_empty() && first.len() == second.len(), "{differ:#?}");
    let top: Vec<&str> = first.keys().filter(|path| !path.contains('/')).map(String::as_str).collect();
    let expected =
        "bin boot dev home lib lib64 media mnt opt ostree proc root run sbin srv sys sysroot tmp usr var";
    assert_eq!(top.join(" "), expected);
    assert!(
        !first
            .keys()
            .any(|path| path.starts_with("var/") || path.starts_with("boot/") || path.starts_with("dev/"))
    );
    let seen = first.get("usr/share/seen").expect("the manifest's script ran");
    assert!(seen.starts_with("100644 0:0"), "{seen}");
}
