//! Trials on a list of deployments: the one that boots first is the one that is tried.

use super::armed::FILE;
use super::env::{self, UBoot};
use super::pi::Asked;
use super::{Armed, EXTLINUX, EXTLINUX_MENU, Loader, UENV, apply, efi, pi, refuse};
use crate::sysroot::{Deployment, Locked, Sysroot};
use crate::{Error, Result};
use rootling_boot::grub::{self, greenboot};
use rootling_boot::loader::{Change, Outcome, Promises, Step, Trial, TrialId, outcome};
use rootling_boot::plan::{Plan, Step as DiskStep, other};
use rootling_boot::{menu, uboot};
use std::path::Path;

/// What becomes of a trial when a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Try {
    /// It goes on while what is tried stays first.
    #[default]
    Keep,
    /// The first deployment is tried so often; `anyway` where the loader cannot promise it.
    Arm {
        /// How often.
        tries: u32,
        /// Told so explicitly.
        anyway: bool,
    },
    /// The first deployment is good.
    Confirm,
    /// What was tried is not: it is first no more.
    FallBack,
}

/// What the loader's state and the list say about a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootState {
    /// What was armed.
    pub armed: Option<Armed>,
    /// What the loader has counted.
    pub trial: Trial,
    /// What this boot proves.
    pub outcome: Outcome,
}

impl Sysroot {
    /// What the loader says about a trial; `None` where no loader is managed.
    pub fn boot_state(&self) -> Result<Option<BootState>> {
        let Some(loader) = &self.loader else { return Ok(None) };
        let (counted, left) = self.counted()?;
        let armed = match loader {
            Loader::SystemdBoot { .. } => counted,
            _ => Armed::read(&self.path)?,
        };
        let trial = match (&armed, loader) {
            (_, Loader::SystemdBoot { .. }) => left,
            (None, _) | (_, Loader::Extlinux) => Trial::None,
            (Some(armed), Loader::Efi(board)) => efi::trial(board, &self.path, armed, self.booted())?,
            (Some(armed), Loader::Pi(slots)) => pi::trial(slots, &self.path, armed)?,
            (Some(armed), Loader::Grub) => grub::trial(&env::grubenv(&self.path, grub::ENV)?, &armed.id),
            (_, Loader::Greenboot { env }) => greenboot::trial(&env::grubenv(&self.path, env)?),
            (_, Loader::UBoot { config }) => uboot::trial(&UBoot::read(&self.path, config)?.env),
        };
        let booted = self.booted().map(Deployment::name).unwrap_or_default();
        let asked = armed.as_ref().map_or(0, |armed| armed.tries);
        let outcome = match booted.is_empty() {
            true => Outcome::Nothing,
            false => outcome(&booted, armed.as_ref().map(|armed| &armed.id), asked, trial),
        };
        Ok(Some(BootState { armed, trial, outcome }))
    }

    /// The managed loader.
    pub fn loader(&self) -> Option<&Loader> {
        self.loader.as_ref()
    }

    /// What the managed loader can and cannot do here.
    pub fn promises(&self) -> Result<Option<Promises>> {
        self.loader.as_ref().map(|loader| loader.promises(&self.path)).transpose()
    }
}

impl Locked {
    /// Puts the first deployment of the list on trial.
    pub fn arm(&mut self, tries: u32, anyway: bool) -> Result<()> {
        if self.deployments.len() < 2 {
            return Err(Error::refused("expected a second deployment to fall back to, got none"));
        }
        let list = self.deployments.clone();
        self.write_list(&list, Try::Arm { tries, anyway }).map(drop)
    }

    /// Ends the trial of the first deployment: it boots from now on.
    pub fn confirm(&mut self) -> Result<()> {
        let list = self.deployments.clone();
        self.write_list(&list, Try::Confirm).map(drop)
    }

    /// Ends the trial: what was tried leaves the list, or comes last where it runs or is pinned.
    pub fn fall_back(&mut self) -> Result<Deployment> {
        let armed = self.boot_state()?.and_then(|state| state.armed);
        let Some(armed) = armed else { return Err(Error::refused("nothing is on trial")) };
        let (tried, mut list): (Vec<_>, Vec<_>) =
            self.deployments.iter().cloned().partition(|d| d.name() == armed.id.as_str());
        let Some(next) = list.first().cloned() else {
            return Err(Error::refused("expected a second deployment to fall back to, got none"));
        };
        let booted = self.booted().cloned();
        list.extend(tried.into_iter().filter(|d| d.is_pinned() || booted.as_ref().is_some_and(|b| b.is(d))));
        self.write_list(&list, Try::FallBack)?;
        Ok(next)
    }

