//! What systemd-boot would boot from a FAT partition as it lies there.
//!
//! Entries that cannot be read, or without a kernel that is there, are not on its menu. Their order is that of `rootling_boot`, which the real
//! loader proves in every virtual machine and `systemd-analyze` in that crate's tests.

use anyhow::{Context, Result, ensure};
use rootling_boot::entry::Entry;
use rootling_boot::sdboot::{CountedName, Listed, boot_order};
use rootling_object::Hasher;

use super::disk::Fat;

/// The entry that boots.
#[derive(Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its kernel arguments.
    pub options: String,
    /// Tries are counted.
    pub counted: bool,
    /// Then: the kernel arguments of what boots when they are used up.
    pub fallback: Option<String>,
}

/// Follows the loader to a kernel and initramfs whose bytes are right, and while that is tried to those that it would fall back to.
pub fn choose(disk: &Fat) -> Result<Choice> {
    let mut menu: Vec<Listed> = Vec::new();
    for file in disk.list("/loader/entries")? {
        let Some(name) = CountedName::parse(&file) else { continue };
        // one that is being removed may lie in the folder when its clusters are free already
        let Ok(text) = disk.read(&format!("/loader/entries/{file}")) else { continue };
        let entry = Entry::parse(&String::from_utf8_lossy(&text));
        if entry.get("linux").is_some_and(|kernel| disk.list(kernel).is_ok()) {
            menu.push((name, entry));
        }
    }
    menu.sort_by(boot_order);
    let (name, entry) = menu.first().context("no entry on the menu")?;
    ensure!(!name.is_bad(), "the first entry on the menu is {name}, which has no tries left");
    let options = check(disk, name, entry)?;
    let fallback = name.counter.is_some().then(|| {
        let good = menu.iter().find(|(name, _)| name.counter.is_none());
        let (name, entry) = good.context("nothing on the menu to fall back to")?;
        check(disk, name, entry).context("what it would fall back to")
    });
    Ok(Choice { options, counted: name.counter.is_some(), fallback: fallback.transpose()? })
}

/// The kernel arguments of an entry whose kernel and initramfs have the checksum that they name.
fn check(disk: &Fat, name: &CountedName, entry: &Entry) -> Result<String> {
    let mut hasher = Hasher::new();
    for path in entry.get("linux").into_iter().chain(entry.initrds()) {
        hasher.update(&disk.read(path).with_context(|| format!("of the entry {name}"))?);
    }
    let options = entry.get("options").unwrap_or_default().to_owned();
    let link = options.split(' ').find_map(|word| word.strip_prefix("ostree="));
    let expected = link.and_then(|link| link.split('/').nth(4)).context("no ostree= argument")?;
    let got = hasher.finish().to_string();
    ensure!(got == expected, "{name}: kernel and initramfs: expected {expected}, got {got}");
    Ok(options)
}
