//! File systems in files: made, checked, mounted.
//!
//! A mount is taken down when its guard is dropped, also by a test that fails.

use crate::common::run;
use rootling_tests::held;
use rootling_tests::writes::image::Image;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a daemon or a mount may take to come or to go.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A kind of file system that GRUB reads.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    size_mib: u64,
    /// Program and arguments; the file comes last.
    make: &'static [&'static str],
    /// Checks, repairs nothing; the file comes last.
    check: &'static [&'static str],
    /// Options of a mount.
    options: &'static str,
    /// The option by which its writes are not followed by flushes.
    pub without_flush: &'static str,
    /// Two disks with one identity cannot be mounted at the same time.
    pub one_at_a_time: bool,
    pub u_boot_reads: bool,
    /// GRUB takes the newest copy of the superblock, the kernel the first.
    pub several_superblocks: bool,
}

pub const EXT4: Kind = Kind {
    name: "ext4",
    size_mib: 64,
    // what GRUB 2.06 and U-Boot read, and all of it written now
    make: &[
        "mkfs.ext4",
        "-qF",
        "-O^metadata_csum_seed,^orphan_file",
        "-Elazy_itable_init=0,lazy_journal_init=0",
    ],
    check: &["e2fsck", "-fn"],
    options: "loop",
    without_flush: "nobarrier",
    one_at_a_time: false,
    u_boot_reads: true,
    several_superblocks: false,
};

pub const BTRFS: Kind = Kind {
    name: "btrfs",
    size_mib: 128,
    make: &["mkfs.btrfs", "-qf"],
    check: &["btrfs", "check", "--readonly"],
    options: "loop",
    without_flush: "nobarrier",
    one_at_a_time: true,
    u_boot_reads: true,
    several_superblocks: true,
};

pub const F2FS: Kind = Kind {
    name: "f2fs",
    size_mib: 128,
    make: &["mkfs.f2fs", "-q", "-f"],
    check: &["fsck.f2fs", "--dry-run"],
    options: "loop",
    without_flush: "nobarrier",
    one_at_a_time: false,
    u_boot_reads: false,
    several_superblocks: false,
};

/// Names what is missing here for a replay; root and two devices cannot be installed.
pub fn need() {
    assert_eq!(
        run(Command::new("id").arg("-u")).trim(),
        "0",
        "the replay of power cuts mounts disks: run it as root"
    );
    for (device, module) in [("/dev/fuse", "fuse"), ("/dev/loop-control", "loop")] {
        let why = format!(
            "{device} is missing; the replay of power cuts needs it (modprobe {module}, or --device {device})"
        );
        assert!(Path::new(device).exists(), "{why}");
    }
    for (program, package) in [
        ("qemu-storage-daemon", "qemu-utils or qemu-system-common"),
        ("grub-fstest", "grub-common"),
        ("grub-editenv", "grub-common"),
        ("mkfs.ext4", "e2fsprogs"),
        ("mkenvimage", "u-boot-tools"),
        ("fw_setenv", "libubootenv-tool"),
        ("strace", "strace"),
    ] {
        let there =
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(there.is_ok(), "{program} is missing: apt-get install {package}");
    }
}

impl Kind {
    /// Whether this kernel mounts it.
    pub fn is_known(&self) -> bool {
        let known = fs::read_to_string("/proc/filesystems").unwrap();
        known.lines().any(|line| line.split_whitespace().last() == Some(self.name))
    }

    /// An empty file system in a new file.
    fn make(&self, path: &Path) {
        fs::File::create(path).and_then(|file| file.set_len(self.size_mib << 20)).unwrap();
        run(Command::new(self.make[0]).args(&self.make[1..]).arg(path));
    }

    /// What its checker finds wrong on a disk that was mounted and unmounted again.
    fn check(&self, path: &Path) -> Result<(), String> {
        let output = Command::new(self.check[0]).args(&self.check[1..]).arg(path).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        // f2fs says it in words only
        match output.status.success() && !text.contains("[FIX]") {
            true => Ok(()),
            false => Err(format!("{:?} {}: {}\n{text}", self.check, path.display(), output.status)),
        }
    }

    /// Mounts the disk in a file; the journal is replayed.
    fn mount(&self, path: &Path, at: &Path) -> Result<Mounted, String> {
        let mut mounted = mount(path, at, self.options)?;
        mounted.file = Some(path.to_owned());
        Ok(mounted)
    }

    /// Options of a mount of a device.
    pub fn device_options(&self, more: &str) -> String {
        let options: Vec<_> = self
            .options
            .split(',')
            .filter(|o| *o != "loop")
            .chain([more])
            .filter(|o| !o.is_empty())
            .collect();
        if options.is_empty() { "rw".into() } else { options.join(",") }
    }
}