    /// Takes a loader into use: its list, and what has to be beside it.
    pub fn install(&mut self, loader: Loader, timeout_s: u32) -> Result<()> {
        if let Some(armed) = Armed::read(&self.path)? {
            let reason = format!("{} is on trial; confirm it or take it back first", armed.id);
            return Err(Error::refused(reason));
        }
        let (dir, change) = match &loader {
            Loader::Grub => ("boot/grub", grub::install(timeout_s).map_err(refuse)?),
            Loader::Extlinux => ("boot/extlinux", link(&format!("../loader/{EXTLINUX_MENU}"), EXTLINUX)),
            Loader::UBoot { config } => {
                uboot::ready(&UBoot::read(&self.path, config)?.env.vars).map_err(refuse)?;
                ("boot", link(&format!("loader/{}", uboot::UENV), UENV))
            }
            Loader::Greenboot { .. } => ("boot", Change::default()),
            Loader::SystemdBoot { .. } => return self.install_fat(loader),
            Loader::Efi(board) => {
                self.sysroot.loader = Some(loader.clone());
                return self.install_efi(board);
            }
            Loader::Pi(slots) => {
                self.sysroot.loader = Some(loader.clone());
                return self.install_pi(slots);
            }
        };
        self.sysroot.loader = Some(loader);
        let list = self.deployments.clone();
        if !list.is_empty() {
            self.write_list(&list, Try::Confirm)?;
        }
        self.apply(&Change::from(Plan {
            steps: vec![DiskStep::MakeDir(dir.into())],
            after: self.version,
            is_swap: false,
        }))?;
        self.apply(&change)
    }

    /// What boots now gets an entry on the partition; with it the partition's entries are the list.
    fn install_fat(&mut self, loader: Loader) -> Result<()> {
        self.sysroot.loader = Some(loader);
        let first = self.booted().or(self.deployments.first()).cloned();
        if let Some(first) = first
            && super::fat::find(&self.path)?.is_none()
        {
            // the links of the old list stay as they are until the partition has one
            self.sysroot.version.boot = other(self.version.boot);
            self.sysroot.version.sub = self.sub_version(self.version.boot)?.unwrap_or(0);
            self.write_list(&[first], Try::Keep)?;
            // the old list is one no more, for other programs either
            if self.path.join("boot/loader").is_symlink() {
                let old = ["loader", "loader.tmp", "loader.0", "loader.1"];
                let steps = old.map(|name| Step::Disk(DiskStep::Remove(format!("boot/{name}"))));
                self.apply(&Change { steps: steps.into() })?;
            }
        }
        Ok(())
    }

    pub(in crate::sysroot) fn apply(&self, change: &Change) -> Result<()> {
        change.steps.iter().try_for_each(|step| apply(&self.path, step))
    }

    /// The steps that swap in a list and change the loader's state, in the order that keeps every prefix bootable.
    pub(in crate::sysroot) fn change(&self, plan: Plan, new: &[Deployment], what: Try) -> Result<Change> {
        let Some(loader) = &self.loader else { return Ok(Change::from(plan)) };
        let old = Armed::read(&self.path)?;
        let first = new.first().map(Deployment::name).unwrap_or_default();
        let armed = match what {
            Try::Arm { tries, .. } => {
                // of more than one, left by `anyway`, the second would look like one that failed
                let tries = if loader.follows() { 1 } else { tries };
                Some(Armed { id: TrialId::parse(&first).map_err(refuse)?, tries, asked: Asked::default() })
            }
            Try::Keep => old.clone().filter(|armed| armed.id.as_str() == first),
            Try::Confirm | Try::FallBack => None,
        };
        // a trial whose deployment is first no more has ended
        let what = match (what, &old) {
            (Try::Keep, Some(_)) if armed.is_none() => Try::FallBack,
            (what, _) => what,
        };
        let plan = self.with_files(plan, new, loader, armed.as_ref(), what)?;
        let mut changed = change(&self.path, loader, plan, old.as_ref(), armed.as_ref(), what)?;
        let first = match loader {
            Loader::Efi(board) => self.prepare_efi(board, new, old.as_ref(), what)?,
            Loader::Pi(slots) => self.prepare_pi(slots, new, what)?,
            _ => return Ok(changed),
        };
        changed.steps.splice(0..0, first.steps);
        Ok(changed)
    }

