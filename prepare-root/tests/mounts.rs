//! The program on a sysroot in a mount namespace of its own; it takes root, or user namespaces.

use std::fs;
use std::path::Path;
use std::process::Command;

const SUM: &str = "abababababababababababababababababababababababababababababababab";

/// A sysroot with one deployment, as a deploy leaves it.
fn sysroot(at: &Path, config: &str) {
    let tree = at.join("ostree/deploy/os/deploy/c.0");
    for dir in ["usr/lib/ostree", "usr/etc", "etc", "var", "boot", "sysroot", "dev", "proc", "sys", "run"] {
        fs::create_dir_all(tree.join(dir)).unwrap();
    }
    fs::write(tree.join("usr/lib/ostree/prepare-root.conf"), config).unwrap();
    fs::write(tree.join("usr/marker"), "tree").unwrap();
    fs::write(tree.join("usr/etc/default"), "factory").unwrap();
    fs::write(tree.join("etc/default"), "mine").unwrap();
    fs::create_dir_all(at.join("ostree/deploy/os/var")).unwrap();
    fs::write(at.join("ostree/deploy/os/var/data"), "kept").unwrap();
    fs::create_dir_all(at.join("boot/loader.0")).unwrap();
    std::os::unix::fs::symlink("loader.0", at.join("boot/loader")).unwrap();
    fs::create_dir_all(at.join(format!("ostree/boot.0.1/os/{SUM}"))).unwrap();
    std::os::unix::fs::symlink("boot.0.1", at.join("ostree/boot.0")).unwrap();
    let link = at.join(format!("ostree/boot.0.1/os/{SUM}/0"));
    std::os::unix::fs::symlink("../../../deploy/os/deploy/c.0", link).unwrap();
}

/// Prepares the root in a namespace, and runs a script there; answers what it printed.
fn prepared(config: &str, cmdline: &str, script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    sysroot(&disk, config);
    fs::write(dir.path().join("cmdline"), cmdline).unwrap();
    let outer = format!(
        "set -e
        cd {dir}
        mkdir world; mount -t tmpfs none world; cd world
        mkdir -p proc run sysroot tmp usr
        for d in bin lib lib64; do [ ! -e /$d ] || ln -s usr/$d $d; done
        mount --rbind /usr usr; mount --rbind /proc proc
        mount --bind ../cmdline proc/cmdline
        mount --bind ../disk sysroot
        mkdir program; touch program/p; mount --bind {program} program/p
        chroot . /program/p /sysroot
        chroot . /bin/sh -c '{script}'",
        dir = dir.path().display(),
        program = env!("CARGO_BIN_EXE_rootling-prepare-root"),
    );
    let args = ["--mount", "--propagation", "private", "--map-root-user", "--user", "sh", "-c", &outer];
    let root = fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    let args = if root { [&args[..3], &args[5..]].concat() } else { args.to_vec() };
    let out = Command::new("unshare").args(args).output();
    let out = out.unwrap_or_else(|e| panic!("unshare: {e}; install it with: apt-get install util-linux"));
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

fn cmdline() -> String {
    format!("quiet ostree=/ostree/boot.0/os/{SUM}/0\n")
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
