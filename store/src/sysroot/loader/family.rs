//! What a loader does in its own way; what it says nothing about is done as with entries only.

use super::apply::apply;
use super::{Armed, Try};
use crate::error::Result;
use crate::sysroot::write::Written;
use crate::sysroot::{Deployment, Locked, Sysroot};
use rootling_boot::Entry;
use rootling_boot::loader::{Change, Promises, Step, Trial, TrialId};
use rootling_boot::plan::{BootVersion, Plan};
use rootling_object::Commit;
use std::path::{Path, PathBuf};

// no loader reads all of these two, and a build may have one loader only

/// A list of deployments as the files beside its entries need it.
#[allow(dead_code)]
pub(in crate::sysroot) struct Listed<'a> {
    pub(in crate::sysroot) sysroot: &'a Path,
    pub(in crate::sysroot) entries: Vec<Entry>,
    /// What is on trial, always the first.
    pub(in crate::sysroot) trial: Option<&'a TrialId>,
    pub(in crate::sysroot) what: Try,
    /// The first deployment's folder.
    pub(in crate::sysroot) first: Option<PathBuf>,
}

/// A change of the list, and what becomes of a trial with it.
#[allow(dead_code)]
pub(in crate::sysroot) struct Asked<'a> {
    pub(in crate::sysroot) new: &'a [Deployment],
    /// What was on trial.
    pub(in crate::sysroot) old: Option<&'a Armed>,
    /// What is on trial with the new list.
    pub(in crate::sysroot) armed: Option<&'a Armed>,
    pub(in crate::sysroot) what: Try,
}

/// One loader, or one way to use it.
pub(in crate::sysroot) trait Family: Send + Sync {
    /// What it can and cannot do on this device; one whose state cannot be read promises nothing.
    fn promises(&self, sysroot: &Path) -> Result<Promises>;

    /// What is on trial.
    fn armed(&self, sysroot: &Sysroot) -> Result<Option<Armed>> {
        Armed::read(&sysroot.path)
    }

    /// What it has counted of a trial.
    fn trial(&self, _sysroot: &Sysroot, _armed: &Armed) -> Result<Trial> {
        Ok(Trial::None)
    }

    /// Whether what it counts in is there for the system that runs: an error where it would count on, and confirm nothing.
    fn reach(&self, _sysroot: &Path) -> Result<()> {
        Ok(())
    }

    /// Whether the system that runs would be told that it is a try: an error where no deadline would begin.
    fn shows_tries(&self) -> Result<()> {
        Ok(())
    }

    /// The files that change together with the entries: names in the loader folder, and texts.
    fn files(&self, _list: &mut Listed<'_>) -> Result<Vec<(&'static str, String)>> {
        Ok(Vec::new())
    }

    /// Whether the entries themselves say what is on trial, as there is no file beside them that does.
    fn marks_entries(&self) -> bool {
        false
    }

    /// The steps that swap in a list by `plan` and change the loader's state, in the order that keeps every prefix bootable.
    fn change(&self, _sysroot: &Locked, _asked: &Asked<'_>, plan: Plan) -> Result<Change> {
        Ok(plan.into())
    }

    /// Ends a counting that belongs to nothing on trial; says whether the loader had another list.
    fn settle(&self, _sysroot: &Locked) -> Result<bool> {
        Ok(false)
    }

    /// What has to be beside the list once this loader is in use.
    fn install(&self, sysroot: &mut Locked, _timeout_s: u32) -> Result<()> {
        sysroot.take_into_use("boot", &Change::default())
    }

    /// Writes the list where it is not the folder of `boot/loader`.
    fn write(&self, _sysroot: &mut Locked, _new: &[Deployment], _what: Try) -> Result<Option<Written>> {
        Ok(None)
    }

    /// The list where it is not the folder of `boot/loader`.
    fn list(&self, _sysroot: &Path) -> Result<Option<(BootVersion, Vec<Deployment>)>> {
        Ok(None)
    }

    /// Refuses what would not fit where the list is followed to, elsewhere than in `boot` and on `esp`.
    fn check_space(&self, _sysroot: &Sysroot, _commit: &Commit) -> Result<()> {
        Ok(())
    }

    /// Removes what only deployments that are on no list needed.
    fn clean(&self, _sysroot: &Locked) -> Result<()> {
        Ok(())
    }

    /// What the next reboot has to say for what is armed to be tried; notes that the try was asked for.
    fn reboot_argument(&self, _sysroot: &Locked) -> Result<Option<&'static str>> {
        Ok(None)
    }

    /// Performs one step of a change.
    fn apply(&self, sysroot: &Path, step: &Step) -> Result<()> {
        apply(sysroot, step)
    }

    /// Files below `boot` that would stand for another loader if they were not this one's.
    fn own_files(&self) -> &'static [&'static str] {
        &[]
    }

    /// The FAT partition that has entries and boot files, below the sysroot.
    fn partition(&self) -> Option<&str> {
        None
    }

    /// Where boot files are besides `boot/ostree`: a partition below the sysroot, and a folder on it.
    fn esp(&self) -> Option<(&str, &'static str)> {
        None
    }
}
