//! Changes of the list that deploy nothing new, and of what is noted about a deployment.
//!
//! Each is one [`write`](super::write) of a list, or one origin file replaced whole; see there what is durable when.

use super::deploy::{DeployOptions, Deployed};
use super::etc::{self, Change};
use super::loader::Try;
use super::write::Written;
use super::{Deployment, Locked, Sysroot};
use crate::error::{Error, Result};
use rootling_boot::KernelArgs;
use rootling_boot::loader::Outcome;
use rootling_object::{Commit, Refspec};
use rootling_trust::Verified;

impl Sysroot {
    /// What was edited in a deployment's `/etc`.
    pub fn config_diff(&self, deployment: &Deployment) -> Result<Vec<Change>> {
        let tree = self.deployment_path(deployment);
        etc::diff(&tree.join("usr/etc"), &tree.join("etc"))
    }

    /// The deployment at a place on the list.
    pub fn at(&self, index: usize) -> Result<&Deployment> {
        self.deployments.get(index).ok_or_else(|| {
            Error::not_found(
                format_args!("deployment {index} of {}", self.deployments.len()),
                self.path.clone(),
            )
        })
    }
}

impl Locked {
    /// Makes the deployment to go back to the default: the booted one if another would boot next, else the one after it.
    ///
    /// Its own `/etc`, as it was left, comes back with it.
    pub fn rollback(&mut self, stateroot: &str) -> Result<Deployment> {
        // systemd-boot's list has what runs its last try at the end
        let on_trial = self.boot_state()?.is_some_and(|state| state.outcome == Outcome::OnTrial);
        let has_pending = !on_trial && self.pending(stateroot).next().is_some();
        let before = self.pending(stateroot).next().filter(|_| on_trial);
        let target = if has_pending { self.booted() } else { before.or(self.rollback_target(stateroot)) };
        let target = target
            .cloned()
            .ok_or_else(|| Error::refused(format_args!("no deployment of {stateroot:?} to go back to")))?;
        self.set_default(&target)?;
        Ok(target)
    }

    /// Makes a deployment the default; the others keep their order.
    pub fn set_default(&mut self, target: &Deployment) -> Result<Written> {
        let mut list = vec![target.clone()];
        list.extend(self.deployments.iter().filter(|d| !d.is(target)).cloned());
        self.write(&list)
    }

    /// Takes a deployment off the list; its files go with the next clean-up.
    pub fn undeploy(&mut self, index: usize) -> Result<Deployment> {
        let target = self.at(index)?.clone();
        if target.is_pinned() {
            return Err(Error::refused(format_args!("deployment {} is pinned", target.name())));
        }
        let list: Vec<_> = self.deployments.iter().filter(|d| !d.is(&target)).cloned().collect();
        self.write(&list)?;
        Ok(target)
    }

    /// Pins or unpins a deployment; durable once it returns.
    pub fn set_pinned(&mut self, index: usize, pinned: bool) -> Result<()> {
        let mut target = self.at(index)?.clone();
        target.origin.set_pinned(pinned);
        self.write_origin(&target)?;
        self.reload()
    }

    /// Lets a deployment follow another ref; durable once it returns.
    pub fn set_origin(&mut self, index: usize, refspec: &Refspec) -> Result<()> {
        let mut target = self.at(index)?.clone();
        target.origin.set_refspec(refspec);
        self.write_origin(&target)?;
        self.reload()
    }

    /// Deploys the commit of a deployment once more, with other kernel arguments.
    pub fn set_kernel_args(
        &mut self,
        index: usize,
        commit: &Verified<Commit>,
        args: KernelArgs,
        trial: Try,
    ) -> Result<Deployed> {
        let source = self.at(index)?.clone();
        if source.checksum != *commit.checksum() {
            return Err(Error::refused(format_args!(
                "deployment {} is of commit {}, not {}",
                index,
                source.checksum,
                commit.checksum()
            )));
        }
        let stateroot = source.stateroot.clone();
        let mut options = DeployOptions::new(&stateroot, source.origin.clone());
        options.kernel_args = Some(args);
        options.trial = trial;
        options.merge_source = Some(source);
        self.deploy(commit, &options)
    }
}
