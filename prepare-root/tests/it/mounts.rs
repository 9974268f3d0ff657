//! The program on a sysroot in a mount namespace of its own; it takes root, or user namespaces.

use crate::world::{PROGRAM, SUM, cmdline, sysroot, unshared};
use std::fs;

/// Prepares the root in a namespace, and runs a script there; answers what it printed.
fn prepared(config: &str, cmdline: &str, script: &str) -> String {
    prepared_with("os", &[], config, cmdline, script)
}

/// The same with a deployment of this stateroot, which has some more folders.
fn prepared_with(stateroot: &str, folders: &[&str], config: &str, cmdline: &str, script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    sysroot(&disk, stateroot, config);
    for folder in folders {
        fs::create_dir(disk.join(format!("ostree/deploy/{stateroot}/deploy/c.0/{folder}"))).unwrap();
    }
    fs::write(dir.path().join("cmdline"), cmdline).unwrap();
    let outer = format!(
        "set -e
        cd {dir}
        mkdir world; mount -t tmpfs none world; cd world
        mkdir -p dev proc run sysroot tmp usr; touch dev/watchdog
        for d in bin lib lib64; do [ ! -e /$d ] || ln -s usr/$d $d; done
        mount --rbind /usr usr; mount --rbind /proc proc
        mount --bind ../cmdline proc/cmdline
        mount -t tmpfs none sysroot; cp -a ../disk/. sysroot
        mkdir program; touch program/p; mount --bind {PROGRAM} program/p
        chroot . /program/p /sysroot
        chroot . /bin/sh -c '{script}'",
        dir = dir.path().display(),
    );
    unshared(&[], &outer)
}

const LOOK: &str = "cd /sysroot; cat usr/marker etc/default var/data; ls sysroot boot; ls /run; \
    w() { touch $1/x && echo $1 writable || echo $1 read-only; }; w usr; w etc; w var; w .; w sysroot";

#[test]
fn the_deployment_takes_the_place_of_the_root() {
    let out = prepared("", &cmdline(), LOOK);
    assert!(out.starts_with("treeminekept"), "{out}");
    for want in ["boot\nostree\n", "loader\nloader.0\n", "ostree-booted\n"] {
        assert!(out.contains(want) || out.contains(&format!(":\n{want}")), "no {want:?} in {out}");
    }
    for want in ["usr read-only", "etc writable", "var writable", ". writable", "sysroot writable"] {
        assert!(out.contains(want), "no {want:?} in {out}");
    }
}

/// Its device is a plain file here, which takes no time: that is told, and the root prepared all the same.
#[test]
fn the_watchdog_is_started_by_a_step_of_another_initramfs_too() {
    for (arguments, started) in
        [("rootling.watchdog=60 rootling.trial", true), ("rootling.watchdog=60", false)]
    {
        let out = prepared("", &format!("{} {arguments}\n", cmdline().trim_end()), LOOK);
        assert!(out.contains("treeminekept"), "{out}");
        assert_eq!(out.contains("/dev/watchdog: Inappropriate ioctl"), started, "{out}");
    }
}

#[test]
fn a_read_only_root_leaves_etc_and_var_writable() {
    let out = prepared("[sysroot]\nreadonly=true\n", &cmdline(), LOOK);
    for want in ["usr read-only", "etc writable", "var writable", ". read-only", "sysroot read-only"] {
        assert!(out.contains(want), "no {want:?} in {out}");
    }
}

#[test]
fn what_it_cannot_do_is_named() {
    for (config, cmdline, want) in [
        ("", "quiet\n", "no ostree= argument"),
        ("", "ostree=/ostree/boot.0/os/cdcd/0\n", "a link of a boot entry"),
        ("", &format!("ostree=/ostree/boot.0/os/{SUM}/7\n"), "follow /sysroot/ostree/boot.0"),
        ("[composefs]\nenabled=yes\n", &cmdline(), "composefs.enabled=yes"),
    ] {
        let out = prepared(config, cmdline, "echo went on");
        assert!(out.contains(want) && !out.contains("went on"), "no {want:?} in {out}");
    }
}

#[test]
fn a_transient_etc_starts_from_that_of_the_image() {
    let look = "cd /sysroot; cat etc/default; echo changed > etc/default; cat etc/default; echo; \
        cat usr/etc/default sysroot/ostree/deploy/os/deploy/c.0/etc/default";
    let out = prepared("[etc]\ntransient=true\n[sysroot]\nreadonly=true\n", &cmdline(), look);
    assert!(out.starts_with("factorychanged\n\nfactorymine"), "{out}");
}

#[test]
fn changes_of_a_transient_root_are_not_on_the_disk() {
    let look = "cd /sysroot; cat etc/default; echo changed > etc/default; touch new; mkdir etc/folder; \
        echo more > var/data; touch usr/x; ls -d new; ls -d etc/folder; cat etc/default; \
        cd sysroot/ostree/deploy/os; cat deploy/c.0/etc/default; echo; ls -d deploy/c.0/new deploy/c.0/etc/folder; \
        cat var/data";
    for config in ["[root]\ntransient=true\n", "[root]\ntransient=true\n[sysroot]\nreadonly=true\n"] {
        let out = prepared(config, &cmdline(), look);
        assert!(out.starts_with("minenew\netc/folder\nchanged\nmine\n"), "{config}: {out}");
        let gone =
            ["touch: cannot touch 'usr/x'", "access 'deploy/c.0/new'", "access 'deploy/c.0/etc/folder'"];
        for want in gone {
            assert!(out.contains(want), "no {want:?} in {config}: {out}");
        }
        assert!(out.contains("\nmore\n"), "/var stays: {out}");
    }
}

const UNLOCKED: [&str; 2] = [".usr-ovl-work", ".usr-ovl-upper"];

#[test]
fn an_unlocked_usr_takes_changes() {
    let look = format!("{LOOK}; ls sysroot/ostree/deploy/os/deploy/c.0/.usr-ovl-upper");
    let out = prepared_with("os", &UNLOCKED, "", &cmdline(), &look);
    assert!(out.starts_with("treeminekept") && out.contains("usr writable"), "{out}");
    assert!(out.contains("sysroot writable\nx\n"), "the layer is on the disk: {out}");
    let out = prepared_with("os", &UNLOCKED, "[root]\ntransient=true\n", &cmdline(), LOOK);
    for want in
        ["treeminekept", "usr read-only", "etc writable", "without the changes of ostree admin unlock"]
    {
        assert!(out.contains(want), "no {want:?} in {out}");
    }
}

#[test]
fn a_stateroot_may_have_any_name() {
    let name = r"my:o,s\t";
    let cmdline = cmdline().replace("/os/", &format!("/{name}/"));
    for (config, folders) in
        [("[root]\ntransient=true\n", &[][..]), ("[etc]\ntransient=true\n", &[]), ("", &UNLOCKED)]
    {
        let out = prepared_with(name, folders, config, &cmdline, LOOK);
        assert!(out.starts_with("tree"), "{config}: {out}");
        let writable = if folders.is_empty() { "etc writable" } else { "usr writable" };
        assert!(out.contains(writable) && out.contains("sysroot writable"), "{config}: {out}");
    }
}
