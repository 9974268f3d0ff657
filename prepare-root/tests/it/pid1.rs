//! As PID 1 on the root itself, without an initramfs: the kernel has mounted it.

use crate::loops::Loop;
use crate::world::{Disk, SUM, boot, cmdline};
use std::fs;
use std::os::unix::fs::symlink;

/// Not tmpfs, which is taken for an initramfs; `/dev` and `/sys` as the kernel or an earlier program left them.
const MOUNT: &str = "mount -t ramfs none root
    cp -a disk/. root
    mkdir root/dev root/sys
    mount -t tmpfs none root/dev
    mount -t tmpfs none root/sys
    touch root/dev/there root/sys/there";

const LOOK: &str = "cat usr/marker etc/default var/data
    echo
    ls /sysroot /run /dev /sys
    w() { touch $1/x && echo $1 writable || echo $1 read-only; }
    w usr; w etc; w var; w .; w sysroot
    cat /proc/cmdline sysroot/ostree/deploy/os/deploy/c.0/etc/default
    ls /sysroot/ostree/deploy/os/var /sysroot/proc /sysroot/run /sysroot/dev
    [ -e /sysroot/ostree/deploy/os/deploy/c.0/x ] && echo kept || echo thrown away
    [ /run/rootling/root -ef /sysroot/ostree/deploy/os/deploy/c.0 ] && echo linked || :";

fn booted(config: &str, arguments: &str) -> String {
    let disk = Disk::make(config);
    boot(disk.dir(), arguments, MOUNT, LOOK)
}

fn arguments() -> String {
    format!("{} rootling.init=/run/look\n", cmdline().trim_end())
}

fn has(out: &str, wanted: &[&str]) {
    for want in wanted {
        assert!(out.contains(want), "no {want:?} in {out}");
    }
}

#[test]
fn the_deployment_becomes_the_root() {
    let out = booted("", &arguments());
    assert!(
        out.starts_with(
            "pid 1 single\ntreeminekept\n/dev:\nthere\n\n/run:\nhost\nlook\nostree-booted\n\n/sys:\nthere\n\n"
        ),
        "{out}"
    );
    has(&out, &["/sysroot:\nbin\nboot\n", "\nostree\n", &arguments(), "\nkept\n", "exit status: 0"]);
    has(&out, &["usr read-only", "etc writable", "var writable", ". writable", "sysroot writable"]);
    has(
        &out,
        &["/sysroot/dev:\n\n/sysroot/ostree/deploy/os/var:\ndata\nx\n\n/sysroot/proc:\n\n/sysroot/run:\n"],
    );
}

#[test]
fn init_does_not_ignore_a_broken_pipe() {
    let disk = Disk::make("");
    let out = boot(disk.dir(), &arguments(), MOUNT, "grep SigIgn /proc/self/status");
    let ignored = out.split_once("SigIgn:\t").and_then(|(_, mask)| mask.lines().next()).expect(&out);
    assert_eq!(u64::from_str_radix(ignored, 16).unwrap() & 1 << (13 - 1), 0, "{out}");
}

#[test]
fn a_read_only_root_leaves_etc_and_var_writable() {
    let out = booted("[sysroot]\nreadonly=true\n", &arguments());
    has(&out, &["pid 1 single\ntreeminekept\n", "usr read-only", "etc writable", "var writable"]);
    has(&out, &[". read-only", "sysroot read-only", "exit status: 0"]);
}

#[test]
fn the_configuration_in_etc_wins_and_has_to_be_readable() {
    for (usr, etc, want) in [
        ("false", &b"[sysroot]\nreadonly=true\n"[..], ". read-only\n"),
        ("true", b"[sysroot]\nreadonly=false\n", ". writable\n"),
        ("true", b"", ". writable\n"),
        ("false", b"# caf\xe9\n[sysroot]\nreadonly=true\n", "signal: 1 (SIGHUP)"),
    ] {
        let disk = Disk::make(&format!("[sysroot]\nreadonly={usr}\n"));
        let place = disk.dir().join("disk/ostree/deploy/os/deploy/c.0/etc/ostree");
        fs::create_dir(&place).unwrap();
        fs::write(place.join("prepare-root.conf"), etc).unwrap();
        let out = boot(disk.dir(), &arguments(), MOUNT, LOOK);
        has(&out, &[want]);
        assert_eq!(out.contains("root: etc/ostree/prepare-root.conf: "), want.starts_with("signal"), "{out}");
    }
}

#[test]
fn transient_etc_and_root() {
    let out = booted("[etc]\ntransient=true\n", &arguments());
    has(&out, &["treefactorykept\n", "usr read-only", "etc writable", "var writable"]);
    let out = booted("[root]\ntransient=true\n[sysroot]\nreadonly=true\n", &arguments());
    has(&out, &["treeminekept\n", "usr read-only", "etc writable", "var writable", ". writable"]);
    has(&out, &["sysroot read-only", "\nthrown away\nlinked\n", "exit status: 0"]);
}

