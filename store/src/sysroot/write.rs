//! Making a list of deployments the one that boots.
//!
//! | step | durable after it |
//! |---|---|
//! | refuse what cannot be done: a lost booted deployment, a loader that is not just entries | nothing changed |
//! | sync, and the journal of `/boot`'s file system emptied | the list in use, also for a loader that replays no journal |
//! | refs `ostree/N/M/i` for the new list are written | with the plan's first sync; until then the old list's refs stand |
//! | the plan of `rootling_boot::plan` is applied, with the files and the state of a managed [`loader`](super::loader) | its exchange: the new list boots |
//! | refs of other versions are removed, the time of `ostree/deploy` is set | unimportant: the next clean-up does it again |

use super::loader::{Armed, Try, leads_to_list};
use super::{Deployment, Locked, Sysroot, apply, kernel};
use crate::error::{Error, Result};
use nix::sys::statfs::statfs;
use rootling_boot::loader::tried_entry;
use rootling_boot::menu::{Item, Options};
use rootling_boot::plan::{self, BootVersion};
use rootling_object::{RefName, Refspec};
use std::fs::{File, FileTimes};
use std::path::Path;
use std::time::SystemTime;

/// What writing a list did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The loader's entries were written anew, not only the links behind them.
    pub is_swap: bool,
    /// Nothing had to change.
    pub is_same: bool,
}

/// `MSDOS_SUPER_MAGIC` of `linux/magic.h`: no symlinks.
const VFAT: i128 = 0x4d44;
/// `XFS_SUPER_MAGIC`: a sync leaves changes in its log, where GRUB does not look.
const XFS: i128 = 0x5846_5342;

impl Locked {
    /// Makes `new` the list, the default first, and reads the disk again.
    pub(super) fn write(&mut self, new: &[Deployment]) -> Result<Written> {
        self.write_list(new, Try::Keep)
    }

    /// As [`write`](Locked::write), and says what becomes of a trial.
    pub(super) fn write_list(&mut self, new: &[Deployment], what: Try) -> Result<Written> {
        if let Some(booted) = self.booted()
            && !new.iter().any(|d| d.is(booted))
        {
            return Err(Error::refused(format_args!(
                "deployment {} is booted and has to stay",
                booted.name()
            )));
        }
        refuse_other_loaders(self)?;
        self.check_way_back(new, what)?;
        let new = &self.with_way_back(new, what);
        let family = self.loader.as_ref().map(|loader| loader.family().clone());
        if let Some(family) = &family
            && let Some(written) = family.write(self, new, what)?
        {
            return Ok(written);
        }
        let unused_sub = self.sub_version(plan::other(self.version.boot))?;
        let (old, items) = (self.marked_items(&self.deployments, Try::Keep)?, self.marked_items(new, what)?);
        let mut plan = plan::plan(self.version, unused_sub, &old, &items, &self.menu_options()?);
        if plan.steps.is_empty() && what == Try::Keep {
            return Ok(Written { is_swap: false, is_same: true });
        }
        if !plan.is_swap && self.loader.is_some() {
            // the files of a loader change with its link only
            let boot = plan::other(self.version.boot);
            let after = BootVersion { boot, sub: plan::other(unused_sub.unwrap_or(0)) };
            plan = plan::swap(after, &items, &self.menu_options()?);
        }
        let (after, is_swap) = (plan.after, plan.is_swap);
        let change = self.change(plan, new, what)?;
        // a killed run, or another program, may have left the loader a sight of what is now taken away
        apply::sync(&self.path)?;
        write_refs(self, after, new)?;
        self.apply(&change)?;
        touch(&self.path.join("ostree/deploy"))?;
        self.reload()?;
        family.map_or(Ok(false), |family| family.settle(self))?;
        self.remove_other_refs()?;
        Ok(Written { is_swap, is_same: false })
    }

    /// The list with the deployment that a failed trial falls back to in second place, where loaders look for it.
    fn with_way_back(&self, new: &[Deployment], what: Try) -> Vec<Deployment> {
        let mut list = new.to_vec();
        if let (Try::Arm { .. }, Some(first)) = (what, new.first()) {
            let back = self.booted().or_else(|| self.deployments.iter().find(|d| !d.is(first)));
            if let Some(at) = back.and_then(|back| list.iter().position(|d| d.is(back))).filter(|at| *at > 1)
            {
                let back = list.remove(at);
                list.insert(1, back);
            }
        }
        list
    }

    /// Removes the refs of bootversions that are not in use, and makes those of the list right.
    pub(super) fn remove_other_refs(&self) -> Result<()> {
        write_refs(self, self.version, &self.deployments)?;
        for (refspec, _) in self.repo().list_refs()? {
            let pinned = (refspec.remote.is_none()).then(|| parse_ref(refspec.name.as_str())).flatten();
            if let Some((boot, sub, index)) = pinned
                && ((boot, sub) != (self.version.boot, self.version.sub) || index >= self.deployments.len())
            {
                self.repo().write_ref(&refspec, None)?;
            }
        }
        Ok(())
    }
}

impl Sysroot {
    /// The deployments as items of a boot menu.
    pub(super) fn items(&self, deployments: &[Deployment]) -> Result<Vec<Item>> {
        deployments.iter().map(|d| self.item(d)).collect()
    }

