//! First deployments and upgrades, judged by what would boot.

use crate::bootcheck;
use crate::fixture::{Fixture, Tree, keep, verified};
use rootling_object::{Checksum, ObjectKind, ObjectName};
use rootling_store::ErrorKind;
use rootling_store::sysroot::verify::verify_commit_objects;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

const ONE: Tree<'_> = Tree { version: "1.0", kernel: "kernel one", files: &[] };
const TWO: Tree<'_> =
    Tree { version: "2.0", kernel: "kernel two", files: &[("usr/etc/plain", "new default\n")] };
const THREE: Tree<'_> = Tree { version: "3.0", kernel: "kernel three", files: &[] };

fn boots(fixture: &Fixture) -> Vec<String> {
    bootcheck::check(&fixture.path()).unwrap().into_iter().map(|b| b.commit).collect()
}

#[test]
fn the_first_deployment_boots() {
    let fixture = Fixture::new();
    let commit = fixture.commit(&ONE);
    assert!(bootcheck::check(&fixture.path()).is_err(), "nothing boots yet");
    let done = fixture.deploy(&commit);
    assert!(done.is_swap && done.merge.is_none());
    let boots = bootcheck::check(&fixture.path()).unwrap();
    assert_eq!(boots[0].title, "Test OS 1.0 (ostree:0)");
    assert!(
        boots[0].options.starts_with("root=LABEL=x quiet ostree=/ostree/boot.1/os/"),
        "{}",
        boots[0].options
    );

    let sysroot = fixture.open();
    let [deployment] = sysroot.deployments() else { panic!("{:?}", sysroot.deployments()) };
    assert_eq!((deployment.checksum, deployment.serial), (commit, 0));
    assert_eq!(deployment.origin.to_string(), "[origin]\nrefspec=origin:os/main\n");
    assert_eq!(deployment.kernel_args().to_string(), "root=LABEL=x quiet");
    let tree = sysroot.deployment_path(deployment);
    let nlink = |name: &str| fs::symlink_metadata(tree.join(name)).unwrap().nlink();
    assert_eq!((nlink("usr/bin/tool"), nlink("usr/bin/empty"), nlink("etc/plain")), (2, 1, 1));
    assert_eq!(nlink("usr/lib/modules/6.1/vmlinuz"), 3, "repo, deployment and boot");
    let flags = Command::new("lsattr").arg("-d").arg(&tree).output().unwrap().stdout;
    let flags = String::from_utf8(flags).unwrap();
    assert!(flags.split(' ').next().unwrap().contains('i'), "{flags}");
    let pinned = fixture.path().join("ostree/repo/refs/heads/ostree/1/1/0");
    assert_eq!(fs::read_to_string(pinned).unwrap(), format!("{commit}\n"));
}

#[test]
fn an_upgrade_keeps_the_old_one_and_the_third_drops_what_nothing_needs() {
    let fixture = Fixture::new();
    let [one, two, three] = [&ONE, &TWO, &THREE].map(|tree| fixture.commit(tree));
    fixture.deploy(&one);
    assert_eq!(fixture.deploy(&two).cleaned.unwrap().deployments, Vec::<String>::new());
    assert_eq!(boots(&fixture), [two.to_string(), one.to_string()]);
    fixture.deploy(&three);
    assert_eq!(
        boots(&fixture),
        [three, two, one].map(|c| c.to_string()),
        "the way back of the running one stays"
    );
    fixture.open().repo().write_ref(&keep("1.0"), None).unwrap();
    let fourth = fixture.deploy(&two);
    assert_eq!(fourth.deployment.serial, 1);
    assert_eq!(boots(&fixture), [two, three, two].map(|c| c.to_string()));
    let cleaned = fourth.cleaned.unwrap();
    assert_eq!(cleaned.deployments, [format!("{one}.0")]);
    assert_eq!(cleaned.boot_dirs.len(), 1);
    assert!(cleaned.pruned.removed > 0);
    assert!(!fixture.open().repo().has(&ObjectName::new(ObjectKind::Commit, one)));
}

#[test]
fn the_same_kernel_only_flips_the_links() {
    let fixture = Fixture::new();
    let one = fixture.commit(&ONE);
    let again = fixture.commit(&Tree { files: &[("usr/bin/other", "x")], ..ONE });
    fixture.deploy(&one);
    let old = fs::read_link(fixture.path().join("boot/loader")).unwrap();
    assert!(fixture.deploy(&again).is_swap, "a second entry");
    let before = fs::read_link(fixture.path().join("boot/loader")).unwrap();
    assert_ne!(old, before);
    let mut locked = fixture.lock();
    locked.rollback("os").unwrap();
    drop(locked);
    assert_eq!(fs::read_link(fixture.path().join("boot/loader")).unwrap(), before, "no loader write");
    assert_eq!(boots(&fixture), [one.to_string(), again.to_string()]);
}

