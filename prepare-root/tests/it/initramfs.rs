//! As `/init` of an initramfs: the root is found on real partitions of loop devices, which takes root.

use crate::loops::Loop;
use crate::world::{Disk, boot, cmdline};
use std::path::Path;

/// Boots with this `root=`; `/dev` and `/sys` are the program's to mount.
fn booted(dir: &Path, root: &str) -> String {
    booted_among(dir, &format!("{root} rootwait=0"), "")
}

/// Boots with devices that a script makes.
fn booted_among(dir: &Path, root: &str, devices: &str) -> String {
    let programs = "mount -t tmpfs none root
        for name in bin lib lib64; do ln -s run/host/$name root/$name; done";
    let arguments = format!("root={root} {}", cmdline());
    boot(
        dir,
        &arguments,
        &format!("{programs}\n{devices}"),
        "cat usr/marker etc/default var/data; echo; grep -E ' /(sysroot|usr|sys|dev) ' /proc/mounts",
    )
}

fn boots(dir: &Path, part: &Path, root: &str) {
    let out = booted(dir, root);
    assert!(out.contains("pid 1 single\ntreeminekept\n"), "{root}: {out}");
    let device = format!("{} /sysroot ext4 rw", part.display());
    for want in [
        device.as_str(),
        "sysfs /sys sysfs rw,nosuid,nodev,noexec",
        "devtmpfs /dev devtmpfs rw,nosuid",
        "exit status: 0",
    ] {
        assert!(out.contains(want), "{root}: no {want:?} in {out}");
    }
}

#[test]
fn the_root_on_a_gpt_is_found_by_every_name() {
    let disk = Disk::make("");
    let there = Loop::make(&disk, "512", "label: gpt\nsize=1MiB\nsize=40MiB\n", 2);
    let (part, partuuid) = (there.part(2), there.partuuid(2));
    assert_eq!(partuuid.len(), 36, "{partuuid}");
    for root in [
        part.display().to_string(),
        format!("UUID={}", there.uuid),
        format!("UUID={}", there.uuid.to_uppercase()),
        format!("LABEL={}", there.label),
        format!("PARTUUID={partuuid}"),
        format!("PARTUUID={}", partuuid.to_uppercase()),
    ] {
        boots(disk.dir(), &part, &root);
    }
    let out = booted(
        disk.dir(),
        &format!("LABEL={} rootfstype=ext4 rootflags=noatime,commit=77,data=journal", there.label),
    );
    assert!(out.contains("/sysroot ext4 rw,noatime,") && out.contains("commit=77,data=journal"), "{out}");
    let out = booted(disk.dir(), &format!("LABEL={} rootflags=nodev,noatime", there.label));
    for want in ["/sysroot ext4 rw,nodev,noatime", "/usr ext4 ro,nodev,noatime"] {
        assert!(out.contains(want), "no {want:?} in {out}");
    }
    let out = booted(disk.dir(), &format!("LABEL={} rootfstype=xfs", there.label));
    assert!(
        out.contains("on /sysroot: No such device") || out.contains("on /sysroot: Invalid argument"),
        "{out}"
    );
    for root in [
        "/dev/nothing".to_owned(),
        format!("UUID={}", there.uuid.replace("5b0c", "6b0c")),
        format!("LABEL={}x", there.label),
        "PARTUUID=00000000-0000-0000-0000-000000000000".to_owned(),
        "PARTUUID=00000000-02".to_owned(),
    ] {
        let out = booted(disk.dir(), &root);
        let want = "after 0 s\"\nrootling-prepare-root: rebooting\nsignal: 1 (SIGHUP)";
        assert!(out.contains(want) && out.contains("expected the root device, got"), "{root}: {out}");
    }
}

#[test]
fn partitions_of_an_mbr_are_found_by_its_signature() {
    let table = "label: dos\nx1: size=1MiB,type=83\nx2: size=44MiB,type=5\n\
                 x5: size=1MiB,type=83\nx6: size=36MiB,type=83\n";
    let disk = Disk::make("");
    // 1 is primary, 2 holds the logical 5 and 6
    let there = Loop::make(&disk, "512", table, 6);
    let partuuid = there.partuuid(6);
    let signature = partuuid.strip_suffix("-06").unwrap();
    for root in [&partuuid, &partuuid.to_uppercase()] {
        boots(disk.dir(), &there.part(6), &format!("PARTUUID={root}"));
    }
    for root in [format!("PARTUUID={signature}-07"), format!("PARTUUID={:08x}-06", !number(signature))] {
        let out = booted(disk.dir(), &root);
        assert!(out.contains("after 0 s") && out.contains("SIGHUP"), "{root}: {out}");
    }
}

