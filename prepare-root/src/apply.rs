//! Performing the plan, in the three places where this program runs.

use crate::cmdline::{Cmdline, Wanted};
use crate::config::{Config, PLACES};
use crate::console::tell;
use crate::device::wait_for;
use crate::error::Error;
use crate::modules;
use crate::plan::{Facts, Step, mounts, turn};
use crate::sys::{self, INERT};
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

/// Where the physical root is mounted in an initramfs.
const SYSROOT: &str = "/sysroot";
const WATCHDOG: &str = "/dev/watchdog";
const EFI: &str = "/sys/firmware/efi";
const VARIABLES: &str = "/sys/firmware/efi/efivars";
/// systemd-boot makes it in the boots that it counts; the agent's `rootling_boot::sdboot::variable`.
const BOOT_COUNT: &str = "/sys/firmware/efi/efivars/LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// As a step of another initramfs, which has loaded its modules: starts the watchdog too, and leaves it running.
pub fn step(sysroot: &str) -> Result<(), Error> {
    watch(&cmdline()?, true).unwrap_or_else(tell);
    prepare_there(sysroot)
}

/// The deployment takes the place of the mounted root.
fn prepare_there(sysroot: &str) -> Result<(), Error> {
    let sysroot = sysroot.trim_end_matches('/');
    let (facts, config) = look(sysroot, &cmdline()?)?;
    perform(&mounts(&facts, &config))?;
    perform(&turn(&facts, &config))
}

/// As PID 1; does not return where it succeeds.
pub fn start() -> Result<(), Error> {
    early_mounts()?;
    let cmdline = cmdline()?;
    let Root { in_memory, read_only } = root()?;
    let watched = watch(&cmdline, false);
    if in_memory {
        modules::load(Path::new("/"));
    }
    // its driver may be one of the modules, and so may efivarfs
    if let Err(error) = watched.or_else(|_| watch(&cmdline, true)) {
        // no reason to stay away from a root that may be good; only the console says so
        tell(error);
    }
    if in_memory {
        mount_root(&cmdline)?;
        prepare_there(SYSROOT)?;
        for name in ["dev", "proc", "sys", "run"] {
            sys::mount(&format!("/{name}"), &format!("{SYSROOT}/{name}"), "", libc::MS_MOVE, "")?;
        }
        enter(SYSROOT)?;
        if let (false, Ok(memory)) = (read_only, fs::symlink_metadata("/")) {
            empty(Path::new("/"), memory.dev());
        }
        sys::mount(".", "/", "", libc::MS_MOVE, "")?;
        sys::chroot(".")?;
    } else {
        if read_only {
            // the kernel's default; a system whose /etc and /var take nothing is still better than none
            sys::mount("", "/", "", libc::MS_REMOUNT | libc::MS_SILENT, "").unwrap_or_else(tell);
        }
        let (facts, config) = look("", &cmdline)?;
        perform(&mounts(&facts, &config))?;
        let tree = format!("/{}", facts.deployment);
        for name in ["dev", "proc", "sys", "run"] {
            sys::mount(&format!("/{name}"), &format!("{tree}/{name}"), "", libc::MS_MOVE, "")?;
        }
        enter(&tree)?;
        sys::pivot_root(".", "sysroot")?;
        if config.readonly {
            perform_one(&Step::ReadOnly("/sysroot".into()))?;
        }
    }
    enter("/")?;
    sys::exec(&cmdline.init)
}

/// The end of PID 1: the loader gets its turn.
pub fn give_up() {
    tell("rebooting");
    sys::reboot();
}

fn cmdline() -> Result<Cmdline, Error> {
    let mut text = Vec::new();
    let file = fs::File::open("/proc/cmdline");
    // device::read has the same reader, and fs::read 700 bytes of its own
    file.and_then(|file| file.take(64 << 10).read_to_end(&mut text))
        .map_err(Error::io("read /proc/cmdline"))?;
    // an argument that is no text is not one of ours
    Cmdline::parse(&String::from_utf8_lossy(&text))
}