#[test]
fn a_broken_object_stops_before_anything_changes() {
    let fixture = Fixture::new();
    let [one, two] = [&ONE, &TWO].map(|tree| fixture.commit(tree));
    fixture.deploy(&one);
    let sysroot = fixture.open();
    let commit = sysroot.repo().load_commit(&two).unwrap();
    let tool =
        rootling_store::walk::find(sysroot.repo(), (&commit.root_tree, &commit.root_meta), "usr/bin/tool");
    let Some(rootling_store::walk::Entry::File(tool)) = tool.unwrap() else { panic!("no tool") };
    let object = sysroot.repo().object_path(&ObjectName::new(ObjectKind::File, tool));
    fs::write(&object, "2.x").unwrap();
    let before = list_all(&fixture);

    let error = fixture.try_deploy(&two, None).unwrap_err();
    assert!(error.is_corrupt() && error.to_string().contains(&tool.to_string()[2..]), "{error}");
    assert_eq!(list_all(&fixture), before);
    let known = verify_commit_objects(sysroot.repo(), &commit, &|c| *c == tool, 2).unwrap();
    assert_eq!(known.known, 1, "what this run hashed itself is not read again");

    fs::remove_file(&object).unwrap();
    let error = fixture.try_deploy(&two, None).unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("tool"), "{error}");
    assert_eq!(boots(&fixture), [one.to_string()]);
}

fn list_all(fixture: &Fixture) -> String {
    let find = Command::new("find").arg(fixture.path()).args(["-printf", "%p %i %l\n"]).output().unwrap();
    String::from_utf8(find.stdout).unwrap()
}

#[test]
fn refuses_by_name() {
    let fixture = Fixture::new();
    let one = fixture.commit(&ONE);
    let composefs = fixture.commit(&Tree {
        version: "c",
        kernel: "k",
        files: &[("usr/lib/ostree/prepare-root.conf", "[composefs]\nenabled=yes\n")],
    });
    let no_kernel = {
        let folder = fixture.dir.path().join("bare");
        fs::create_dir_all(folder.join("usr/lib")).unwrap();
        crate::fixture::commit_tree(fixture.open().repo(), &folder, "n")
    };
    for (commit, reason) in [(&composefs, "composefs"), (&no_kernel, "expected a vmlinuz")] {
        let error = fixture.try_deploy(commit, None).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    fixture.open().repo().mark_partial(&one).unwrap();
    let error = fixture.try_deploy(&one, None).unwrap_err().to_string();
    assert!(error.contains("not complete"), "{error}");
    fixture.open().repo().clear_partial(&one).unwrap();
    let deploys = fixture.path().join("ostree/deploy/os/deploy");
    assert_eq!(fs::read_dir(&deploys).unwrap().count(), 0, "nothing is left of what was refused");

    std::os::unix::fs::symlink("../loader/syslinux.cfg", fixture.path().join("boot/syslinux.cfg")).unwrap();
    fs::create_dir(fixture.path().join("boot/syslinux")).unwrap();
    std::os::unix::fs::symlink("../loader/syslinux.cfg", fixture.path().join("boot/syslinux/syslinux.cfg"))
        .unwrap();
    let error = fixture.try_deploy(&one, None).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unsupported { what } if what.contains("syslinux.cfg")),
        "{error}"
    );
    assert_eq!(fs::read_dir(&deploys).unwrap().count(), 0);
}

#[test]
fn two_updaters_exclude_each_other() {
    let fixture = Fixture::new();
    let _locked = fixture.lock();
    let second = fixture.open().lock(std::time::Duration::ZERO);
    assert!(second.is_err_and(|error| matches!(error.kind(), ErrorKind::Locked { .. })));
}

#[test]
fn a_commit_is_verified_before_it_has_a_deployment() {
    let fixture = Fixture::new();
    let one = fixture.commit(&ONE);
    let verified = verified(fixture.open().repo(), &one);
    let _: &rootling_object::Commit = verified.get();
    assert_eq!(verified.checksum(), &Checksum::parse_hex(&one.to_string()).unwrap());
}
