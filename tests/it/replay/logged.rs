//! Disks that are mounted so that each write below them is logged, in one order for all of them.
//!
//! ```text
//! mount -> loop device -> FUSE export -> blklogwrites -> the disk in a file
//!                                             | its log, an entry for each write and flush
//!                                        a place in one file: FUSE export -> blklogwrites -> that file
//!                                                                                | the order of all entries
//! ```
//! A log says nothing of what another disk did before; so the logs are places of one file whose own writes are logged
//! too. Loop devices and daemons are taken down when their guards are dropped, also by a test that fails.

use super::disk::{Layout, Mounted, PATIENCE, mount};
use crate::common::run;
use rootling_tests::writes::image::Image;
use rootling_tests::writes::log::{self, Entry};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

/// Bytes of the file of logs for each of them; more than any has.
const PLACE: u64 = 1 << 30;

/// A device whose writes are logged, mounted.
pub struct Logged {
    base: Image,
    count: u64,
    // in the order in which they go
    mounted: Vec<Mounted>,
    devices: Vec<Device>,
    disks: Daemon,
    logs: Daemon,
    dir: TempDir,
}

impl Logged {
    /// Mounts what a layout has with these options besides its own.
    pub fn mount(layout: &Layout, base: &Image, folder: &Path, options: &str) -> Logged {
        let dir = tempfile::tempdir_in(folder).unwrap();
        let path = |name: &str| dir.path().join(name);
        layout.save(base, dir.path());
        let files = layout.files(dir.path());
        let logs = File::create(path("logs")).unwrap();
        logs.set_len(PLACE * files.len() as u64).unwrap();
        fs::write(path("order"), "").unwrap();
        let logs = Daemon::start(
            &[
                format!("driver=file,filename={},node-name=file", path("logs").display()),
                "driver=raw,file=file,node-name=raw".into(),
                format!("driver=file,filename={},node-name=order", path("order").display()),
                logged("logged", "raw", "order"),
            ],
            &[("logged", path("logs-export"), PLACE * files.len() as u64)],
        );
        let (mut nodes, mut exports) = (Vec::new(), Vec::new());
        for (at, file) in files.iter().enumerate() {
            let log = path("logs-export");
            nodes.push(format!("driver=file,filename={},node-name=file{at}", file.display()));
            nodes.push(format!("driver=raw,file=file{at},node-name=disk{at}"));
            // a node for each place: two users of one node may not both want to grow it
            nodes.push(format!("driver=file,filename={},locking=off,node-name=logs{at}", log.display()));
            let offset = PLACE * at as u64;
            nodes.push(format!("driver=raw,file=logs{at},offset={offset},size={PLACE},node-name=log{at}"));
            nodes.push(logged(&format!("logged{at}"), &format!("disk{at}"), &format!("log{at}")));
            exports.push((
                format!("logged{at}"),
                path(&format!("export{at}")),
                fs::metadata(file).unwrap().len(),
            ));
        }
        let exports: Vec<_> =
            exports.iter().map(|(node, path, size)| (node.as_str(), path.clone(), *size)).collect();
        let disks = Daemon::start(&nodes, &exports);
        let (mut devices, mut mounted) = (Vec::new(), Vec::new());
        for ((_, export, _), place) in exports.iter().zip(["", "boot"]) {
            let shown = run(Command::new("losetup").args(["-f", "--show"]).arg(export));
            let device = Device(shown.trim().to_owned());
            let at = path("sysroot").join(place);
            mounted
                .insert(0, mount(Path::new(&device.0), &at, &layout.kind.device_options(options)).unwrap());
            devices.push(device);
        }
        let (base, count) = (base.clone(), files.len() as u64);
        Logged { base, count, mounted, devices, disks, logs, dir }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("sysroot")
    }

    /// The disks before, and what was written to them so far: here the power goes.
    pub fn cut(self) -> (Image, Vec<Entry>) {
        let path = self.dir.path().join("order");
        let length = fs::metadata(&path).unwrap().len() as usize;
        // what is under way is written to its end, and what an unmount writes is not counted
        drop((self.mounted, self.devices));
        drop(self.disks);
        drop(self.logs);
        let order = fs::read(path).unwrap();
        let cut = log::records(&order[..length]).len();
        let order: Vec<_> = log::records(&order).into_iter().map(|(_, entry)| entry).collect();
        let file = File::open(self.dir.path().join("logs")).unwrap();
        let logs: Vec<_> = (0..self.count)
            .map(|disk| {
                let here = order.iter().filter(|entry| entry.offset / PLACE == disk);
                let end = here.map(|entry| entry.offset % PLACE + entry.data.len() as u64).max().unwrap_or(0);
                let mut bytes = vec![0; end as usize];
                file.read_exact_at(&mut bytes, disk * PLACE).unwrap();
                log::records(&bytes)
            })
            .collect();
        (self.base, log::merge(&order, cut, PLACE, &logs))
    }
}

/// A node that writes down what passes through it.
fn logged(name: &str, disk: &str, log: &str) -> String {
    format!(
        "driver=blklogwrites,file={disk},log={log},log-append=false,log-super-update-interval=1,node-name={name}"
    )
}

struct Device(String);

impl Drop for Device {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.0]).output();
    }
}

/// `qemu-storage-daemon` with these nodes, some of them shown as files.
struct Daemon {
    child: Child,
    exports: Vec<PathBuf>,
}

impl Daemon {
    /// Of each export the node, where it is shown, and its size in bytes.
    fn start(nodes: &[String], exports: &[(&str, PathBuf, u64)]) -> Daemon {
        let mut command = Command::new("qemu-storage-daemon");
        for node in nodes {
            command.args(["--blockdev", node]);
        }
        for (node, path, _) in exports {
            fs::write(path, "").unwrap();
            let export = format!(
                "type=fuse,id={node}-export,node-name={node},mountpoint={},writable=on",
                path.display()
            );
            command.args(["--export", &export]);
        }
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let mut daemon = Daemon { child, exports: exports.iter().map(|(_, path, _)| path.clone()).collect() };
        let start = Instant::now();
        for (_, path, size) in exports {
            while fs::metadata(path).map_or(0, |file| file.len()) != *size {
                let ended = daemon.child.try_wait().unwrap();
                assert!(
                    ended.is_none(),
                    "qemu-storage-daemon: {ended:?}, with a FUSE export of {}",
                    path.display()
                );
                assert!(start.elapsed() < PATIENCE, "qemu-storage-daemon shows no {}", path.display());
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        }
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).output();
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < PATIENCE {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // of a daemon that did not go by itself the mounts are left
        for export in &self.exports {
            let _ = Command::new("umount").arg("-l").arg(export).output();
        }
    }
}
