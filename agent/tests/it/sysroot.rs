//! The device's job on a sysroot in a folder, by the program itself, judged by `ostree admin`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use crate::fixture::{Fixture, REF, ostree, text};

/// Removes what `ostree` and we made immutable, so that the folder can go.
pub struct Device<'a> {
    fixture: &'a Fixture,
    pub root: std::path::PathBuf,
}

impl Drop for Device<'_> {
    fn drop(&mut self) {
        let _ = Command::new("chattr").args(["-R", "-f", "-i", text(&self.root)]).output();
    }
}

impl<'a> Device<'a> {
    pub fn at(fixture: &'a Fixture, name: &str) -> Device<'a> {
        Device { fixture, root: fixture.dir.path().join(name) }
    }

    pub fn new(fixture: &'a Fixture) -> Device<'a> {
        let device = Device::at(fixture, "device");
        device.run(&["init", "demo"], 0);
        device.run(&["remote", "add", "origin", &fixture.server.url, "--no-sign-verify"], 0);
        device
    }

    pub fn run(&self, args: &[&str], code: i32) -> String {
        run(&[&["--sysroot", text(&self.root)], args].concat(), code)
    }

    /// A deployment's folder.
    pub fn tree(&self, commit: &str) -> std::path::PathBuf {
        self.root.join(format!("ostree/deploy/demo/deploy/{commit}.0"))
    }

    /// Lets the folder look as if this deployment had been booted.
    pub fn boots(&self, commit: &str) {
        let proc = self.root.join("proc/1");
        fs::create_dir_all(&proc).unwrap();
        let _ = fs::remove_file(proc.join("root"));
        std::os::unix::fs::symlink(self.tree(commit), proc.join("root")).unwrap();
    }

    fn entries(&self) -> usize {
        fs::read_dir(self.root.join("boot/loader/entries")).map_or(0, Iterator::count)
    }
}

fn run(args: &[&str], code: i32) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rootling")).args(args).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    format!("{out}{err}")
}

/// A tree that can be deployed.
pub fn bootable(fixture: &Fixture, state: u8, timestamp: u64) -> String {
    let tree = fixture.dir.path().join("os");
    let _ = fs::remove_dir_all(&tree);
    let modules = tree.join("usr/lib/modules/6.1.0");
    for folder in ["usr/etc", "usr/bin", "boot", "sysroot", "var", "proc", "dev", "sys", "run", "tmp"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    fs::create_dir_all(&modules).unwrap();
    fs::write(modules.join("vmlinuz"), format!("kernel {state}")).unwrap();
    fs::write(modules.join("initramfs.img"), format!("initramfs {state}")).unwrap();
    fs::write(tree.join("usr/lib/os-release"), "NAME=Demo\nPRETTY_NAME=\"Demo OS\"\nID=demo\n").unwrap();
    fs::write(tree.join("usr/etc/app.conf"), format!("defaults of {state}\n")).unwrap();
    fs::write(tree.join("usr/bin/tool"), format!("tool {state}\n")).unwrap();
    let (time, dir) = (format!("--timestamp=@{timestamp}"), format!("--tree=dir={}", text(&tree)));
    let version = format!("--add-metadata-string=version={state}.0");
    // variant strings as g_variant_parse takes them
    let packages =
        format!("--add-metadata=rpmostree.rpmdb.pkglist=[('tool', '0', '{state}', '1', 'noarch')]");
    let args = ["commit", "--repo", text(&fixture.remote), "-b", REF, &time, &dir, &version, &packages];
    ostree(&[&args[..], &["--owner-uid=0", "--owner-gid=0"]].concat()).trim().to_owned()
}

#[test]
fn an_update_and_back() {
    let fixture = Fixture::unsigned();
    let first = bootable(&fixture, 1, 2000);
    let device = Device::new(&fixture);
    device.run(&["pull", "origin", REF], 0);
    device.run(&["deploy", "origin:os/main"], 0);
    assert!(ostree(&["admin", "status", "--sysroot", text(&device.root)]).contains(&first));
    device.run(&["upgrade"], 77);

    let deployment = device.root.join(format!("ostree/deploy/demo/deploy/{first}.0"));
    fs::write(deployment.join("etc/app.conf"), "edited\n").unwrap();
    assert_eq!(device.run(&["config-diff"], 0), "M    app.conf\n");

    let second = bootable(&fixture, 2, 3000);
    let told = device.run(&["upgrade", "--check"], 0);
    assert!(told.contains("2.0") && told.contains("tool 1-1 -> 2-1"), "{told}");
    assert_eq!(device.entries(), 1, "--check changes nothing");
    device.run(&["upgrade", "--download-only"], 0);
    device.run(&["upgrade", "--download-only"], 77);
    fixture.server.forget();
    device.run(&["upgrade"], 0);
    assert!(fixture.server.seen().iter().all(|path| !path.contains(".filez")), "downloaded before");
    device.run(&["upgrade"], 77);
    let status = ostree(&["admin", "status", "--sysroot", text(&device.root)]);
    assert!(status.find(&second) < status.find(&first), "{status}");
    let etc = device.root.join(format!("ostree/deploy/demo/deploy/{second}.0/etc/app.conf"));
    assert_eq!(fs::read_to_string(etc).unwrap(), "edited\n");
    assert!(device.run(&["db", "diff"], 0).contains("tool 1-1 -> 2-1"));

    device.run(&["rollback"], 0);
    let status = ostree(&["admin", "status", "--sysroot", text(&device.root)]);
    assert!(status.find(&first) < status.find(&second), "{status}");
    device.run(&["fsck"], 0);
    ostree(&["fsck", "--repo", text(&device.root.join("ostree/repo"))]);
}

#[test]
fn an_older_version_by_its_name() {
    let fixture = Fixture::unsigned();
    let commits = [1, 2, 3].map(|state| bootable(&fixture, state, 1000 * u64::from(state) + 1000));
    let device = Device::new(&fixture);
    let told = device.run(&["deploy", "1.0"], 1);
    assert!(told.contains("\"1.0\" is not in"), "nothing is followed yet: {told}");
    device.run(&["switch", "origin:os/main"], 0);
    let told = device.run(&["deploy", "0.9"], 1);
    // the fixture's own first commit has no version
    assert!(told.contains("expected version \"0.9\", got 4 others"), "{told}");
    assert_eq!(device.entries(), 1);
    let told = device.run(&["deploy", "1.0"], 0);
    assert!(told.contains(&format!("1.0 {}", commits[0])), "{told}");
    let repo = device.root.join("ostree/repo");
    let named = ostree(&["rev-parse", "--repo", text(&repo), "origin:os/main"]);
    assert_eq!(named.trim(), commits[2], "the ref stays");
    let status = ostree(&["admin", "status", "--sysroot", text(&device.root)]);
    assert!(status.find(&commits[0]) < status.find(&commits[2]), "{status}");
    ostree(&["fsck", "--repo", text(&repo)]);
    let told = device.run(&["deploy", &"0".repeat(64)], 1);
    assert!(!told.contains("version"), "a checksum is no version: {told}");
    device.run(&["upgrade"], 0);
    let status = ostree(&["admin", "status", "--sysroot", text(&device.root)]);
    assert!(status.find(&commits[2]) < status.find(&commits[0]), "{status}");
}

#[test]
fn status_says_what_there_is() {
    let fixture = Fixture::unsigned();
    let commit = bootable(&fixture, 1, 2000);
    let device = Device::new(&fixture);
    assert_eq!(device.run(&["status"], 0), "no deployments\n");
    device.run(&["switch", "origin:os/main"], 0);
    device.run(&["pin", "0"], 0);
    let json = device.run(&["status", "--json"], 0);
    for part in [
        r#"{"deployments":[{"index":0,"id":"demo-"#,
        &format!(
            r#""checksum":"{commit}","serial":0,"version":"1.0","timestamp":2000,"origin":"origin:os/main""#
        ),
        r#""booted":false,"default":true,"pending":false,"rollback":false,"pinned":true,"verified":true"#,
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
    let text = device.run(&["status"], 0);
    assert!(
        text.contains("(default, pinned)") && text.contains("version: 1.0 (1970-01-01 00:33:20Z)"),
        "{text}"
    );
}

#[test]
fn kernel_arguments_make_a_new_deployment() {
    let fixture = Fixture::unsigned();
    bootable(&fixture, 1, 2000);
    let device = Device::new(&fixture);
    device.run(&["switch", "origin:os/main"], 0);
    device.run(&["kargs", "--append=quiet", "--append=console=ttyS0"], 0);
    assert_eq!(device.run(&["kargs"], 0), "quiet console=ttyS0\n");
    device.run(&["kargs", "--append-if-missing=quiet"], 77);
    device.run(&["kargs", "--delete=nothing"], 1);
    bootable(&fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    assert_eq!(device.run(&["kargs"], 0), "quiet console=ttyS0\n", "an upgrade keeps them");
}

#[test]
fn repair_fetches_again_what_is_broken() {
    let fixture = Fixture::unsigned();
    bootable(&fixture, 1, 2000);
    let device = Device::new(&fixture);
    device.run(&["pull", "origin", REF], 0);
    let objects = device.root.join("ostree/repo/objects");
    let (mut broken, mut missing) = (0, 0);
    for folder in fs::read_dir(&objects).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            match path.extension().unwrap().to_str().unwrap() {
                "file" if path.is_file() && path.metadata().unwrap().size() > 0 && broken == 0 => {
                    fs::write(&path, "flash forgets").unwrap();
                    broken += 1;
                }
                "dirtree" if missing < 2 => {
                    fs::remove_file(&path).unwrap();
                    missing += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!((broken, missing), (1, 2));
    let told = device.run(&["fsck"], 7);
    assert!(told.contains("fsck --repair"), "{told}");
    device.run(&["fsck", "--repair"], 0);
    device.run(&["fsck"], 0);
    ostree(&["fsck", "--repo", text(&device.root.join("ostree/repo"))]);
}

#[test]
fn two_updaters_exclude_each_other() {
    let fixture = Fixture::unsigned();
    bootable(&fixture, 1, 2000);
    let device = Device::new(&fixture);
    let lock = device.root.join("ostree/lock");
    let held = rootling_store::lock::FileLock::try_acquire(&lock, rootling_store::lock::LockKind::Exclusive)
        .unwrap();
    let told = device.run(&["switch", "origin:os/main"], 6);
    assert!(told.contains("lock"), "{told}");
    drop(held);
    device.run(&["switch", "origin:os/main"], 0);
}

#[test]
fn a_corrupt_repo_is_not_deployed() {
    let fixture = Fixture::unsigned();
    let commit = bootable(&fixture, 1, 2000);
    let device = Device::new(&fixture);
    device.run(&["pull", "origin", REF], 0);
    let listing = ostree(&["ls", "-C", "--repo", text(&fixture.remote), &commit, "/usr/bin/tool"]);
    let checksum = listing.split_whitespace().find(|word| word.len() == 64).unwrap();
    let path = device.root.join(format!("ostree/repo/objects/{}/{}.file", &checksum[..2], &checksum[2..]));
    fs::write(path, "tool 9\n").unwrap();
    let told = device.run(&["deploy", "origin:os/main"], 7);
    assert!(told.contains(checksum), "{told}");
    assert_eq!(device.entries(), 0);
}

#[test]
fn works_on_a_sysroot_that_ostree_made() {
    let fixture = Fixture::unsigned();
    let first = bootable(&fixture, 1, 2000);
    let device = Device::at(&fixture, "theirs");
    let root = text(&device.root);
    fs::create_dir(&device.root).unwrap();
    ostree(&["admin", "init-fs", root]);
    ostree(&["admin", "os-init", "demo", "--sysroot", root]);
    let repo = device.root.join("ostree/repo");
    ostree(&[
        "remote",
        "add",
        "--repo",
        text(&repo),
        "--no-gpg-verify",
        "origin",
        &device.fixture.server.url,
    ]);
    ostree(&["pull", "--repo", text(&repo), "origin", REF]);
    ostree(&["admin", "deploy", "--os=demo", "origin:os/main", "--sysroot", root]);
    let told = device.run(&["upgrade"], 3);
    assert!(
        told.contains("sign-verify=false"),
        "gpg-verify=false alone is not a choice for unsigned: {told}"
    );
    ostree(&["config", "--repo", text(&repo), "set", "remote \"origin\".sign-verify", "false"]);
    device.run(&["upgrade"], 77);
    let second = bootable(&fixture, 2, 3000);
    device.run(&["upgrade"], 0);
    let status = ostree(&["admin", "status", "--sysroot", root]);
    assert!(status.find(&second) < status.find(&first) && status.contains(&first), "{status}");
    assert!(Path::new(root).join(format!("ostree/deploy/demo/deploy/{second}.0")).is_dir());
}