fn enter(path: &str) -> Result<(), Error> {
    std::env::set_current_dir(path).map_err(Error::io(format!("enter {path}")))
}

/// Arms the watchdog where that is asked for and the boot is a try, or, as the `last` call, may be one.
fn watch(cmdline: &Cmdline, last: bool) -> Result<(), Error> {
    let Some(seconds) = cmdline.watchdog_s else { return Ok(()) };
    let counted = || if last { is_counted().or(Ok(true)) } else { is_counted() };
    if cmdline.is_trial || counted()? {
        let watched = sys::watchdog(WATCHDOG, seconds)?;
        if watched.seconds < seconds {
            tell(format_args!("{WATCHDOG} resets after {} s, not after {seconds} s", watched.seconds));
        }
        if watched.stops {
            // kept open by init it could be neither written to nor stopped by whoever confirms the boot
            tell(format_args!("{WATCHDOG} stops when it is closed: nothing resets this boot"));
        }
    }
    Ok(())
}

/// Whether systemd-boot counts this boot, for its arguments outlast a confirm; an error where the firmware does not say.
fn is_counted() -> Result<bool, Error> {
    let exists = |path| Path::new(path).exists();
    if exists(EFI) {
        early_mount("efivarfs", VARIABLES, EFI, INERT, "")?;
    }
    Ok(exists(BOOT_COUNT))
}

/// What the kernel does not mount by itself.
fn early_mounts() -> Result<(), Error> {
    // the options are systemd's, which leaves mounted what it finds
    for (kind, path, flags, options) in [
        ("devtmpfs", "/dev", libc::MS_NOSUID, ""),
        ("proc", "/proc", INERT, ""),
        ("sysfs", "/sys", INERT, ""),
        ("tmpfs", "/run", libc::MS_NOSUID | libc::MS_NODEV, "mode=755"),
    ] {
        // on a read-only root the folder is there or nothing can be done
        let _ = fs::create_dir(path);
        early_mount(kind, path, "/", flags, options)?;
    }
    Ok(())
}

/// Mounts on a folder of the file system of `above`; what is mounted there already stays.
fn early_mount(
    kind: &str,
    path: &str,
    above: &str,
    flags: libc::c_ulong,
    options: &str,
) -> Result<(), Error> {
    let device = |path: &str| Ok(fs::metadata(path).map_err(Error::io(format!("look at {path}")))?.dev());
    match device(path)? == device(above)? {
        true => sys::mount(kind, path, kind, flags, options),
        false => Ok(()),
    }
}

/// What the program was started on.
struct Root {
    /// An initramfs.
    in_memory: bool,
    /// Mounted so.
    read_only: bool,
}

fn root() -> Result<Root, Error> {
    let text = fs::read_to_string("/proc/self/mountinfo").map_err(Error::io("read /proc/self/mountinfo"))?;
    let root = text.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        // where it is mounted, and the first of its options; no other field is a lone slash before a letter
        let (_, options) = before.split_once(" / r")?;
        Some(Root {
            in_memory: after.starts_with("rootfs") || after.starts_with("tmpfs"),
            read_only: options.starts_with('o'),
        })
    });
    // no mount, as after a `chroot` into a folder: what is there may be anything, and stays
    Ok(root.unwrap_or(Root { in_memory: true, read_only: true }))
}

/// Removes what a folder has on its own device, and nothing that is mounted there: nobody sees an initramfs any more, and
/// its memory is only free once it is empty.
fn empty(folder: &Path, device: u64) {
    // what stays costs memory and no more
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let Ok(path) = entry.map(|entry| entry.path()) else { return };
        let _ = match fs::symlink_metadata(&path) {
            Ok(found) if found.dev() != device => Ok(()),
            Ok(found) if found.is_dir() => {
                empty(&path, device);
                fs::remove_dir(&path)
            }
            _ => fs::remove_file(&path),
        };
    }
}

