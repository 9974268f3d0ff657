//! Removing whatever no boot entry refers to.
//!
//! Every step removes something that nothing boots, so power may fail on any line; the next run goes on. A
//! deployment's directory is the last thing of it to go, so that what is left is found again by its name. The order
//! is: a sync, links and entries of versions not in use, directories, boot files, refs, then objects.

use super::apply::{self, DRAFT, remove_all};
use super::deployment::parse_name;
use super::loader::entries_without_links;
use super::{Deployment, Locked};
use crate::error::{Error, ErrorKind, Result};
use crate::prune::{PruneOptions, PruneStats, prune};
use rootling_boot::plan;
use rootling_object::Checksum;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What to remove besides what nothing refers to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CleanupScope<'a> {
    /// Takes this stateroot's deployments before the booted one off the list.
    pub pending_of: Option<&'a str>,
    /// Takes this stateroot's deployment to go back to off the list.
    pub rollback_of: Option<&'a str>,
    /// Leaves the objects in the repo alone.
    pub no_prune: bool,
}

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Names of deployments, `CHECKSUM.SERIAL`.
    pub deployments: Vec<String>,
    /// Names of folders of boot files.
    pub boot_dirs: Vec<String>,
    /// Objects.
    pub pruned: PruneStats,
}

impl Locked {
    /// Takes deployments off the list if asked to, then removes what is left over, objects included.
    ///
    /// Pinned deployments and the booted one stay on the list.
    pub fn cleanup(&mut self, scope: CleanupScope<'_>) -> Result<Cleaned> {
        let mut drop: Vec<Deployment> = Vec::new();
        if let Some(stateroot) = scope.pending_of {
            drop.extend(self.pending(stateroot).cloned());
        }
        if let Some(stateroot) = scope.rollback_of {
            drop.extend(self.rollback_target(stateroot).cloned());
        }
        drop.retain(|d| !d.is_pinned());
        if !drop.is_empty() {
            let keep: Vec<_> =
                self.deployments.iter().filter(|d| !drop.iter().any(|x| x.is(d))).cloned().collect();
            self.write(&keep)?;
        }
        let mut cleaned = self.clean_leftovers()?;
        if !scope.no_prune {
            let keep: Vec<Checksum> = self.deployments.iter().map(|d| d.checksum).collect();
            let options = PruneOptions { refs_only: true, depth: Some(0), keep: &keep, dry_run: false };
            cleaned.pruned = prune(self.repo(), &options)?;
        }
        Ok(cleaned)
    }

    /// Everything but objects.
    pub(super) fn clean_leftovers(&self) -> Result<Cleaned> {
        let mut cleaned = Cleaned::default();
        self.settle()?;
        // what a killed run took off the menu is off it for a loader, too
        apply::sync(&self.path)?;
        self.clean_versions()?;
        self.clean_deployments(&mut cleaned)?;
        self.clean_boot(&mut cleaned)?;
        if let Some(loader) = &self.loader {
            loader.family().clean(self)?;
        }
        self.remove_other_refs()?;
        Ok(cleaned)
    }

    fn clean_versions(&self) -> Result<()> {
        let (boot, other) = (self.version.boot, plan::other(self.version.boot));
        let unused_sub = plan::other(self.version.sub);
        for path in [
            format!("boot/loader.{other}"),
            format!("ostree/boot.{other}"),
            format!("ostree/boot.{other}.0"),
            format!("ostree/boot.{other}.1"),
            format!("ostree/boot.{other}.tmp"),
            format!("ostree/boot.{boot}.tmp"),
            format!("ostree/boot.{boot}.{unused_sub}"),
        ] {
            remove_all(&self.path.join(path))?;
        }
        for folder in ["boot", "ostree"] {
            for (name, path) in crate::fs::list(&self.path.join(folder))? {
                if name.ends_with(DRAFT) {
                    remove_all(&path)?;
                }
            }
        }
        Ok(())
    }

    fn clean_deployments(&self, cleaned: &mut Cleaned) -> Result<()> {
        for (stateroot, path) in crate::fs::list(&self.path.join("ostree/deploy"))? {
            for (name, path) in crate::fs::list(&path.join("deploy"))? {
                let tree = name.strip_suffix(".origin").unwrap_or(&name);
                let listed = self.deployments.iter().any(|d| d.stateroot == stateroot && d.name() == tree);
                if name.ends_with(DRAFT) {
                    remove_all(&path)?;
                } else if parse_name(tree).is_some() && !listed {
                    self.remove_tree(&path.with_file_name(tree))?;
                    if tree == name {
                        cleaned.deployments.push(name);
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes a deployment's origin and directory, unless it is the running root.
    pub(super) fn remove_tree(&self, tree: &Path) -> Result<()> {
        if let Ok(metadata) = fs::symlink_metadata(tree) {
            if self.is_running_root((metadata.dev(), metadata.ino())) {
                return Ok(());
            }
            let mut origin = tree.as_os_str().to_owned();
            origin.push(".origin");
            remove_all(Path::new(&origin))?;
            make_mutable(tree)?;
            return match remove_all(tree) {
                Err(error) if is_denied(&error) => {
                    // an admin's `chattr +i` somewhere in /etc
                    make_all_mutable(tree)?;
                    remove_all(tree)
                }
                done => done,
            };
        }
        let mut origin = tree.as_os_str().to_owned();
        origin.push(".origin");
        remove_all(Path::new(&origin))
    }

    fn clean_boot(&self, cleaned: &mut Cleaned) -> Result<()> {
        let partition = entries_without_links(&self.path)?.filter(|place| *place != "boot");
        let mut files = crate::fs::list(&self.path.join("boot/ostree"))?;
        if let Some(partition) = partition {
            files.extend(crate::fs::list(&self.path.join(partition).join("ostree"))?);
        }
        if let Some((esp, folder)) = self.loader.as_ref().and_then(|loader| loader.family().esp()) {
            files.extend(crate::fs::list(&self.path.join(esp).join(folder))?);
        }
        for (name, path) in files {
            let Some((_, bootcsum)) = name.rsplit_once('-') else { continue };
            let Ok(bootcsum) = Checksum::parse_hex(bootcsum) else { continue };
            if !self.deployments.iter().any(|d| d.bootcsum == bootcsum) {
                remove_all(&path)?;
                cleaned.boot_dirs.push(name);
            }
        }
        Ok(())
    }
}

fn make_mutable(path: &Path) -> Result<()> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    crate::sys::set_immutable(file.as_fd(), false).map(|_| ()).map_err(Error::io("make mutable", path))
}

fn make_all_mutable(dir: &Path) -> Result<()> {
    make_mutable(dir)?;
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let entry = entry.map_err(Error::io("list", dir))?;
        let kind = entry.file_type().map_err(Error::io("stat", entry.path()))?;
        // objects of the repo are hard links here; only /etc has files of its own, but the flag may be cleared on all
        if kind.is_dir() {
            make_all_mutable(&entry.path())?;
        } else if kind.is_file() {
            make_mutable(&entry.path())?;
        }
    }
    Ok(())
}

fn is_denied(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
}
