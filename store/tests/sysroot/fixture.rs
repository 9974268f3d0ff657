//! Small trees, their commits, and a sysroot to deploy them to.

use rootling_boot::KernelArgs;
use rootling_object::variant::{Dict, Value};
use rootling_object::{Checksum, Commit, ObjectKind, Refspec};
use rootling_store::sysroot::{self, DeployOptions, Deployed, Locked, Origin, Sysroot};
use rootling_store::tree::{TreeOptions, commit_dir, write_commit};
use rootling_store::{Repo, Result};
use rootling_trust::{Policy, Verified, verify_commit};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Another test's child process holds copies of all open locks for a moment, between fork and exec.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const REF: &str = "origin:os/main";

/// A sysroot `S` in a temporary folder.
pub struct Fixture {
    pub dir: TempDir,
}

/// What a tree has besides what every tree has.
pub struct Tree<'a> {
    pub version: &'a str,
    pub kernel: &'a str,
    pub files: &'a [(&'a str, &'a str)],
}

impl Fixture {
    pub fn new() -> Fixture {
        Fixture::at(&std::env::temp_dir())
    }

    /// Below a folder that is there; what is there of `S` already stays.
    pub fn at(folder: &Path) -> Fixture {
        let dir = tempfile::tempdir_in(folder).unwrap();
        match folder.join("S").is_dir() {
            true => symlink(folder.join("S"), dir.path().join("S")).unwrap(),
            false => fs::create_dir(dir.path().join("S")).unwrap(),
        }
        let fixture = Fixture { dir };
        sysroot::init(&fixture.path()).unwrap();
        sysroot::init_stateroot(&fixture.path(), "os").unwrap();
        fixture
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("S")
    }

    pub fn open(&self) -> Sysroot {
        Sysroot::open(&self.path()).unwrap()
    }

    pub fn lock(&self) -> Locked {
        self.open().lock(PATIENCE).unwrap()
    }

    pub fn commit(&self, tree: &Tree<'_>) -> Checksum {
        let folder = self.dir.path().join(format!("tree-{}", tree.version));
        write_tree(&folder, tree);
        let checksum = commit_tree(self.open().repo(), &folder, tree.version);
        fs::remove_dir_all(&folder).unwrap();
        checksum
    }

    pub fn deploy(&self, commit: &Checksum) -> Deployed {
        self.try_deploy(commit, Some("root=LABEL=x quiet")).unwrap()
    }

    /// Deploys; `args` count only where there is nothing to take them from.
    pub fn try_deploy(&self, commit: &Checksum, args: Option<&str>) -> Result<Deployed> {
        let mut locked = self.lock();
        let verified = verified(locked.repo(), commit);
        let mut options = DeployOptions::new("os", Origin::new(&Refspec::parse(REF).unwrap()));
        options.kernel_args = args.filter(|_| locked.deployments().is_empty()).map(KernelArgs::parse);
        locked.deploy(&verified, &options)
    }

    /// A file of the default deployment's `/etc`, to be edited.
    pub fn etc(&self, name: &str) -> PathBuf {
        let sysroot = self.open();
        sysroot.deployment_path(&sysroot.deployments()[0]).join("etc").join(name)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        free(&self.path());
    }
}

/// Takes the immutable flags off, so that the folder can be removed.
pub fn free(sysroot: &Path) {
    for os in fs::read_dir(sysroot.join("ostree/deploy")).into_iter().flatten().flatten() {
        for tree in fs::read_dir(os.path().join("deploy")).into_iter().flatten().flatten() {
            if tree.path().is_dir() {
                Command::new("chattr")
                    .arg("-i")
                    .arg(tree.path())
                    .output()
                    .expect("chattr is needed: e2fsprogs");
            }
        }
    }
}

pub fn verified(repo: &Repo, commit: &Checksum) -> Verified<Commit> {
    let bytes = repo.load_metadata(ObjectKind::Commit, commit).unwrap();
    verify_commit(&bytes, *commit, None, &Policy::Unsigned { remote: "origin".into() }).unwrap()
}

pub fn write_tree(folder: &Path, tree: &Tree<'_>) {
    let base = [
        ("usr/lib/os-release", "NAME=x\nPRETTY_NAME=\"Test OS\"\nID=test\n"),
        ("usr/lib/modules/6.1/initramfs.img", "initramfs"),
        ("usr/bin/tool", tree.version),
        ("usr/bin/empty", ""),
        ("usr/etc/plain", "default\n"),
        ("usr/etc/deep/er/file", "deep default\n"),
        ("usr/etc/gone", "to be removed\n"),
    ];
    let kernel = [("usr/lib/modules/6.1/vmlinuz", tree.kernel)];
    for (name, content) in base.iter().chain(&kernel).chain(tree.files) {
        let path = folder.join(name);
        if name.ends_with('/') {
            fs::create_dir_all(&path).unwrap();
            continue;
        }
        // a file given later may stand where a folder or a file was
        for parent in path.ancestors().skip(1).take_while(|p| *p != folder) {
            if parent.is_file() {
                fs::remove_file(parent).unwrap();
            }
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap();
        }
        fs::write(&path, content).unwrap();
    }
    for dir in ["var", "boot", "sysroot", "usr/lib/ostree"] {
        fs::create_dir_all(folder.join(dir)).unwrap();
    }
    symlink("sysroot/ostree", folder.join("ostree")).unwrap();
    symlink("plain", folder.join("usr/etc/link")).unwrap();
    set_modes(folder);
}

/// The same modes whatever the umask.
fn set_modes(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stat = path.symlink_metadata().unwrap();
        if stat.is_dir() {
            set_modes(&path);
        } else if stat.is_file() {
            let mode = if path.parent().unwrap().ends_with("bin") { 0o755 } else { 0o644 };
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
    }
}

/// The ref that keeps a version in the repo.
pub fn keep(version: &str) -> Refspec {
    Refspec::parse(&format!("keep/{version}")).unwrap()
}

pub fn commit_tree(repo: &Repo, folder: &Path, version: &str) -> Checksum {
    let txn = repo.transaction().unwrap();
    let root = commit_dir(&txn, folder, &TreeOptions::default()).unwrap();
    let mut metadata = Dict::new();
    metadata.set("version", Value::str(version));
    let (subject, body) = (String::new(), String::new());
    let (root_tree, root_meta) = (root.tree, root.meta);
    let commit =
        Commit { metadata, parent: None, subject, body, timestamp: 1_700_000_000, root_tree, root_meta };
    let checksum = write_commit(&txn, &commit).unwrap();
    txn.set_ref(&Refspec::parse(REF).unwrap(), Some(checksum));
    // a prune would take the commits that are yet to be deployed
    txn.set_ref(&keep(version), Some(checksum));
    txn.commit().unwrap();
    checksum
}
