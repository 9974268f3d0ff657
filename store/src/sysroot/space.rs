//! How much space a deployment takes, and whether it is there; asked before anything is written.
//!
//! Counted are new blocks: one and more for each directory, a copy of `/etc`, the edited files of the old `/etc`,
//! and the boot files where `/boot` is another file system. Hard links take none.

use super::Sysroot;
use super::etc::Change;
use crate::error::{Error, Result};
use crate::repo::{Repo, space::available};
use crate::walk::{self, Entry};
use nix::unistd::{AccessFlags, access};
use rootling_boot::KernelFiles;
use rootling_boot::kernel::{MODULES, VMLINUZ, choose_version};
use rootling_object::{Checksum, Commit, ObjectKind, ObjectName};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Added to each need for what is not counted: links, entries, the origin file.
const MARGIN: u64 = 1 << 20;
const BLOCK: u64 = 4096;

/// Refuses a deployment that would not fit, on the file system of the sysroot or of `/boot`, or where that is read-only.
pub(super) fn check(sysroot: &Sysroot, commit: &Commit, edited: &Path, changes: &[Change]) -> Result<()> {
    let edits =
        changes.iter().map(|c| fs::symlink_metadata(edited.join(&c.path)).map_or(0, |m| blocks(m.len())));
    let tree = tree_size(sysroot.repo(), commit)?.saturating_add(edits.sum());
    require(&sysroot.path.join("ostree"), tree, sysroot.repo().min_free_space()?)?;
    let family = sysroot.loader.as_ref().map(|loader| loader.family());
    if let Some(family) = family {
        family.check_space(sysroot, commit)?;
    }
    let place = family.and_then(|family| family.partition()).unwrap_or("boot");
    let esp = family.and_then(|family| family.esp());
    for (place, folder) in [(place, "ostree")].into_iter().chain(esp) {
        let boot = sysroot.path.join(place);
        access(&boot, AccessFlags::W_OK).map_err(|errno| Error::io("write to", &boot)(errno.into()))?;
        if !same_file_system(&boot, &sysroot.path.join("ostree/repo"))? {
            let files = boot_files(sysroot.repo(), commit)?;
            if !is_installed(&boot.join(folder), &files)? {
                require(&boot, files.iter().map(|(_, size)| blocks(*size)).sum(), 0)?;
            }
        }
    }
    Ok(())
}

/// Refuses what does not fit on a file system of which `keep` bytes have to stay free.
pub(super) fn require(path: &Path, needed: u64, keep: u64) -> Result<()> {
    let needed = needed.saturating_add(MARGIN);
    let available = available(path)?.saturating_sub(keep);
    if needed > available {
        return Err(Error::no_space(path.to_owned(), needed, available));
    }
    Ok(())
}

/// Whether two paths can be hard-linked, as far as device numbers tell.
pub(super) fn same_file_system(a: &Path, b: &Path) -> Result<bool> {
    let device = |path: &Path| fs::metadata(path).map(|m| m.dev()).map_err(Error::io("stat", path));
    Ok(device(a)? == device(b)?)
}

pub(super) fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK).saturating_mul(BLOCK)
}

fn object_size(repo: &Repo, checksum: &Checksum) -> Result<u64> {
    let path = repo.object_path(&ObjectName::new(ObjectKind::File, *checksum));
    fs::symlink_metadata(&path).map(|m| m.len()).map_err(Error::io("stat", &path))
}

/// Blocks of a checkout by hard links, and of the copy of its `/etc`.
fn tree_size(repo: &Repo, commit: &Commit) -> Result<u64> {
    let mut total = 0u64;
    walk::walk(repo, "", (&commit.root_tree, &commit.root_meta), &mut |path, entry| {
        total = total.saturating_add(match entry {
            Entry::Dir(..) if path.starts_with("/usr/etc") => 2 * BLOCK,
            Entry::Dir(..) => BLOCK,
            Entry::File(checksum) if path.starts_with("/usr/etc/") => blocks(object_size(repo, checksum)?),
            Entry::File(_) => 0,
        });
        Ok(true)
    })?;
    Ok(total)
}

/// The boot files of a commit: their names in the boot folder and their sizes in bytes.
pub(super) fn boot_files(repo: &Repo, commit: &Commit) -> Result<Vec<(String, u64)>> {
    let root = (&commit.root_tree, &commit.root_meta);
    let Some(Entry::Dir(modules, _)) = walk::find(repo, root, MODULES)? else { return Ok(Vec::new()) };
    let modules = repo.load_dirtree(&modules)?;
    let mut folders = Vec::new();
    for (name, tree, meta) in &modules.dirs {
        let folder = repo.load_dirtree(tree)?;
        if folder.file(VMLINUZ).is_some() {
            folders.push((name.as_str(), (tree, meta), folder));
        }
    }
    let Ok(version) = choose_version(folders.iter().map(|(name, ..)| *name)) else { return Ok(Vec::new()) };
    let Some((_, at, folder)) = folders.iter().find(|(name, ..)| *name == version) else {
        return Ok(Vec::new());
    };
    let names = folder.files.iter().map(|(n, _)| (n.as_str(), false));
    let kernel =
        KernelFiles::find(version, names.chain(folder.dirs.iter().map(|(n, ..)| (n.as_str(), true))));
    let mut files = Vec::new();
    for installed in kernel.installed() {
        let Some(entry) = walk::find(repo, *at, &installed.source)? else { continue };
        match entry {
            Entry::File(checksum) => files.push((installed.target, object_size(repo, &checksum)?)),
            Entry::Dir(tree, meta) => {
                walk::walk(repo, &installed.target, (&tree, &meta), &mut |path, entry| {
                    if let Entry::File(checksum) = entry {
                        files.push((path.to_owned(), object_size(repo, checksum)?));
                    }
                    Ok(true)
                })?
            }
        }
    }
    Ok(files)
}

/// Whether some boot folder has files of these names and sizes: a guess that spares a needless refusal.
fn is_installed(boot: &Path, files: &[(String, u64)]) -> Result<bool> {
    let folders = crate::fs::list(boot)?;
    let has = |folder: &Path, (name, size): &(String, u64)| {
        fs::symlink_metadata(folder.join(name)).is_ok_and(|m| m.len() == *size)
    };
    Ok(folders.iter().any(|(_, folder)| files.iter().all(|file| has(folder, file))))
}
