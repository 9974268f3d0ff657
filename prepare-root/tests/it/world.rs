//! Sysroots, and namespaces in which the program changes the root without touching that of the tests.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

pub const SUM: &str = "abababababababababababababababababababababababababababababababab";
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_rootling-prepare-root");

/// A sysroot with one deployment, as a deploy leaves it.
pub fn sysroot(at: &Path, stateroot: &str, config: &str) {
    let tree = at.join(format!("ostree/deploy/{stateroot}/deploy/c.0"));
    for dir in ["usr/lib/ostree", "usr/etc", "etc", "var", "boot", "sysroot", "dev", "proc", "sys", "run"] {
        fs::create_dir_all(tree.join(dir)).unwrap();
    }
    fs::write(tree.join("usr/lib/ostree/prepare-root.conf"), config).unwrap();
    fs::write(tree.join("usr/marker"), "tree").unwrap();
    fs::write(tree.join("usr/etc/default"), "factory").unwrap();
    fs::write(tree.join("etc/default"), "mine").unwrap();
    fs::create_dir_all(at.join(format!("ostree/deploy/{stateroot}/var"))).unwrap();
    fs::write(at.join(format!("ostree/deploy/{stateroot}/var/data")), "kept").unwrap();
    fs::create_dir_all(at.join("boot/loader.0")).unwrap();
    symlink("loader.0", at.join("boot/loader")).unwrap();
    fs::create_dir_all(at.join(format!("ostree/boot.0.1/{stateroot}/{SUM}"))).unwrap();
    symlink("boot.0.1", at.join("ostree/boot.0")).unwrap();
    let link = at.join(format!("ostree/boot.0.1/{stateroot}/{SUM}/0"));
    symlink(format!("../../../deploy/{stateroot}/deploy/c.0"), link).unwrap();
}

/// A bootable sysroot at `disk` in a folder of its own.
pub struct Disk(TempDir);

impl Disk {
    /// Both roots have the machine's programs, by way of `/run/host`; the deployment's `/sbin/init` is `/run/look`.
    pub fn make(config: &str) -> Disk {
        let dir = tempfile::tempdir().unwrap();
        let disk = dir.path().join("disk");
        sysroot(&disk, "os", config);
        let tree = disk.join("ostree/deploy/os/deploy/c.0");
        for (root, name) in
            [&disk, &tree].into_iter().flat_map(|root| ["bin", "lib", "lib64"].map(|name| (root, name)))
        {
            symlink(format!("run/host/{name}"), root.join(name)).unwrap();
        }
        fs::create_dir(tree.join("sbin")).unwrap();
        symlink("/run/look", tree.join("sbin/init")).unwrap();
        Disk(dir)
    }

    pub fn dir(&self) -> &Path {
        self.0.path()
    }
}

pub fn cmdline() -> String {
    format!("quiet ostree=/ostree/boot.0/os/{SUM}/0\n")
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// Runs a script as root in a mount namespace of its own, with `more` namespaces; answers what it printed.
pub fn unshared(more: &[&str], script: &str) -> String {
    let mut args = vec!["--mount", "--propagation", "private"];
    if !is_root() {
        args.extend(["--map-root-user", "--user"]);
    }
    let out = Command::new("unshare").args(args).args(more).args(["sh", "-c", script]).output();
    let out = out.unwrap_or_else(|e| panic!("unshare: {e}; install it with: apt-get install util-linux"));
    format!(
        "{}{}{}\n",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
        out.status
    )
}

/// Boots the program as PID 1 below the folder that `mount` leaves mounted at `root`, with the machine's programs
/// on its `/run/host`; what is started then is `look`. `mount` may set one more `argument`, the
/// streams, and with `run=:` that nothing is mounted on `/run`, where the program then mounts over all that.
pub fn boot(dir: &Path, cmdline: &str, mount: &str, look: &str) -> String {
    fs::write(dir.join("cmdline"), cmdline).unwrap();
    fs::write(dir.join("look"), format!("#!/bin/sh\nexport PATH=/bin\necho pid $$ $*\n{look}\n")).unwrap();
    let outer = format!(
        "set -e
        cd {dir}
        mkdir -p root
        {mount}
        cd {dir}/root
        mkdir -p dev proc sys run
        ${{run:-mount -t tmpfs none run}}
        mkdir run/host
        mount --rbind /usr run/host
        mount -o remount,bind,ro run/host
        mount --rbind /proc proc
        mount --bind ../cmdline proc/cmdline
        cp ../look run/look
        chmod +x run/look
        [ -e program ] || touch program
        mount --bind {PROGRAM} program
        exec chroot . /program $argument single",
        dir = dir.display(),
    );
    unshared(&["--pid", "--fork", "--kill-child"], &outer)
}
