//! Unpacking against `rpm -i --root`, and what packages may share.

use std::path::Path;
use std::process::Command;

use rootling_compose::unpack::{PackageFile, UnpackOptions, unpack_all};
use rpm::{CompressionWithLevel, FileMode, FileOptions};

use crate::rpms::{self, builder, compressed, crate_source, listing, refusal, unpack, with_file, write};

/// Installs with the real rpm, scriptlets and dependencies aside.
fn rpm_install(root: &Path, files: &[PackageFile]) {
    std::fs::create_dir_all(root).unwrap();
    let mut command = Command::new("rpm");
    command.arg("-i").arg("--root").arg(root).args([
        "--dbpath",
        "/rpmdb",
        "--nodeps",
        "--noscripts",
        "--notriggers",
    ]);
    command.args(["--nosignature", "--ignorearch", "--ignoreos"]).args(files.iter().map(|file| &file.path));
    let output = command.output().expect("rpm is missing: apt-get install rpm");
    assert!(output.status.success(), "rpm -i: {}", String::from_utf8_lossy(&output.stderr));
}

fn assert_same_as_rpm(files: &[PackageFile], what: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    unpack(&ours, files).unwrap_or_else(|error| panic!("{what}: {error:#}"));
    rpm_install(&theirs, files);
    let (ours, theirs) = (listing(&ours, &[]), listing(&theirs, &["rpmdb"]));
    for (path, expected) in &theirs {
        assert_eq!(ours.get(path), Some(expected), "{what}: {path}");
    }
    assert_eq!(ours.len(), theirs.len(), "{what}: {ours:#?}");
}

/// Everything a package can hold that a commit can hold.
fn rich(dir: &Path, name: &str, compression: CompressionWithLevel) -> PackageFile {
    let mut builder = compressed(name, compression);
    builder
        .with_file_contents("tool", FileOptions::new("/usr/bin/tool").mode(FileMode::regular(0o4755)))
        .and_then(|b| b.with_file_contents("", FileOptions::new("/usr/share/t/empty").permissions(0o640)))
        .and_then(|b| {
            b.with_file_contents("x".repeat(300_000), FileOptions::new("/usr/share/t/a name \u{fc} %&'\""))
        })
        .and_then(|b| {
            b.with_file_contents("net", FileOptions::new("/usr/bin/net").caps("cap_net_raw=ep").unwrap())
        })
        .and_then(|b| b.with_file_contents("one", FileOptions::new("/usr/lib/t/one").hardlink("h")))
        .and_then(|b| b.with_file_contents("one", FileOptions::new("/usr/lib/t/two").hardlink("h")))
        .and_then(|b| b.with_file_contents("one", FileOptions::new("/usr/lib/u/three").hardlink("h")))
        .and_then(|b| b.with_file_contents("doc", FileOptions::new("/usr/share/doc/t/README").doc()))
        .and_then(|b| b.with_symlink(FileOptions::symlink("/usr/lib/t/link", "../../nowhere")))
        .and_then(|b| b.with_dir_entry(FileOptions::dir("/var/lib/t").permissions(0o2775)))
        .and_then(|b| b.with_ghost(FileOptions::ghost("/var/log/t.log")))
        .unwrap();
    write(dir, &mut builder)
}

#[test]
fn trees_equal_those_of_rpm() {
    let dir = tempfile::tempdir().unwrap();
    for (name, compression) in [
        ("none", CompressionWithLevel::None),
        ("gzip", CompressionWithLevel::Gzip(6)),
        ("xz", CompressionWithLevel::Xz(6)),
        ("zstd", CompressionWithLevel::Zstd(3)),
        ("bzip2", CompressionWithLevel::Bzip2(9)),
    ] {
        assert_same_as_rpm(&[rich(dir.path(), name, compression)], name);
    }
}

/// The RPMs that the `rpm` crate ships for its own tests, made by rpmbuild.
#[test]
fn real_rpmbuild_packages_unpack_as_rpm_does() {
    let assets = crate_source("rpm-0.30.2").expect("the rpm crate").join("tests/assets/RPMS");
    let mut queue = vec![assets];
    let mut count = 0;
    while let Some(dir) = queue.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                queue.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rpm") {
                let name = path.display().to_string();
                let Ok(package) = rootling_compose::rpmfile::Package::open(&path) else { panic!("{name}") };
                let file = rpms::file(path);
                count += 1;
                if name.contains("special-files") {
                    assert!(refusal(&[file]).contains("a device, fifo or socket"), "{name}");
                } else if refusal(std::slice::from_ref(&file)) != "accepted" {
                    let reason = refusal(std::slice::from_ref(&file));
                    panic!("{name}: {reason}");
                } else if name.contains("/v4/") && package.nevra.name != "rpm-file-attrs" {
                    assert_same_as_rpm(&[file], &name);
                }
            }
        }
    }
    assert!(count >= 20, "found {count} packages");
}

#[test]
fn documentation_devices_and_modes_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let file = rich(dir.path(), "t", CompressionWithLevel::None);
    let root = dir.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let options = UnpackOptions { documentation: false, ignore_devices: false };
    unpack_all(&root, &[file], &options).unwrap();
    assert!(!root.join("usr/share/doc").exists() && root.join("usr/bin/tool").exists());
    assert!(!root.join("var/log/t.log").exists(), "a ghost was made");
    let special =
        write(dir.path(), builder("dev").with_special_file(FileOptions::fifo("/run/pipe")).unwrap());
    assert!(refusal(std::slice::from_ref(&special)).contains("/run/pipe: a device, fifo or socket"));
    let root = dir.path().join("without");
    std::fs::create_dir(&root).unwrap();
    let options = UnpackOptions { documentation: true, ignore_devices: true };
    let unpacked = unpack_all(&root, &[special], &options).unwrap();
    assert_eq!(unpacked.warnings, ["/run/pipe: device, fifo or socket left out"]);
}

#[test]
fn packages_share_what_is_the_same_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let one = with_file(dir.path(), "one", "/usr/share/x", "same");
    let two = with_file(dir.path(), "two", "/usr/share/x", "same");
    let three = with_file(dir.path(), "three", "/usr/share/x", "other");
    assert_eq!(refusal(&[one.clone(), two]), "accepted");
    let reason = refusal(&[one.clone(), three]);
    assert!(
        reason.contains("package three-1.0-1.noarch: /usr/share/x: file conflict with one-1.0-1.noarch"),
        "{reason}"
    );
    let mut builder = builder("two-modes");
    builder.with_file_contents("same", FileOptions::new("/usr/share/x").permissions(0o600)).unwrap();
    let reason = refusal(&[one, write(dir.path(), &mut builder)]);
    assert!(reason.contains("mode 0644 there, 0600 here"), "{reason}");
}

#[test]
fn links_of_the_base_system_are_followed_and_found_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut base = builder("zz-filesystem");
    base.with_symlink(FileOptions::symlink("/lib", "usr/lib")).unwrap();
    let base = write(dir.path(), &mut base);
    let user = with_file(dir.path(), "aa-user", "/lib/deep/file", "1");
    let alias = with_file(dir.path(), "bb-alias", "/usr/lib/deep/file", "2");
    let root = dir.path().join("root");
    unpack(&root, &[user.clone(), base.clone()]).unwrap();
    assert!(root.join("lib").is_symlink() && root.join("usr/lib/deep/file").is_file());
    let reason = refusal(&[user, base, alias]);
    assert!(reason.contains("file conflict with"), "one file by two names: {reason}");
}
