//! File systems in files: made, mounted, and mounted so that each write below them is logged.
//!
//! A mount, a loop device or a daemon is taken down when its guard is dropped, also by a test that fails.

use crate::common::run;
use rootling_tests::writes::image::Image;
use rootling_tests::writes::log::{self, Entry};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a daemon may take to come or to go.
const PATIENCE: Duration = Duration::from_secs(60);

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
    pub fn make(&self, path: &Path) {
        fs::File::create(path).and_then(|file| file.set_len(self.size_mib << 20)).unwrap();
        run(Command::new(self.make[0]).args(&self.make[1..]).arg(path));
    }

    /// What its checker finds wrong on a disk that was mounted and unmounted again.
    pub fn check(&self, path: &Path) -> Result<(), String> {
        let output = Command::new(self.check[0]).args(&self.check[1..]).arg(path).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        // f2fs says it in words only
        match output.status.success() && !text.contains("[FIX]") {
            true => Ok(()),
            false => Err(format!("{:?}: {}\n{text}", self.check, output.status)),
        }
    }

    /// Mounts the disk in a file; the journal is replayed.
    pub fn mount(&self, path: &Path, at: &Path) -> Result<Mounted, String> {
        let mut mounted = mount(path, at, self.options)?;
        mounted.file = Some(path.to_owned());
        Ok(mounted)
    }
}

/// A mount that goes with its guard.
pub struct Mounted {
    at: PathBuf,
    /// The disk behind a loop device that goes with the mount.
    file: Option<PathBuf>,
}

fn mount(source: &Path, at: &Path, options: &str) -> Result<Mounted, String> {
    fs::create_dir_all(at).unwrap();
    let output = Command::new("mount").args(["-o", options]).args([source, at]).output().unwrap();
    match output.status.success() {
        true => Ok(Mounted { at: at.to_owned(), file: None }),
        false => Err(format!("mount -o {options}: {}", String::from_utf8_lossy(&output.stderr))),
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

/// A disk whose writes are logged, mounted.
///
/// `qemu-storage-daemon` shows the disk as a file (FUSE) behind its filter blklogwrites, a loop device makes that file
/// a device again.
pub struct Logged {
    pub base: Image,
    log: PathBuf,
    // in the order in which they go
    mounted: Option<Mounted>,
    _device: Device,
    _daemon: Daemon,
    dir: TempDir,
}

impl Logged {
    /// Mounts `disk` with these options besides its own.
    pub fn mount(kind: &Kind, disk: &Image, folder: &Path, options: &str) -> Logged {
        let dir = tempfile::tempdir_in(folder).unwrap();
        let path = |name: &str| dir.path().join(name);
        let (file, log) = (path("disk"), path("log"));
        disk.save(&file);
        fs::write(&log, "").unwrap();
        let daemon = Daemon::start(&file, &log, &path("export"));
        let shown = run(Command::new("losetup").args(["-f", "--show"]).arg(path("export")));
        let device = Device(shown.trim().to_owned());
        let options: Vec<_> = kind
            .options
            .split(',')
            .filter(|o| *o != "loop")
            .chain([options])
            .filter(|o| !o.is_empty())
            .collect();
        let options = if options.is_empty() { "rw".into() } else { options.join(",") };
        let mounted = mount(Path::new(&device.0), &path("sysroot"), &options).unwrap();
        Logged { base: disk.clone(), log, mounted: Some(mounted), _device: device, _daemon: daemon, dir }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("sysroot")
    }

    /// What was written so far: here the power goes.
    pub fn cut(&mut self) -> Vec<Entry> {
        let log = log::read(&fs::read(&self.log).unwrap());
        self.mounted = None;
        log
    }
}

struct Device(String);

impl Drop for Device {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.0]).output();
    }
}

struct Daemon {
    child: Child,
    export: PathBuf,
}

impl Daemon {
    fn start(disk: &Path, log: &Path, export: &Path) -> Daemon {
        fs::write(export, "").unwrap();
        let (disk, size) = (disk.display(), fs::metadata(disk).unwrap().len());
        let args = [
            "--blockdev",
            &format!("driver=file,filename={disk},node-name=file"),
            "--blockdev",
            "driver=raw,file=file,node-name=disk",
            "--blockdev",
            &format!("driver=file,filename={},node-name=log", log.display()),
            "--blockdev",
            "driver=blklogwrites,file=disk,log=log,log-append=false,log-super-update-interval=1,node-name=logged",
            "--export",
            &format!("type=fuse,id=export,node-name=logged,mountpoint={},writable=on", export.display()),
        ];
        let child = Command::new("qemu-storage-daemon").args(args).stdin(Stdio::null()).spawn().unwrap();
        let mut daemon = Daemon { child, export: export.to_owned() };
        let start = Instant::now();
        while fs::metadata(export).map_or(0, |file| file.len()) != size {
            let ended = daemon.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "qemu-storage-daemon: {ended:?}, with a FUSE export of {}",
                export.display()
            );
            assert!(start.elapsed() < PATIENCE, "qemu-storage-daemon shows no {}", export.display());
            std::thread::sleep(Duration::from_millis(2));
        }
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).output();
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // of a daemon that did not go by itself the mount is left
        let _ = Command::new("umount").arg("-l").arg(&self.export).output();
    }
}
