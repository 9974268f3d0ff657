//! The hardware watchdog: resets the machine unless somebody writes to it, or a `V` lets it go.
//!
//! Opened before the checks begin, written to while they run, and stopped once what they proved is on disk. Checks that
//! failed, and a program that died, leave it running, so that the reset is the next try. One that `rootling-prepare-root`
//! started at boot is stopped as well where there was nothing to check. Not so with nowayout, which no `V` stops, nor without magic close, where
//! every end stops it: see `docs/boot.md`. Source: Linux, `Documentation/watchdog/watchdog-api.rst`.

use rootling_boot::KernelArgs;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Half of the shortest time-out that hardware has.
const EVERY: Duration = Duration::from_millis(500);

/// The device, where there is one.
#[derive(Debug)]
pub struct Watchdog {
    device: Option<File>,
    next: Instant,
}

/// Whether these arguments have `rootling-prepare-root` start one.
pub fn is_asked(args: &KernelArgs) -> bool {
    args.last("rootling.watchdog").is_some_and(|seconds| !seconds.trim_start_matches('0').is_empty())
}

/// Whether `rootling-prepare-root` was told to start one, and the kernel does not say that it runs not: to open it would start it.
pub fn is_started_at_boot(root: &Path) -> bool {
    let read = |path: &str| std::fs::read_to_string(root.join(path));
    let is_idle = read("sys/class/watchdog/watchdog0/state").is_ok_and(|state| state == "inactive\n");
    !is_idle && read("proc/cmdline").is_ok_and(|cmdline| is_asked(&KernelArgs::parse(&cmdline)))
}

impl Watchdog {
    /// Starts it; one that cannot be opened is told and done without.
    pub fn open(path: Option<&Path>) -> Watchdog {
        let device = path.and_then(|path| {
            let opened = OpenOptions::new().write(true).open(path);
            opened.inspect_err(|error| rootling_store::warn!("watchdog {}: {error}", path.display())).ok()
        });
        Watchdog { device, next: Instant::now() }
    }

    /// Keeps it from resetting the machine for a while.
    pub fn keep(&mut self) {
        if self.next <= Instant::now() {
            self.next += EVERY;
            self.write(b"\0");
        }
    }

    /// Stops it.
    pub fn let_go(mut self) {
        self.write(b"V");
    }

    fn write(&mut self, byte: &[u8]) {
        if let Some(device) = &mut self.device
            && let Err(error) = device.write_all(byte)
        {
            rootling_store::warn!("watchdog: {error}");
        }
    }
}
