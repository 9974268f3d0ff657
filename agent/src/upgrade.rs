//! An upgrade, step by step.
//!
//! | step | durable after it; if power fails here |
//! |---|---|
//! | look: deployments, origin, what the repo has | nothing changed |
//! | what the new system has to prove; a loader whose state cannot be read stops here | nothing |
//! | trust: what the ref names, its signature, bindings and age | nothing |
//! | decide: nothing, fetch, deploy ([`decide`], a pure function); what failed here before is nothing new | nothing |
//! | refuse what the loader cannot promise | nothing |
//! | fetch: every object verified as it is written | verified objects stay; the next run skips them |
//! | bind the ref | commit complete; running system untouched |
//! | deploy: checkout, `/etc`, boot entries, one rename | the old or the new boots |
//! | reboot, if asked for | |

use rootling_object::{Checksum, Commit, Refspec};
use rootling_store::Repo;
use rootling_store::sysroot::loader::Try;
use rootling_store::sysroot::{DeployOptions, Deployed, Locked, Origin, Sysroot};
use rootling_trust::Verified;

use crate::cli::meant::Until;
use crate::command::{Scene, finalize};
use crate::deny::DenyList;
use crate::device;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::packages;
use crate::pull::admit::{Admitted, Rules};
use crate::pull::delta::Mode;
use crate::pull::{Pull, Pulled, open};
use crate::text::{moment, printable, size};
use crate::trial;

/// What was asked for.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The stateroot.
    pub os: Option<&'a str>,
    /// Another ref to follow from now on.
    pub switch_to: Option<Refspec>,
    /// How far to go.
    pub until: Until,
    /// Accept an older commit.
    pub allow_downgrade: bool,
    /// Whether static deltas are used.
    pub deltas: Mode,
    /// How often it is tried, as the user gave it.
    pub tries: Option<u32>,
    /// Also a commit on the deny list.
    pub retry_failed: bool,
}

/// Fetches what the origin's ref names now and deploys it.
pub fn upgrade(scene: &Scene<'_>, wanted: &Wanted<'_>) -> Result<Exit> {
    let path = &scene.global.sysroot;
    match wanted.until {
        Until::Check => return check(scene, wanted),
        Until::Reboot => device::check_reboot(path)?,
        Until::Download | Until::Deploy => {}
    }
    let mut sysroot = device::lock(path)?;
    let here = look(&sysroot, wanted)?;
    let trial = match wanted.until {
        Until::Download => trial::refuse_on_trial(&sysroot).map(|()| Try::Keep)?,
        _ => trial::asked(&sysroot, wanted.tries)?,
    };
    let repo = Repo::open(sysroot.repo().path())?;
    let pull = connect(scene, &repo, &here, wanted)?;
    let (found, step) = find(scene, &pull, &here, wanted)?;
    if step == Step::Nothing {
        return Ok(Exit::Unchanged);
    }
    trial::allowed(&sysroot, trial)?;
    let pulled = fetch(scene, &pull, &here, found)?;
    if wanted.until == Until::Download {
        return Ok(Exit::Ok);
    }
    let deployed = deploy(scene, &mut sysroot, &here, &pulled, trial)?;
    finalize::note(&sysroot, &deployed)?;
    report(scene, &deployed);
    drop(sysroot);
    if wanted.until == Until::Reboot {
        device::reboot(path)?;
    }
    Ok(Exit::Ok)
}

/// Says whether there is something new; takes no lock and writes nothing.
fn check(scene: &Scene<'_>, wanted: &Wanted<'_>) -> Result<Exit> {
    let sysroot = device::look(&scene.global.sysroot)?;
    let here = look(&sysroot, wanted)?;
    let pull = connect(scene, sysroot.repo(), &here, wanted)?;
    match find(scene, &pull, &here, wanted)? {
        (_, Step::Nothing) => Ok(Exit::Unchanged),
        _ => Ok(Exit::Ok),
    }
}

