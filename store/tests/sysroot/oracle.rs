//! `ostree` as the judge: its sysroot and ours after the same steps, file by file, and each on the other's.

use crate::bootcheck;
use crate::fixture::{Fixture, PATIENCE, REF, Tree, free, verified, write_tree};
use rootling_boot::{KernelArgs, Naming};
use rootling_object::{Checksum, Refspec};
use rootling_store::sysroot::{DeployOptions, Locked, Origin, Sysroot};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Two trees with all that a boot can need: device trees in folders, a FIPS checksum, xattrs.
const ONE: Tree<'_> = Tree {
    version: "1.0",
    kernel: "kernel one",
    files: &[
        ("usr/lib/modules/6.1/.vmlinuz.hmac", "hmac"),
        ("usr/lib/modules/6.1/dtb/b.dtb", "b"),
        ("usr/lib/modules/6.1/dtb/a-b", "a-b"),
        ("usr/lib/modules/6.1/dtb/a/x.dtb", "x"),
        ("usr/lib/modules/6.1/dtb/a/y/z.dtb", "z"),
        ("usr/etc/other", "other\n"),
    ],
};
const TWO: Tree<'_> = Tree {
    version: "2.0",
    kernel: "kernel two",
    files: &[("usr/lib/modules/6.1/devicetree", "one device tree")],
};
const THREE: Tree<'_> = Tree {
    version: "3.0",
    kernel: "kernel two",
    files: &[("usr/lib/modules/6.1/devicetree", "one device tree")],
};