    /// The same, with what is on trial marked where the loader needs that in its entry.
    fn marked_items(&self, list: &[Deployment], what: Try) -> Result<Vec<Item>> {
        let mut items = self.items(list)?;
        if self.loader.as_ref().is_some_and(|loader| loader.family().marks_entries())
            && let Some(first) = items.first_mut()
        {
            let is_tried = match what {
                Try::Arm { .. } => true,
                Try::Keep => {
                    Armed::read(&self.path)?.is_some_and(|armed| armed.id.as_str() == first.deployment)
                }
                Try::Confirm | Try::FallBack => false,
            };
            if is_tried {
                first.entry = tried_entry(&first.entry);
            }
        }
        Ok(items)
    }

    fn item(&self, deployment: &Deployment) -> Result<Item> {
        let tree = self.deployment_path(deployment);
        // an object that went missing must not stand in the way of a way back: the version only is for the title
        let commit = self.repo().load_commit(&deployment.checksum).ok();
        Ok(Item {
            stateroot: deployment.stateroot.clone(),
            deployment: deployment.name(),
            bootcsum: deployment.bootcsum,
            version: commit.and_then(|c| c.version().map(str::to_string)),
            os_title: kernel::os_title(&tree)?,
            kernel: kernel::find(&tree)?,
            entry: deployment.entry.clone(),
            entry_name: deployment.entry_name.clone(),
        })
    }

    pub(super) fn menu_options(&self) -> Result<Options> {
        let config = self.repo().config();
        let bad = |error| Error::corrupt(self.repo().path().join("config").display())(error);
        let tries = config.u64("sysroot", "boot-counting-tries").map_err(bad)?;
        Ok(Options {
            naming: self.naming,
            bootprefix: config.bool("sysroot", "bootprefix").map_err(bad)?.unwrap_or(false),
            tries: tries.filter(|t| *t > 0).map(|t| u32::try_from(t).unwrap_or(u32::MAX)),
        })
    }
}

impl Sysroot {
    /// Whether a list can be written here: an error names what stands in the way.
    pub fn check_writable(&self) -> Result<()> {
        refuse_other_loaders(self)
    }
}

/// Names what would not survive a swap: files of other loaders beside the entries, and `/boot` without symlinks.
fn refuse_other_loaders(sysroot: &Sysroot) -> Result<()> {
    let refuse = |what: String| Err(Error::unsupported(what));
    match sysroot.repo().config().get("sysroot", "bootloader") {
        None | Some("auto" | "none") => {}
        Some(other) => {
            return refuse(format!(
                "boot loader configuration of {other:?} (repo config sysroot.bootloader)"
            ));
        }
    }
    let boot = sysroot.path.join("boot");
    let family = sysroot.loader.as_ref().map(|loader| loader.family());
    let ours = family.map_or(&[][..], |family| family.own_files());
    let generated = [
        "syslinux/syslinux.cfg",
        "uEnv.txt",
        "grub2/grub.cfg",
        "extlinux/extlinux.conf",
        "loader/grub.cfg",
        "loader/uEnv.txt",
        "loader/extlinux.conf",
    ];
    for generated in generated.into_iter().filter(|name| !ours.contains(name)) {
        let path = boot.join(generated);
        if leads_to_list(&path) || (generated.starts_with("loader/") && path.exists()) {
            return refuse(format!(
                "boot loader configuration that goes with the list ({}), its loader not managed",
                path.display()
            ));
        }
    }
    let kind = statfs(&boot)
        .map_err(|errno| Error::io("ask for the type of", &boot)(errno.into()))?
        .filesystem_type();
    // the type of the number differs from libc to libc
    match i128::from(kind.0) {
        VFAT if family.and_then(|family| family.partition()).is_none() => {
            refuse(format!("{} on vfat, which has no symlinks", boot.display()))
        }
        XFS => refuse(format!("{} on XFS, whose log a boot loader does not read", boot.display())),
        _ => Ok(()),
    }
}

fn ref_name(version: BootVersion, index: usize) -> String {
    format!("ostree/{}/{}/{index}", version.boot, version.sub)
}

fn parse_ref(name: &str) -> Option<(u8, u8, usize)> {
    let mut parts = name.strip_prefix("ostree/")?.split('/');
    let (boot, sub, index) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(())?;
    Some((boot.parse().ok()?, sub.parse().ok()?, index.parse().ok()?))
}

/// Pins the commits of a list, so that no prune takes them.
pub(super) fn write_refs(sysroot: &Sysroot, version: BootVersion, list: &[Deployment]) -> Result<()> {
    for (index, deployment) in list.iter().enumerate() {
        let name = ref_name(version, index);
        let name = RefName::parse(&name).map_err(Error::corrupt(&name))?;
        let refspec = Refspec { remote: None, name };
        if sysroot.repo().read_ref(&refspec)? != Some(deployment.checksum) {
            sysroot.repo().write_ref(&refspec, Some(&deployment.checksum))?;
        }
    }
    Ok(())
}

/// Others watch this time to learn of a change.
fn touch(path: &Path) -> Result<()> {
    let now = FileTimes::new().set_modified(SystemTime::now());
    File::open(path).and_then(|dir| dir.set_times(now)).map_err(Error::io("set time of", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_refs() {
        let name = ref_name(BootVersion { boot: 1, sub: 0 }, 12);
        assert_eq!(name, "ostree/1/0/12");
        assert_eq!(parse_ref(&name), Some((1, 0, 12)));
        for other in ["ostree/1/0", "ostree/1/0/x", "ostree/1/0/1/2", "os/main", "ostree/main"] {
            assert_eq!(parse_ref(other), None, "{other}");
        }
    }
}
