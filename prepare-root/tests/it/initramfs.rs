//! As `/init` of an initramfs: the root is found on real partitions of loop devices, which takes root.

use crate::world::{Disk, boot, cmdline, is_root};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

fn run(command: &mut Command, package: &str) -> String {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = command
        .output()
        .unwrap_or_else(|e| panic!("{name}: {e}; install it with: apt-get install {package}"));
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// One device at a time: the program opens all that are there, and none is taken down while it is open.
static ALONE: Mutex<()> = Mutex::new(());

/// A loop device with partitions that the kernel knows, and the names of the file system on one of them.
struct Loop {
    device: PathBuf,
    label: String,
    uuid: String,
    _alone: MutexGuard<'static, ()>,
}

impl Loop {
    /// `table` is what sfdisk takes; the file system is put on one of the partitions.
    fn make(disk: &Disk, sector: &str, table: &str, part: usize) -> Loop {
        assert!(is_root(), "loop devices take root");
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        let image = disk.dir().join("image");
        File::create(&image).unwrap().set_len(48 << 20).unwrap();
        let path =
            run(Command::new("losetup").args(["--sector-size", sector, "-f", "--show"]).arg(&image), "mount");
        let uuid = format!("5b0c0e5e-7a1d-4c55-9d4e-{process:012x}");
        let made = Loop { device: path.into(), label: format!("PREPARE-{process}"), uuid, _alone };
        // what a program that ended too early left
        let _ = Command::new("partx").arg("-d").arg(&made.device).output();
        let mut sfdisk = Command::new("sfdisk");
        sfdisk.args(["-q", "--no-reread", "--no-tell-kernel"]).arg(&made.device).stdin(Stdio::piped());
        let mut child =
            sfdisk.spawn().unwrap_or_else(|e| panic!("sfdisk: {e}; install it with: apt-get install fdisk"));
        child.stdin.take().unwrap().write_all(table.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        run(Command::new("partx").arg("-a").arg(&made.device), "util-linux");
        let mut mke2fs = Command::new("mke2fs");
        mke2fs.args(["-q", "-F", "-t", "ext4", "-L", &made.label, "-U", &made.uuid, "-d"]);
        run(mke2fs.arg(disk.dir().join("disk")).arg(made.part(part)), "e2fsprogs");
        made
    }

    fn part(&self, number: usize) -> PathBuf {
        format!("{}p{number}", self.device.display()).into()
    }

    /// What util-linux takes for the PARTUUID.
    fn partuuid(&self, number: usize) -> String {
        let number = number.to_string();
        run(
            Command::new("partx").args(["-g", "-r", "-o", "UUID", "-n", &number]).arg(&self.device),
            "util-linux",
        )
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        for (program, option) in [("partx", "-d"), ("losetup", "-d")] {
            let _ = Command::new(program).arg(option).arg(&self.device).output();
        }
    }
}

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
        "cat usr/marker etc/default var/data; echo; grep -E ' /(sysroot|sys|dev) ' /proc/mounts",
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
