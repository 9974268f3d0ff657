//! What a boot loader would do with a disk as it lies there, its journal not replayed.
//!
//! The bytes come from GRUB's own readers of file systems (`grub-fstest`); what GRUB's configuration and U-Boot's
//! `altbootcmd` make of them is worked out here, by none of our crates' code.

use rootling_object::Hasher;
use rootling_tests::uboot::vars;
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
}

/// Follows the loader on the disk in a file to a kernel whose bytes are right; `boot` is the path of `/boot` on it.
pub fn choose(loader: Loader, disk: &Path, boot: &str) -> Result<Choice, String> {
    let (kernel, initrd, choice) = match loader {
        Loader::Grub => grub(disk, boot)?,
        Loader::UBoot => uboot(disk, boot)?,
    };
    let mut hasher = Hasher::new();
    for path in [&kernel, &initrd] {
        hasher.update(&read(disk, path)?);
    }
    let link = choice.options.split(' ').find_map(|word| word.strip_prefix("ostree="));
    let bootcsum = link.and_then(|link| link.split('/').nth(4)).ok_or("no ostree= argument")?;
    let got = hasher.finish().to_string();
    match got == bootcsum {
        true => Ok(choice),
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

fn grub(disk: &Path, boot: &str) -> Result<(String, String, Choice), String> {
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
    let (place, counted) =
        match trial.map(|trial| tried.strip_prefix(trial).and_then(|t| t.strip_prefix(':'))) {
            None | Some(Some("good")) => (0, false),
            Some(Some(left)) if left != "0" => (0, true),
            Some(_) => (1, false),
        };
    let entry =
        menu.split("\nmenuentry ").nth(place + 1).ok_or_else(|| format!("no entry {place} in {menu:?}"))?;
    let value = |key: &str| {
        let line = entry.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.ok_or_else(|| format!("no{key} in {entry:?}"))
    };
    if !entry.contains("\n}") {
        return Err(format!("the menu ends early: {menu:?}"));
    }
    let linux = value("  linux")?;
    let (kernel, options) = linux.split_once(' ').ok_or("a kernel without arguments")?;
    Ok((kernel.into(), value("  initrd")?.into(), Choice { options: options.into(), counted }))
}

fn uboot(disk: &Path, boot: &str) -> Result<(String, String, Choice), String> {
    let env = read(disk, &format!("{boot}/uboot.env"))?;
    let vars = vars(&env, 0x2000).map_err(|why| format!("uboot.env: {why}"))?;
    let number = |name: &str| vars.get(name).and_then(|value| value.parse::<u32>().ok()).unwrap_or(0);
    let counted = number("upgrade_available") == 1;
    let suffix = if counted && number("bootcount") > number("bootlimit") { "2" } else { "" };
    let uenv = text(disk, &format!("{boot}/uEnv.txt"))?;
    let value = |key: &str| {
        let start = format!("{key}{suffix}=");
        let value = uenv.lines().find_map(|line| line.strip_prefix(&start));
        value.map(String::from).ok_or_else(|| format!("no {start} in {uenv:?}"))
    };
    let choice = Choice { options: value("bootargs")?, counted };
    Ok((value("kernel_image")?, value("ramdisk_image")?, choice))
}