#[test]
fn every_failure_ends_in_a_reboot() {
    for (config, arguments, want) in [
        ("", "quiet\n", "no ostree= argument"),
        ("", &arguments().replace("run/look", "run/nothing"), "start /run/nothing: No such file"),
        ("", &arguments().replace("/0", "/7"), "follow /ostree/boot.0/os"),
        ("[composefs]\nenabled=yes\n", &arguments(), "composefs.enabled=yes"),
    ] {
        let out = booted(config, arguments);
        // what reboot(2) of the PID 1 of a namespace is to its parent
        has(&out, &[want, "rootling-prepare-root: rebooting\n", "signal: 1 (SIGHUP)"]);
        assert!(!out.contains("pid 1"), "{out}");
    }
}

#[test]
fn a_link_leads_to_a_deployment_of_this_root() {
    for target in ["../../../deploy/os", "../../../deploy/os/deploy/c.0/usr", "../../../../boot", "/"] {
        let disk = Disk::make("");
        let link = disk.dir().join(format!("disk/ostree/boot.0/os/{SUM}/0"));
        fs::remove_file(&link).unwrap();
        symlink(target, link).unwrap();
        let out = boot(disk.dir(), &arguments(), MOUNT, LOOK);
        has(&out, &["expected a deployment of this root, got ", "signal: 1 (SIGHUP)"]);
    }
}

#[test]
fn it_needs_no_streams_and_no_console() {
    let good = format!("{} rootling.watchdog=60 rootling.trial\n", arguments().trim_end());
    // the kernel has init start without streams where it finds no console
    for streams in ["<&- >&- 2>&-", "2> /dev/full", "2>&-"] {
        for (arguments, want) in
            [(good.as_str(), "went on\nexit status: 0"), ("quiet\n", "signal: 1 (SIGHUP)")]
        {
            let disk = Disk::make("");
            let mount = format!("{MOUNT}\nrm root/dev/there\nexec 3>&1 {streams}");
            let out = boot(disk.dir(), arguments, &mount, "echo went on >&3");
            assert!(out.contains(want), "{streams} {arguments}: {out}");
        }
    }
}

#[test]
fn nobody_else_may_write_to_run() {
    let disk = Disk::make("");
    let mount = format!(
        "{MOUNT}
        mkdir root/host
        mount --rbind /usr root/host
        for name in bin lib lib64; do
            ln -sfn host/$name root/$name
            ln -sfn sysroot/host/$name root/ostree/deploy/os/deploy/c.0/$name
        done
        cp look root/look
        chmod +x root/look
        run=:"
    );
    let arguments = format!("{} rootling.init=/sysroot/look\n", cmdline().trim_end());
    let out = boot(disk.dir(), &arguments, &mount, "stat -c %a /run; grep ' /run ' /proc/mounts; ls /run");
    has(&out, &["pid 1 single\n755\n", " /run tmpfs rw,nosuid,nodev,", "mode=755", "\nostree-booted\n"]);
}

#[test]
fn a_root_that_the_kernel_mounted_read_only_is_made_writable() {
    let disk = Disk::make("");
    for name in ["dev", "proc", "sys", "run"] {
        fs::create_dir(disk.dir().join("disk").join(name)).unwrap();
    }
    fs::write(disk.dir().join("disk/program"), "").unwrap();
    let there = Loop::make(&disk, "512", "label: gpt\nsize=40MiB\n", 1);
    let part = there.part(1).display().to_string();
    let look = "w() { touch $1/x && echo $1 writable || echo $1 read-only; }; w usr; w etc; w var; w sysroot";
    for (device, wants) in [
        ("rw", ["usr read-only", "etc writable", "var writable", "sysroot writable"]),
        (
            "ro",
            [
                "rootling-prepare-root: remount /: Permission denied",
                "usr read-only",
                "etc read-only",
                "var read-only",
            ],
        ),
    ] {
        let mount = format!(
            "blockdev --set{device} {part}
            mount -t ext4 -o ro {part} root
            mount -t tmpfs none root/dev
            mount -t tmpfs none root/sys"
        );
        let out = boot(disk.dir(), &arguments(), &mount, look);
        has(&out, &["pid 1 single\n", "exit status: 0"]);
        has(&out, &wants);
        assert_eq!(out.contains("rootling-prepare-root: "), device == "ro", "{out}");
    }
}

#[test]
fn an_argument_need_not_be_a_text() {
    let disk = Disk::make("");
    let mount = format!(
        "{MOUNT}
        argument=$(printf '\\351')
        printf 'name=caf\\351 ' | cat - cmdline > cmdline.raw
        mv cmdline.raw cmdline"
    );
    let out = boot(disk.dir(), &arguments(), &mount, "cat /proc/cmdline");
    has(&out, &["pid 1 \u{fffd} single\n", "name=caf\u{fffd} quiet ostree=", "exit status: 0"]);
}