    /// Ends a counting that belongs to nothing on trial: what a fall-back with U-Boot, or a cut between counter and list, leaves.
    ///
    /// Entries and partitions of the firmware follow the list, also where a cut or the firmware kept them from it.
    pub fn settle(&self) -> Result<()> {
        if self.loader().is_some_and(Loader::follows) {
            if self.follow()? {
                log::warn!("what the firmware boots was not the list of deployments, and is written again");
            }
            return Ok(());
        }
        if Armed::read(&self.path)?.is_some() {
            return Ok(());
        }
        let change = match &self.loader {
            Some(Loader::UBoot { config }) => {
                let uboot = match UBoot::read(&self.path, config) {
                    Ok(uboot) => uboot,
                    // nothing is on trial, so nobody needs it now
                    Err(error) => {
                        log::warn!("whether U-Boot counts is not known: {error}");
                        return Ok(());
                    }
                };
                match uboot::trial(&uboot.env) {
                    Trial::None => return Ok(()),
                    _ => uboot::confirm(&uboot.env, &uboot.medium()),
                }
            }
            Some(Loader::Greenboot { env: place }) => {
                let env = env::grubenv(&self.path, place)?;
                match greenboot::trial(&env) {
                    Trial::None => return Ok(()),
                    _ => greenboot::confirm(place, &env),
                }
            }
            _ => return Ok(()),
        };
        self.apply(&change.map_err(refuse)?)
    }

    /// Has what the firmware reads follow the list in use; says whether anything was to do.
    pub(in crate::sysroot) fn follow(&self) -> Result<bool> {
        match &self.loader {
            Some(Loader::Efi(board)) => self.follow_efi(board),
            Some(Loader::Pi(slots)) => self.follow_pi(slots),
            _ => Ok(false),
        }
    }

    fn with_files(
        &self,
        plan: Plan,
        new: &[Deployment],
        loader: &Loader,
        armed: Option<&Armed>,
        what: Try,
    ) -> Result<Plan> {
        let entries = menu::entries(&self.items(new)?, plan.after.boot, &self.menu_options()?);
        let mut entries: Vec<_> = entries.into_iter().map(|(_, entry)| entry).collect();
        if let (Loader::UBoot { .. }, Try::FallBack, Some(first)) = (loader, what, entries.first().cloned()) {
            // until the counting ends, altbootcmd boots what is second
            entries.insert(1, first);
        }
        let own = new.first().map(|d| self.deployment_path(d).join("usr/lib/ostree-boot/uEnv.txt"));
        let own = own.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let files = loader.files(&self.path, &entries, armed.map(|armed| &armed.id), &own)?;
        let trial = armed.map(|armed| (FILE, armed.to_string()));
        Ok(files.into_iter().chain(trial).fold(plan, |plan, (name, text)| plan.with_loader_file(name, text)))
    }
}

fn change(
    sysroot: &Path,
    loader: &Loader,
    plan: Plan,
    old: Option<&Armed>,
    new: Option<&Armed>,
    what: Try,
) -> Result<Change> {
    let arm = match (what, new) {
        (Try::Arm { tries, anyway }, Some(new)) => {
            loader.promises(sysroot)?.allow(tries, anyway).map_err(refuse)?;
            Some((new, tries, anyway))
        }
        _ => None,
    };
    let (confirm, fall_back) = (what == Try::Confirm, what == Try::FallBack);
    let changed = match loader {
        Loader::Extlinux | Loader::SystemdBoot { .. } | Loader::Efi(_) | Loader::Pi(_) => Ok(plan.into()),
        Loader::Grub => {
            // before `install` there is none, and nothing on trial
            let env = || env::grubenv(sysroot, grub::ENV);
            match (arm, old) {
                (Some((new, tries, _)), _) => grub::arm(&env()?, plan, &new.id, tries),
                (None, Some(old)) if confirm => grub::confirm(&env()?, &old.id, plan),
                (None, Some(old)) if fall_back => grub::fall_back(&env()?, &old.id, plan),
                _ => Ok(plan.into()),
            }
        }
        Loader::Greenboot { env: place } => {
            let env = || env::grubenv(sysroot, place);
            match arm {
                Some((_, tries, _)) => greenboot::arm(place, &env()?, plan, tries),
                None if confirm => greenboot::confirm(place, &env()?).map(|change| then(change, plan)),
                None if fall_back => greenboot::fall_back(place, &env()?, plan),
                None => Ok(plan.into()),
            }
        }
        // a list that ends no trial asks nothing of the environment
        Loader::UBoot { .. } if arm.is_none() && !confirm && !fall_back => Ok(plan.into()),
        Loader::UBoot { config } => {
            let uboot = UBoot::read(sysroot, config)?;
            let medium = uboot.medium();
            match arm {
                Some((_, tries, anyway)) => uboot::arm(&uboot.env, &medium, plan, tries, anyway),
                None if confirm => uboot::confirm(&uboot.env, &medium).map(|change| then(change, plan)),
                None if fall_back => uboot::fall_back(&uboot.env, &medium).map(|change| then(change, plan)),
                None => Ok(plan.into()),
            }
        }
    };
    changed.map_err(refuse)
}

fn then(mut change: Change, plan: Plan) -> Change {
    change.steps.extend(Change::from(plan).steps);
    change
}

fn link(target: &str, path: &str) -> Change {
    let link = DiskStep::Link { target: target.into(), path: path.into() };
    let steps = [link, DiskStep::Sync].map(Step::Disk);
    Change { steps: steps.into() }
}
