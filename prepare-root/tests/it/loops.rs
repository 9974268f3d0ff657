//! Loop devices with partitions, which take root.

use crate::world::{Disk, is_root};
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
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
pub struct Loop {
    device: PathBuf,
    pub label: String,
    pub uuid: String,
    _alone: MutexGuard<'static, ()>,
}

impl Loop {
    /// `table` is what sfdisk takes; the file system is put on one of the partitions.
    pub fn make(disk: &Disk, sector: &str, table: &str, part: usize) -> Loop {
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

    pub fn part(&self, number: usize) -> PathBuf {
        format!("{}p{number}", self.device.display()).into()
    }

    /// What util-linux takes for the PARTUUID.
    pub fn partuuid(&self, number: usize) -> String {
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