fn mount_root(cmdline: &Cmdline) -> Result<(), Error> {
    let root = cmdline.root.as_deref().unwrap_or_default();
    let (device, found) = wait_for(&Wanted::parse(root)?, cmdline.wait_s)?;
    let kind = cmdline.fstype.as_deref().or(found);
    let kind = kind
        .ok_or_else(|| Error::refused(device.display().to_string(), "a known file system, or rootfstype="))?;
    fs::create_dir_all(SYSROOT).map_err(Error::io(format!("make {SYSROOT}")))?;
    sys::mount(&device.to_string_lossy(), SYSROOT, kind, cmdline.flags, &cmdline.options)
}

/// Reads what the plan depends on.
fn look(sysroot: &str, cmdline: &Cmdline) -> Result<(Facts, Config), Error> {
    let link = format!("{sysroot}/{}", cmdline.link);
    let tree = fs::canonicalize(&link).map_err(Error::io(format!("follow {link}")))?;
    let base = fs::canonicalize(format!("{sysroot}/")).map_err(Error::io(format!("follow {sysroot}/")))?;
    let deployment = tree
        .strip_prefix(&base)
        .ok()
        .and_then(Path::to_str)
        .filter(|path| path.starts_with("ostree/deploy/") && path.split('/').count() == 5);
    let deployment =
        deployment.ok_or_else(|| Error::refused(tree.display().to_string(), "a deployment of this root"))?;
    let is_dir = |name: &str| fs::symlink_metadata(tree.join(name)).is_ok_and(|found| found.is_dir());
    let facts = Facts {
        sysroot: if sysroot.is_empty() { "/".into() } else { sysroot.into() },
        deployment: deployment.into(),
        boot_in_root: fs::symlink_metadata(base.join("boot/loader")).is_ok_and(|found| found.is_symlink()),
        unlocked: is_dir(".usr-ovl-work"),
        has_etc: is_dir("etc"),
        has_boot: is_dir("boot"),
    };
    Ok((facts, configuration(&tree)?))
}

/// The first file that is there. One that cannot be read is not passed over, lest a read-only root comes up writable.
fn configuration(tree: &Path) -> Result<Config, Error> {
    for place in PLACES {
        match fs::read_to_string(tree.join(place)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            read => return Config::parse(&read.map_err(Error::io(place))?),
        }
    }
    Ok(Config::default())
}

fn perform(steps: &[Step]) -> Result<(), Error> {
    steps.iter().try_for_each(perform_one)
}

fn perform_one(step: &Step) -> Result<(), Error> {
    match step {
        Step::MakeDir(path) => fs::create_dir_all(path).map_err(Error::io(format!("make {path}"))),
        Step::Touch(path) => fs::write(path, "").map_err(Error::io(format!("write {path}"))),
        Step::Link { to, at } => symlink(to, at).map_err(Error::io(format!("make {at}"))),
        Step::Bind { from, to } => sys::mount(from, to, "", libc::MS_BIND | libc::MS_SILENT, ""),
        Step::ReadOnly(path) => {
            sys::mount("", path, "", libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY | libc::MS_SILENT, "")
        }
        // a folder that is no mount has nothing to spread
        Step::Private(path) => sys::mount("", path, "", libc::MS_PRIVATE | libc::MS_SILENT, "").or(Ok(())),
        Step::Move { from, to } => sys::mount(from, to, "", libc::MS_MOVE, ""),
        Step::Overlay { lower, upper, work, to } => {
            let [lower, upper, work] = [lower, upper, work].map(|path| escaped(path));
            let data = format!("lowerdir={lower},upperdir={upper},workdir={work}");
            sys::mount("overlay", to, "overlay", 0, &data)
        }
        Step::Tell(what) => {
            tell(what);
            Ok(())
        }
    }
}

/// As overlayfs reads a path. Source: Linux, `Documentation/filesystems/overlayfs.rst`; it takes a backslash before anything.
fn escaped(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for letter in path.chars() {
        if matches!(letter, '\\' | ',' | ':') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}