/// What an upgrade finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// What the ref names now.
    pub found: Checksum,
    /// Whether all of that is in the repo.
    pub complete: bool,
    /// What boots next.
    pub default: Option<Checksum>,
    /// Whether it failed on this device before.
    pub denied: bool,
    /// How far the user wants to go.
    pub until: Until,
}

/// What an upgrade does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is what boots next, or was downloaded.
    Nothing,
    /// Fetch it, and go on as far as asked.
    Fetch,
    /// It is here; deploy it.
    Deploy,
}

/// Decides without looking at anything but the situation.
pub fn decide(situation: &Situation) -> Step {
    let Situation { found, complete, default, denied, until } = *situation;
    if default == Some(found) || denied {
        return Step::Nothing;
    }
    match (complete, until) {
        (true, Until::Download) => Step::Nothing,
        (true, _) => Step::Deploy,
        (false, _) => Step::Fetch,
    }
}

struct Here {
    stateroot: String,
    follows: Refspec,
    origin: Origin,
    default: Option<Checksum>,
    deployed: Option<Checksum>,
    denied: DenyList,
}

fn look(sysroot: &Sysroot, wanted: &Wanted<'_>) -> Result<Here> {
    let stateroot = device::stateroot(sysroot, wanted.os)?;
    let default = sysroot.deployments().iter().find(|deployment| deployment.stateroot == stateroot);
    let default = default.map(|deployment| deployment.checksum);
    let present = match &wanted.switch_to {
        Some(_) => sysroot.merge_source(&stateroot),
        None => Some(device::present(sysroot, &stateroot)?),
    };
    let deployed = present.map(|deployment| deployment.checksum);
    let (follows, origin, default) = match (&wanted.switch_to, present) {
        (Some(refspec), _) => {
            let same = present.and_then(|present| device::origin(present).ok()).as_ref() == Some(refspec);
            // another origin is news even if its commit is deployed already
            (refspec.clone(), Origin::new(refspec), default.filter(|_| same))
        }
        (None, Some(present)) => (device::origin(present)?, present.origin.for_next(), default),
        (None, None) => return Err(Error::bug(format_args!("an upgrade without a deployment"))),
    };
    let denied = DenyList::open(sysroot, &stateroot)?;
    Ok(Here { stateroot, follows, origin, default, deployed, denied })
}

fn connect<'a>(scene: &'a Scene<'_>, repo: &'a Repo, here: &Here, wanted: &Wanted<'_>) -> Result<Pull<'a>> {
    let remote = here.follows.remote.as_deref().ok_or_else(|| {
        Error::refused(format_args!(
            "origin {}: expected REMOTE:REF, got a ref of this repo; use rootling deploy",
            here.follows
        ))
    })?;
    let not_before = match (&wanted.switch_to, &here.deployed) {
        (None, Some(deployed)) => repo.load_commit(deployed)?.timestamp,
        _ => 0,
    };
    let rules = Rules { allow_downgrade: wanted.allow_downgrade, not_before, ..Rules::default() };
    let sysroot = &scene.global.sysroot;
    let (_, mut pull) = open::remote(repo, sysroot, remote, rules, &scene.patience, scene.screen)?;
    pull.deltas = if wanted.until == Until::Check { Mode::Never } else { wanted.deltas };
    Ok(pull)
}

fn find(scene: &Scene<'_>, pull: &Pull<'_>, here: &Here, wanted: &Wanted<'_>) -> Result<(Admitted, Step)> {
    scene.screen.phase(&format!("looking for {}", here.follows));
    let found = pull.admit(&here.follows.name)?;
    let commit = *found.commit.checksum();
    let complete = pull.is_complete(&commit);
    let failed = here.denied.reason(&commit).filter(|_| !wanted.retry_failed);
    if let Some(why) = failed {
        scene
            .screen
            .say(&format!("{commit} failed on this device ({}); --retry-failed takes it", printable(why)));
    }
    let (default, denied, until) = (here.default, failed.is_some(), wanted.until);
    let step = decide(&Situation { found: commit, complete, default, denied, until });
    announce(scene, pull.repo, here, &found.commit, step)?;
    Ok((found, step))
}

