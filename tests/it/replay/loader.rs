//! What a boot loader would do with a disk as it lies there, its journal not replayed.
//!
//! The bytes come from GRUB's own readers of file systems (`grub-fstest`); what GRUB's configuration and U-Boot's
//! `altbootcmd` make of them is worked out here, by none of our crates' code.

use rootling_object::Hasher;
use rootling_tests::uboot::{Next, next_boot, vars};
use std::path::Path;
use std::process::Command;

/// The two loaders: one block in place, and a file that is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loader {
    Grub,
    UBoot,
}

/// The entry that boots.
#[derive(Debug)]
pub struct Choice {
    /// Its kernel arguments.
    pub options: String,
    /// The tries are counted: what does not prove itself is left again.
    pub counted: bool,
    /// While it is tried: the kernel arguments of what boots when it does not prove itself.
    pub fallback: Option<String>,
}

/// What a loader loads for an entry.
struct Entry {
    kernel: String,
    initrd: String,
    options: String,
}

/// Follows the loader on the disk in a file to a kernel whose bytes are right, and while that is tried to the one that it would fall
/// back to; `boot` is the path of `/boot` on it.
pub fn choose(loader: Loader, disk: &Path, boot: &str) -> Result<Choice, String> {
    let (first, counted, second) = match loader {
        Loader::Grub => grub(disk, boot)?,
        Loader::UBoot => uboot(disk, boot)?,
    };
    check(disk, &first)?;
    if let Some(second) = &second {
        check(disk, second).map_err(|why| format!("what it would fall back to: {why}"))?;
    }
    Ok(Choice { options: first.options, counted, fallback: second.map(|entry| entry.options) })
}

/// Whether kernel and initramfs have the checksum that the link names.
fn check(disk: &Path, entry: &Entry) -> Result<(), String> {
    let Entry { kernel, initrd, options } = entry;
    let mut hasher = Hasher::new();
    for path in [kernel, initrd] {
        hasher.update(&read(disk, path)?);
    }
    let link = options.split(' ').find_map(|word| word.strip_prefix("ostree="));
    let bootcsum = link.and_then(|link| link.split('/').nth(4)).ok_or("no ostree= argument")?;
    let got = hasher.finish().to_string();
    match got == bootcsum {
        true => Ok(()),
        false => Err(format!("{kernel}, {initrd}: expected {bootcsum}, got {got}")),
    }
}

fn read(disk: &Path, path: &str) -> Result<Vec<u8>, String> {
    let output =
        Command::new("grub-fstest").arg(disk).args(["cat", &format!("(loop0){path}")]).output().unwrap();
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("GRUB cannot read {path}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn text(disk: &Path, path: &str) -> Result<String, String> {
    String::from_utf8(read(disk, path)?).map_err(|_| format!("{path} is no text"))
}

fn grub(disk: &Path, boot: &str) -> Result<(Entry, bool, Option<Entry>), String> {
    let config = text(disk, &format!("{boot}/grub/grub.cfg"))?;
    if !config.contains("source ${prefix}/../loader/grub.cfg\n") || !config.ends_with("custom.cfg\nfi\n") {
        return Err(format!("grub.cfg is not whole: {config:?}"));
    }
    let env = text(disk, &format!("{boot}/grub/grubenv"))?;
    if env.len() != 1024 || !env.starts_with("# GRUB Environment Block\n") {
        return Err(format!("grubenv: {} bytes, {:?}", env.len(), env.get(..40)));
    }
    let menu = text(disk, &format!("{boot}/loader/grub.cfg"))?;
    let tried = env.lines().find_map(|line| line.strip_prefix("rootling_try=")).unwrap_or_default();
    let trial = menu.lines().find_map(|line| line.strip_prefix("set rootling_trial="));
    let left = trial.map(|trial| tried.strip_prefix(trial).and_then(|t| t.strip_prefix(':')));
    let entry = |place| grub_entry(&menu, place);
    Ok(match left {
        None | Some(Some("good")) => (entry(0)?, false, None),
        // the rungs of the ladder
        Some(Some("1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9")) => (entry(0)?, true, Some(entry(1)?)),
        Some(_) => (entry(1)?, false, None),
    })
}

fn grub_entry(menu: &str, place: usize) -> Result<Entry, String> {
    let entry =
        menu.split("\nmenuentry ").nth(place + 1).ok_or_else(|| format!("no entry {place} in {menu:?}"))?;
    let value = |key: &str| {
        let line = entry.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.ok_or_else(|| format!("no{key} in {entry:?}"))
    };
    if !entry.contains("\n}") {
        return Err(format!("the menu ends early: {menu:?}"));
    }
    let (kernel, options) = value("  linux")?.split_once(' ').ok_or("a kernel without arguments")?;
    Ok(Entry { kernel: kernel.into(), initrd: value("  initrd")?.into(), options: options.into() })
}

fn uboot(disk: &Path, boot: &str) -> Result<(Entry, bool, Option<Entry>), String> {
    let env = read(disk, &format!("{boot}/uboot.env"))?;
    let vars = vars(&env, 0x2000).map_err(|why| format!("uboot.env: {why}"))?;
    let uenv = text(disk, &format!("{boot}/uEnv.txt"))?;
    let entry = |suffix: &str| {
        let value = |key: &str| {
            let start = format!("{key}{suffix}=");
            let value = uenv.lines().find_map(|line| line.strip_prefix(&start));
            value.map(String::from).ok_or_else(|| format!("no {start} in {uenv:?}"))
        };
        Ok::<_, String>(Entry {
            kernel: value("kernel_image")?,
            initrd: value("ramdisk_image")?,
            options: value("bootargs")?,
        })
    };
    Ok(match next_boot(&vars)? {
        Next::Uncounted => (entry("")?, false, None),
        Next::Try => (entry("")?, true, Some(entry("2")?)),
        Next::Spent => (entry("2")?, true, None),
    })
}