fn ostree(args: &[&str]) -> String {
    let run = Command::new("ostree").args(args).output().expect("ostree is needed: apt-get install ostree");
    assert!(run.status.success(), "ostree {args:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

fn admin(sysroot: &Path, args: &[&str]) -> String {
    ostree(&[&["admin", &format!("--sysroot={}", sysroot.display())], args].concat())
}

/// A sysroot made by ostree beside one made by us, with the same commits in both.
struct Pair {
    ours: Fixture,
    theirs: PathBuf,
}

impl Pair {
    fn new() -> Pair {
        let ours = Fixture::new();
        let theirs = ours.dir.path().join("T");
        fs::create_dir(&theirs).unwrap();
        ostree(&["admin", "init-fs", theirs.to_str().unwrap()]);
        admin(&theirs, &["os-init", "os"]);
        Pair { ours, theirs }
    }

    /// Commits a tree with ostree and copies the commit to both.
    fn commit(&self, tree: &Tree<'_>) -> Checksum {
        let folder = self.ours.dir.path().join(format!("tree-{}", tree.version));
        write_tree(&folder, tree);
        symlink("b.dtb", folder.join("usr/lib/modules/6.1/alias")).unwrap();
        xattr::set(folder.join("usr/etc/plain"), "user.default", b"x").unwrap();
        let theirs = format!("--repo={}/ostree/repo", self.theirs.display());
        let version = format!("--add-metadata-string=version={}", tree.version);
        let time = "--timestamp=2024-01-01 00:00:00Z";
        let name = format!("keep/{}", tree.version);
        let checksum = ostree(&[&theirs, "commit", "-b", &name, time, &version, folder.to_str().unwrap()]);
        fs::remove_dir_all(&folder).unwrap();
        let ours = format!("--repo={}/ostree/repo", self.ours.path().display());
        ostree(&[&ours, "pull-local", &format!("{}/ostree/repo", self.theirs.display()), &name]);
        Checksum::parse_hex(checksum.trim()).unwrap()
    }

    fn bind(&self, commit: &Checksum) {
        for sysroot in [&self.ours.path(), &self.theirs] {
            let repo = format!("--repo={}/ostree/repo", sysroot.display());
            ostree(&[&repo, "refs", "--delete", REF]);
            ostree(&[&repo, "refs", "--create", REF, &commit.to_string()]);
        }
    }

    fn lock(&self) -> Locked {
        lock(&self.ours.path())
    }

    /// The same deployment in both.
    fn deploy(&self, commit: &Checksum, args: Option<&str>) {
        self.bind(commit);
        let karg: Vec<String> =
            args.iter().flat_map(|a| a.split(' ')).map(|a| format!("--karg={a}")).collect();
        let mut command = vec!["deploy", "--os=os"];
        command.extend(karg.iter().map(String::as_str));
        command.push(REF);
        admin(&self.theirs, &command);
        deploy(&mut self.lock(), commit, args);
    }

    fn assert_same(&self) {
        let (ours, theirs) = (snapshot(&self.ours.path()), snapshot(&self.theirs));
        for (path, what) in &theirs {
            assert_eq!(ours.get(path), Some(what), "{path} as ostree made it");
        }
        // the old link stays for a loader that may still see it
        for path in ours.keys().filter(|path| *path != "boot/loader.tmp") {
            assert!(theirs.contains_key(path), "{path} is only in ours");
        }
        assert!(theirs.len() > 50, "{} paths compared", theirs.len());
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        free(&self.theirs);
    }
}

fn lock(sysroot: &Path) -> Locked {
    Sysroot::open(sysroot).unwrap().with_naming(Naming::IndexStateroot).lock(PATIENCE).unwrap()
}

fn deploy(locked: &mut Locked, commit: &Checksum, args: Option<&str>) {
    let verified = verified(locked.repo(), commit);
    let mut options = DeployOptions::new("os", Origin::new(&Refspec::parse(REF).unwrap()));
    options.kernel_args = args.map(KernelArgs::parse);
    locked.deploy(&verified, &options).unwrap();
}

/// Every path outside of the objects, with all of it that counts.
fn snapshot(sysroot: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    add(sysroot, sysroot, &mut found);
    found
}

fn add(root: &Path, dir: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
        let left_out = ["ostree/repo/objects", "ostree/repo/tmp", "ostree/repo/.lock", "ostree/lock"];
        if left_out.contains(&name.as_str()) || name.ends_with(".ostree-selabeled") {
            continue;
        }
        let stat = path.symlink_metadata().unwrap();
        // ostree leaves the empty folders of refs that are gone
        if stat.is_dir() && name.contains("refs/heads/ostree/") {
            add(root, &path, found);
            continue;
        }
        let xattrs: Vec<_> =
            xattr::list(&path).unwrap().map(|n| (n.clone(), xattr::get(&path, n).unwrap())).collect();
        let what = match () {
            () if stat.is_symlink() => format!("-> {}", fs::read_link(&path).unwrap().display()),
            () if stat.is_dir() => "directory".into(),
            () => String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
        };
        // ostree copies device trees where we link
        let may_link = !(name.starts_with("boot/") && name.contains("/dtb/"));
        let linked = may_link && stat.nlink() > 1 && stat.is_file();
        found.insert(
            name,
            format!("{:o} {}:{} linked={linked} {xattrs:?} {what}", stat.mode(), stat.uid(), stat.gid()),
        );
        if stat.is_dir() {
            add(root, &path, found);
        }
    }
}

/// Lines of `ostree admin status`: which deployments, in which order.
fn status(sysroot: &Path) -> Vec<String> {
    let text = admin(sysroot, &["status"]);
    let lines = text.lines().filter_map(|l| l.trim_start_matches(['*', ' ']).strip_prefix("os "));
    lines.map(|l| l.split(['.', ' ']).next().unwrap().to_string()).collect()
}

#[test]
fn both_make_the_same_sysroot() {
    let pair = Pair::new();
    pair.assert_init_same();
    let [one, two, three] = [&ONE, &TWO, &THREE].map(|tree| pair.commit(tree));
    pair.deploy(&one, Some("root=LABEL=x quiet console=ttyS0"));
    pair.assert_same();
    for sysroot in [&pair.ours.path(), &pair.theirs] {
        let etc = fs::canonicalize(sysroot.join(format!("ostree/deploy/os/deploy/{one}.0/etc"))).unwrap();
        fs::write(etc.join("plain"), "mine\n").unwrap();
        fs::remove_file(etc.join("gone")).unwrap();
        fs::create_dir(etc.join("added")).unwrap();
        fs::write(etc.join("added/file"), "a").unwrap();
        symlink("file", etc.join("added/link")).unwrap();
    }
    pair.deploy(&two, None);
    pair.assert_same();
    // same kernel, same number of deployments, but another version in the title: a swap for both
    admin(&pair.theirs, &["undeploy", "1"]);
    let mut locked = pair.lock();
    locked.undeploy(1).unwrap();
    locked.cleanup(Default::default()).unwrap();
    drop(locked);
    pair.assert_same();
    pair.deploy(&three, None);
    pair.assert_same();
    assert_eq!(status(&pair.ours.path()), status(&pair.theirs));
}

impl Pair {
    fn assert_init_same(&self) {
        let (mut ours, theirs) = (snapshot(&self.ours.path()), snapshot(&self.theirs));
        assert!(
            ours.remove("ostree/deploy/os/deploy").is_some(),
            "made with the stateroot here, later there"
        );
        assert_eq!(ours, theirs);
    }
}

#[test]
fn ostree_works_on_ours() {
    let pair = Pair::new();
    let [one, two, three] = [&ONE, &TWO, &THREE].map(|tree| pair.commit(tree));
    let sysroot = pair.ours.path();
    for commit in [&one, &two] {
        pair.bind(commit);
        pair.ours.deploy(commit);
    }
    assert_eq!(status(&sysroot), [two.to_string(), one.to_string()]);
    pair.bind(&three);
    admin(&sysroot, &["deploy", "--os=os", REF]);
    assert_eq!(status(&sysroot), [three.to_string(), two.to_string()]);
    let boots = bootcheck::check(&sysroot).unwrap();
    assert!(boots[0].options.starts_with("root=LABEL=x quiet ostree="), "{}", boots[0].options);
    assert_eq!(pair.ours.open().deployments().len(), 2);
    admin(&sysroot, &["undeploy", "0"]);
    assert_eq!(pair.ours.open().deployments()[0].checksum, two);
    ostree(&["fsck", &format!("--repo={}/ostree/repo", sysroot.display())]);
    pair.ours.lock().set_pinned(0, true).unwrap();
    assert!(admin(&sysroot, &["status"]).contains("Pinned: yes"));
    pair.ours.lock().cleanup(Default::default()).unwrap();
    assert_eq!(bootcheck::check(&sysroot).unwrap().len(), 1);
}

#[test]
fn we_work_on_theirs() {
    let pair = Pair::new();
    let [one, two, three] = [&ONE, &TWO, &THREE].map(|tree| pair.commit(tree));
    for commit in [&one, &two] {
        pair.bind(commit);
        admin(&pair.theirs, &["deploy", "--os=os", "--karg=quiet", REF]);
    }
    let mut locked = lock(&pair.theirs);
    assert_eq!(locked.deployments().iter().map(|d| d.checksum).collect::<Vec<_>>(), [two, one]);
    assert_eq!(locked.at(0).unwrap().origin.refspec().unwrap().unwrap().to_string(), REF);
    locked.rollback("os").unwrap();
    drop(locked);
    assert_eq!(status(&pair.theirs), [one.to_string(), two.to_string()]);
    bootcheck::check(&pair.theirs).unwrap();
    deploy(&mut lock(&pair.theirs), &three, None);
    assert_eq!(status(&pair.theirs), [three.to_string(), one.to_string(), two.to_string()]);
    lock(&pair.theirs).undeploy(1).unwrap();
    lock(&pair.theirs).cleanup(Default::default()).unwrap();
    assert_eq!(status(&pair.theirs), [three.to_string(), two.to_string()]);
    ostree(&["fsck", &format!("--repo={}/ostree/repo", pair.theirs.display())]);
    assert_eq!(bootcheck::check(&pair.theirs).unwrap().len(), 2);
}

#[test]
fn config_diff_says_what_ostree_says() {
    let pair = Pair::new();
    let one = pair.commit(&ONE);
    pair.deploy(&one, Some("quiet"));
    let etc = pair.ours.etc("");
    fs::write(etc.join("plain"), "mine").unwrap();
    fs::remove_dir_all(etc.join("deep")).unwrap();
    fs::create_dir_all(etc.join("new/below")).unwrap();
    fs::write(etc.join("new/below/x"), "x").unwrap();
    symlink("x", etc.join("new/y")).unwrap();
    let theirs = admin(&pair.ours.path(), &["config-diff", "--os=os"]);
    let mut theirs: Vec<String> = theirs.lines().map(String::from).collect();
    let sysroot = pair.ours.open();
    let mut ours: Vec<String> =
        sysroot.config_diff(&sysroot.deployments()[0]).unwrap().iter().map(|c| c.to_string()).collect();
    theirs.sort();
    ours.sort();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 6);
}

#[test]
fn our_lock_keeps_ostree_out() {
    let pair = Pair::new();
    let locked = pair.lock();
    let sysroot = format!("--sysroot={}", pair.ours.path().display());
    let run = |limit: &str| {
        let run =
            Command::new("timeout").args([limit, "ostree", "admin", &sysroot, "cleanup"]).output().unwrap();
        run.status.code()
    };
    assert_eq!(run("1"), Some(124), "waits for the lock");
    drop(locked);
    assert_eq!(run("120"), Some(0));
    assert!(!pair.ours.path().join("ostree/lock").exists(), "ostree removes the lock's file");
    pair.lock();
}
