//! Trials on a list of deployments: the one that boots first is the one that is tried.

use super::apply::apply;
use super::armed::FILE;
use super::family::{Asked, Listed};
use super::{Armed, Loader, refuse};
use crate::sysroot::{Deployment, Locked, Sysroot};
use crate::{Error, Result};
use rootling_boot::loader::{Change, Counting, Outcome, Promises, Step, Trial, TrialId, outcome};
use rootling_boot::menu;
use rootling_boot::plan::{Plan, Step as DiskStep};

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
    /// What the loader says about a trial; `None` where no loader is managed and nothing is armed.
    pub fn boot_state(&self) -> Result<Option<BootState>> {
        let family = self.loader.as_ref().map(|loader| loader.family());
        let armed = family.map_or_else(|| Armed::read(&self.path), |family| family.armed(self))?;
        let trial = match (&armed, family) {
            (Some(armed), Some(family)) => family.trial(self, armed).unwrap_or_else(|error| {
                // as one that forgot it: what is armed can be judged and taken back without it
                crate::warn!("what the boot loader counts is lost: {error}");
                Trial::None
            }),
            (None, None) => return Ok(None),
            _ => Trial::None,
        };
        let booted = self.booted().map(Deployment::name).unwrap_or_default();
        let asked = armed.as_ref().map_or(0, |armed| armed.tries);
        let outcome = match booted.is_empty() {
            true => Outcome::Nothing,
            false => outcome(&booted, armed.as_ref().map(|armed| &armed.id), asked, trial),
        };
        Ok(Some(BootState { armed, trial, outcome }))
    }

    /// Whether the running system can reach what the managed loader counts in.
    pub fn reach_loader(&self) -> Result<()> {
        self.loader.as_ref().map_or(Ok(()), |loader| loader.family().reach(&self.path))
    }

    /// Whether the running system is told that it is a try, where it is one.
    pub fn shows_tries(&self) -> Result<()> {
        self.loader.as_ref().map_or(Ok(()), |loader| loader.family().shows_tries())
    }

    /// Refuses where what runs is on trial by another loader than the managed one, which would confirm nothing and count on.
    pub fn check_trial(&self) -> Result<()> {
        let kind = self.loader.as_ref().map(Loader::kind);
        let others = if kind.is_none() { Armed::read(&self.path)? } else { None };
        #[cfg(feature = "systemd-boot")]
        let others = match others {
            None if kind != Some(rootling_boot::loader::Kind::SystemdBoot) => {
                super::sdboot::on_trial(self)?.0
            }
            others => others,
        };
        match (others, self.booted()) {
            (Some(armed), Some(booted)) if booted.name() == armed.id.as_str() => Err(Error::refused(
                format_args!("{} is on trial, and its loader not managed: it counts on", armed.id),
            )),
            _ => Ok(()),
        }
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

fn alone() -> Error {
    Error::refused("expected a second deployment to fall back to, got none")
}

impl Locked {
    /// Puts the first deployment of the list on trial.
    pub fn arm(&mut self, tries: u32, anyway: bool) -> Result<()> {
        if self.deployments.len() < 2 {
            return Err(alone());
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
        let Some(next) = list.first().cloned() else { return Err(alone()) };
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
        let family = loader.family().clone();
        self.sysroot.loader = Some(loader);
        family.install(self, timeout_s)
    }

    /// Writes the list with what the loader has beside it, then changes what is outside of it, in a folder that is there then.
    pub(in crate::sysroot) fn take_into_use(&mut self, dir: &str, change: &Change) -> Result<()> {
        let list = self.deployments.clone();
        if !list.is_empty() {
            self.write_list(&list, Try::Confirm)?;
        }
        let dir = Step::Disk(DiskStep::MakeDir(dir.into()));
        self.apply(&Change { steps: vec![dir] })?;
        self.apply(change)
    }

    pub(in crate::sysroot) fn apply(&self, change: &Change) -> Result<()> {
        change.steps.iter().try_for_each(|step| match &self.loader {
            Some(loader) => loader.family().apply(&self.path, step),
            None => apply(&self.path, step),
        })
    }

    /// Refuses a list of what is on trial alone: it goes on, and would have nothing to fall back to.
    pub(in crate::sysroot) fn check_way_back(&self, new: &[Deployment], what: Try) -> Result<()> {
        let (Some(loader), [first], Try::Keep) = (&self.loader, new, what) else { return Ok(()) };
        match loader.family().armed(self)?.is_some_and(|armed| armed.id.as_str() == first.name()) {
            true => Err(alone()),
            false => Ok(()),
        }
    }

    /// The steps that swap in a list and change the loader's state, in the order that keeps every prefix bootable.
    pub(in crate::sysroot) fn change(&self, plan: Plan, new: &[Deployment], what: Try) -> Result<Change> {
        let Some(loader) = &self.loader else { return Ok(Change::from(plan)) };
        let old = Armed::read(&self.path)?;
        let first = new.first().map(Deployment::name).unwrap_or_default();
        let armed = match what {
            Try::Arm { tries, anyway } => {
                let promises = loader.promises(&self.path)?;
                promises.allow(tries, anyway).map_err(refuse)?;
                // of more than one, left by `anyway`, the second would look like one that failed
                let tries = if promises.counting == Counting::Once { 1 } else { tries };
                Some(Armed { id: TrialId::parse(&first).map_err(refuse)?, tries, note: None })
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
        let asked = Asked { new, old: old.as_ref(), armed: armed.as_ref(), what };
        loader.family().change(self, &asked, plan)
    }

    /// Ends a counting that belongs to nothing on trial: what a fall-back with U-Boot, or a cut between counter and list, leaves.
    ///
    /// Entries and partitions of the firmware follow the list, also where a cut or the firmware kept them from it.
    pub fn settle(&self) -> Result<()> {
        if let Some(loader) = &self.loader
            && loader.family().settle(self)?
        {
            crate::warn!(
                "what {} boots was not the list of deployments, and is written again",
                loader.kind()
            );
        }
        Ok(())
    }

    /// What the next reboot has to say to the firmware for what is armed to be tried; from then on the try is one that was given.
    ///
    /// Durable once it returns. As long as this boot lasts the try is still to come.
    pub fn reboot_argument(&self) -> Result<Option<&'static str>> {
        self.loader().map_or(Ok(None), |loader| loader.family().reboot_argument(self))
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
        let mut list = Listed {
            sysroot: &self.path,
            entries: entries.into_iter().map(|(_, entry)| entry).collect(),
            trial: armed.map(|armed| &armed.id),
            what,
            first: new.first().map(|first| self.deployment_path(first)),
        };
        let files = loader.family().files(&mut list)?;
        let trial = armed.map(|armed| (FILE, armed.to_string()));
        Ok(files.into_iter().chain(trial).fold(plan, |plan, (name, text)| plan.with_loader_file(name, text)))
    }
}