/// A device's disks: one for all, or one for `/boot` beside it.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    pub kind: &'static Kind,
    pub own_boot: bool,
}

impl Layout {
    pub fn name(&self) -> String {
        format!("{}{}", self.kind.name, if self.own_boot { ", /boot of its own" } else { "" })
    }

    /// The files of its disks in a folder, that of `/boot` last.
    pub fn files(&self, folder: &Path) -> Vec<PathBuf> {
        ["disk", "boot-disk"]
            .iter()
            .take(1 + usize::from(self.own_boot))
            .map(|name| folder.join(name))
            .collect()
    }

    /// Empty file systems; the mount point of `/boot` is made with them.
    pub fn make(&self, folder: &Path) {
        self.files(folder).iter().for_each(|file| self.kind.make(file));
        if self.own_boot {
            let at = folder.join("empty");
            let _mounted = self.kind.mount(&self.files(folder)[0], &at).unwrap();
            fs::create_dir(at.join("boot")).unwrap();
        }
    }

    pub fn save(&self, image: &Image, folder: &Path) {
        for (disk, file) in (0..).zip(self.files(folder)) {
            image.save_one(disk, self.kind.size_mib << 20, &file);
        }
    }

    pub fn read(&self, folder: &Path) -> Image {
        let disks: Vec<_> = self.files(folder).iter().map(|file| Image::read(file)).collect();
        Image::join(&disks)
    }

    /// Mounts all of them as the device does; what is mounted last goes first.
    pub fn mount(&self, folder: &Path, at: &Path) -> Result<Vec<Mounted>, String> {
        let mut mounted = Vec::new();
        for (file, place) in self.files(folder).iter().zip(["", "boot"]) {
            mounted.insert(0, self.kind.mount(file, &at.join(place))?);
        }
        Ok(mounted)
    }

    /// The disk that a loader reads, and what its path of `/boot` is there.
    pub fn boot_disk(&self, folder: &Path) -> (PathBuf, &'static str) {
        (self.files(folder).pop().unwrap(), if self.own_boot { "" } else { "/boot" })
    }

    pub fn check(&self, folder: &Path) -> Result<(), String> {
        self.files(folder).iter().try_for_each(|file| self.kind.check(file))
    }
}

/// A mount that goes with its guard.
pub struct Mounted {
    at: PathBuf,
    /// The disk behind a loop device that goes with the mount.
    file: Option<PathBuf>,
}

pub fn mount(source: &Path, at: &Path, options: &str) -> Result<Mounted, String> {
    fs::create_dir_all(at).unwrap();
    let output = Command::new("mount").args(["-o", options]).args([source, at]).output().unwrap();
    match output.status.success() {
        true => Ok(Mounted { at: at.to_owned(), file: None }),
        false => Err(format!("mount -o {options}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// Whether [`mount`] failed over a device or a place that something else holds.
pub fn is_held(error: &str) -> bool {
    error.starts_with("mount -o") && held::is_held(error)
}

#[test]
fn what_is_wrong_with_a_disk_is_not_held() {
    for (error, held) in [
        ("mount -o loop: mount: /m: failed to setup loop device for disk.", true),
        ("mount -o loop: mount: /m: /dev/loop1 already mounted or mount point busy.", true),
        ("mount -o loop: mount: /m: mount(2) system call failed: File exists.", true),
        ("mount -o loop: mount: /m: wrong fs type, bad option, bad superblock on /dev/loop1", false),
        ("mount -o loop: mount: /m: mount(2) system call failed: Structure needs cleaning.", false),
        ("mount -o loop: mount: /m: can't read superblock on /dev/loop1.", false),
        ("the loader's choice x: No such file or directory, device busy", false),
        ("uboot.env: 8192 bytes, checksum [1]", false),
    ] {
        assert_eq!(is_held(error), held, "{error}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let start = Instant::now();
        // a child that another thread starts holds all open files for a moment, between fork and exec
        while !Command::new("umount").arg(&self.at).output().is_ok_and(|output| output.status.success()) {
            if start.elapsed() > PATIENCE {
                let _ = Command::new("umount").arg("-l").arg(&self.at).output();
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // another program's mount namespace may hold a copy: only without its device the disk is at rest
        let busy = |file: &PathBuf| {
            let used = Command::new("losetup").arg("-j").arg(file).output();
            used.is_ok_and(|output| !output.stdout.is_empty())
        };
        while self.file.as_ref().is_some_and(busy) && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