fn announce(scene: &Scene<'_>, repo: &Repo, here: &Here, found: &Verified<Commit>, step: Step) -> Result<()> {
    let name = label(found.get(), found.checksum());
    if step == Step::Nothing {
        scene.screen.say(&format!("{}: nothing new ({name})", here.follows));
        return Ok(());
    }
    scene.screen.say(&format!("{}: {name}, verified by {}", here.follows, found.by()));
    let old = here.deployed.map(|deployed| repo.load_commit(&deployed)).transpose()?;
    if let Some(old) = old
        && let Some(diff) = packages::between(&old, found.get())?
    {
        scene.screen.packages(&diff);
    }
    Ok(())
}

fn fetch(scene: &Scene<'_>, pull: &Pull<'_>, here: &Here, found: Admitted) -> Result<Pulled> {
    scene.screen.phase("fetching");
    let pulled = pull.fetch_admitted(&here.follows.name, found)?;
    scene.screen.say(&format!("{} objects, {} fetched", pulled.fetched, size(pulled.bytes)));
    Ok(pulled)
}

fn deploy(
    scene: &Scene<'_>,
    sysroot: &mut Locked,
    here: &Here,
    pulled: &Pulled,
    trial: Try,
) -> Result<Deployed> {
    scene.screen.phase("deploying");
    let is_known = |checksum: &Checksum| pulled.hashed.binary_search(checksum).is_ok();
    let mut options = DeployOptions::new(&here.stateroot, here.origin.clone());
    options.is_known = &is_known;
    options.trial = trial;
    Ok(sysroot.deploy(&pulled.commit, &options)?)
}

/// Says what a deployment did, and what it kept aside.
pub fn report(scene: &Scene<'_>, deployed: &Deployed) {
    let verified = &deployed.verification;
    if verified.objects > 0 {
        scene.screen.say(&format!(
            "verified {} older objects, {}, in {}.{:02} s",
            verified.objects,
            size(verified.bytes),
            verified.elapsed.as_secs(),
            verified.elapsed.subsec_millis() / 10
        ));
    }
    let name = deployed.deployment.name();
    scene.screen.say(&format!("deployed {name}; it boots next"));
    for path in deployed.merge.iter().flat_map(|merge| &merge.conflicts) {
        scene.screen.say(&format!(
            "conflict in /etc: {} is kept beside the new default",
            printable(&path.display().to_string())
        ));
    }
    for path in deployed.merge.iter().flat_map(|merge| &merge.skipped) {
        scene.screen.say(&format!("not carried over in /etc: {}", printable(&path.display().to_string())));
    }
}

/// Version, time and checksum of a commit, for people.
pub fn label(commit: &Commit, checksum: &Checksum) -> String {
    let version = commit.version().map(|version| format!("{} ", printable(version))).unwrap_or_default();
    format!("{version}{checksum} of {}", moment(commit.timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decides_from_the_situation_alone() {
        let (a, b) = (Checksum([1; 32]), Checksum([2; 32]));
        for (complete, default, until, step) in [
            (true, Some(a), Until::Deploy, Step::Nothing),
            (true, Some(a), Until::Check, Step::Nothing),
            (false, Some(b), Until::Check, Step::Fetch),
            (false, Some(b), Until::Download, Step::Fetch),
            (false, None, Until::Deploy, Step::Fetch),
            (true, Some(b), Until::Download, Step::Nothing),
            (true, Some(b), Until::Deploy, Step::Deploy),
            (true, Some(b), Until::Reboot, Step::Deploy),
            (true, Some(b), Until::Check, Step::Deploy),
        ] {
            let situation = Situation { found: a, complete, default, denied: false, until };
            assert_eq!(decide(&situation), step, "{situation:?}");
            let denied = Situation { denied: true, ..situation };
            assert_eq!(decide(&denied), Step::Nothing, "{denied:?}");
        }
    }
}
