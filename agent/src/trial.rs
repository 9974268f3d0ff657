//! What a new deployment has to prove, where a boot loader is managed.

use rootling_boot::loader::Outcome;
use rootling_store::sysroot::Sysroot;
use rootling_store::sysroot::loader::Try;

use crate::device;
use crate::error::{Error, Result};
use crate::settings;

/// What is asked for, and allowed; `tries` as the user gave them.
pub fn wanted(sysroot: &Sysroot, tries: Option<u32>) -> Result<Try> {
    let trial = asked(sysroot, tries)?;
    allowed(sysroot, trial).map(|()| trial)
}

/// Refuses what the loader cannot promise.
pub fn allowed(sysroot: &Sysroot, trial: Try) -> Result<()> {
    let Try::Arm { tries, .. } = trial else { return Ok(()) };
    let without = |error| Error::refused(format_args!("{error}; --tries=0 deploys without a trial"));
    sysroot.promises()?.map_or(Ok(()), |promises| promises.allow(tries, false).map_err(without))
}

/// What is asked for, before anything is fetched; the state of a loader that cannot be read is an error.
pub fn asked(sysroot: &Sysroot, tries: Option<u32>) -> Result<Try> {
    if tries == Some(0) {
        // whatever state the loader is in
        return Ok(Try::Keep);
    }
    let Some(promises) = sysroot.promises()? else {
        return match tries {
            None => Ok(Try::Keep),
            Some(_) => Err(Error::refused(format_args!(
                "--tries: no boot loader is managed; see rootling boot status"
            ))),
        };
    };
    let tries = match tries {
        Some(tries) => tries,
        None => settings::read(&device::root(sysroot))?.tries.unwrap_or(promises.usual_tries()),
    };
    if tries == 0 || sysroot.deployments().is_empty() {
        return Ok(Try::Keep);
    }
    refuse_on_trial(sysroot)?;
    sysroot.shows_tries()?;
    Ok(Try::Arm { tries, anyway: false })
}

/// What runs has to prove itself before anything follows it, and needs the lock for that.
pub fn refuse_on_trial(sysroot: &Sysroot) -> Result<()> {
    match sysroot.boot_state()?.is_some_and(|state| state.outcome == Outcome::OnTrial) {
        true => Err(Error::refused(format_args!(
            "the running system is on trial itself; rootling boot confirm, or fall-back, comes first"
        ))),
        false => Ok(()),
    }
}