fn number(hex: &str) -> u32 {
    u32::from_str_radix(hex, 16).unwrap()
}

#[test]
fn a_gpt_with_sectors_of_4096_bytes() {
    let disk = Disk::make("");
    let there = Loop::make(&disk, "4096", "label: gpt\nsize=1MiB\nsize=40MiB\n", 2);
    boots(disk.dir(), &there.part(2), &format!("PARTUUID={}", there.partuuid(2)));
}

#[test]
fn the_memory_of_the_initramfs_is_free_in_the_end() {
    let disk = Disk::make("");
    let there = Loop::make(&disk, "512", "label: gpt\nsize=40MiB\n", 1);
    let (dir, root) = (disk.dir(), format!("root={} {}", there.part(1).display(), cmdline()));
    // beside the links to the machine's programs; the program itself is a mount
    let files = "mount -t tmpfs none root
        for name in bin lib64; do ln -s run/host/$name root/$name; done
        for folder in /usr/lib/*-linux-*; do mkdir -p root/lib; ln -s /run/host/lib/${folder##*/} root/lib; done
        mkdir -p root/lib/modules/1/kernel root/lib/rootling root/lib/firmware
        touch root/init root/lib/modules/1/kernel/a.ko root/lib/rootling/modules.load
        mkdir root/full
        mount -t tmpfs none root/full
        touch root/full/file
        exec 4< root 5< root/full";
    let out = boot(dir, &root, files, "ls -A /proc/self/fd/4/ /proc/self/fd/5/; cat usr/marker");
    let left = "/proc/self/fd/4/:\nfull\nprogram\nsysroot\n\n/proc/self/fd/5/:\nfile\ntree";
    assert!(out.contains(left) && out.contains("exit status: 0"), "{out}");
}

#[test]
fn a_root_that_is_no_mount_keeps_its_files() {
    let disk = Disk::make("");
    let there = Loop::make(&disk, "512", "label: gpt\nsize=40MiB\n", 1);
    let (dir, root) = (disk.dir(), format!("root={} {}", there.part(1).display(), cmdline()));
    let files = "for name in bin lib lib64; do ln -s run/host/$name root/$name; done
        mkdir root/folder
        touch root/folder/file";
    let out = boot(dir, &root, files, "cat usr/marker");
    assert!(out.contains("pid 1 single\ntreeexit status: 0"), "{out}");
    assert!(dir.join("root/folder/file").exists() && dir.join("root/bin").is_symlink(), "{out}");
}

#[test]
fn a_device_that_comes_late_is_waited_for() {
    let disk = Disk::make("");
    let there = Loop::make(&disk, "512", "label: gpt\nsize=1MiB\nsize=40MiB\n", 2);
    // no medium yet: opening it to write returns once the program has looked
    let none = "mkdir -p root/dev root/sys
        mount -t tmpfs none root/dev
        mount -t tmpfs none root/sys
        mkdir -p root/sys/class/block/late
        mkfifo root/dev/late";
    let comes = format!(
        "(: > root/dev/late; cp -a {} root/dev/new; mv root/dev/new root/dev/late) &",
        there.part(2).display()
    );
    let never = "(sleep 60; echo waited; : > root/dev/late) &";
    for root in ["/dev/late".to_owned(), format!("LABEL={}", there.label)] {
        let out = booted_among(disk.dir(), &format!("{root} rootwait=60"), &format!("{none}\n{comes}"));
        assert!(out.contains("pid 1 single\ntreeminekept\n"), "{root}: {out}");
        assert!(out.contains("/dev/late /sysroot ext4 rw"), "{root}: {out}");
        let out = booted_among(disk.dir(), &format!("{root} rootwait=0"), &format!("{none}\n{never}"));
        assert!(out.contains("after 0 s") && out.contains("SIGHUP"), "{root}: {out}");
        assert!(!out.contains("waited"), "{root}: {out}");
    }
    let out = booted_among(disk.dir(), "/dev/late rootwait=0", &none.replace("mkfifo", "touch"));
    assert!(out.contains("after 0 s") && out.contains("SIGHUP"), "{out}");
}
