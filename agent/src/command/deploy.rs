//! `deploy`: a commit that is in the repo.

use rootling_object::{Checksum, Refspec};
use rootling_store::sysroot::{DeployOptions, Origin, Sysroot};

use super::{Scene, finalize};
use crate::device;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::trial;
use crate::upgrade::{label, report};

pub fn run(
    scene: &Scene<'_>,
    os: Option<&str>,
    rev: &str,
    kargs: &[String],
    tries: Option<u32>,
    reboot: bool,
) -> Result<Exit> {
    let path = &scene.global.sysroot;
    if reboot {
        device::check_reboot(path)?;
    }
    let mut sysroot = device::lock(path)?;
    let trial = trial::wanted(&sysroot, tries)?;
    let stateroot = device::stateroot(&sysroot, os)?;
    let (commit, follows) = find(&sysroot, &stateroot, rev)?;
    let verified = device::trusted(sysroot.repo(), path, &commit, &follows)?;
    scene.screen.say(&format!(
        "{follows}: {}, verified by {}",
        label(verified.get(), &commit),
        verified.by()
    ));
    let present = sysroot.merge_source(&stateroot);
    let mut args = present.map(|present| present.kernel_args().without_boot_args());
    if !kargs.is_empty() {
        let list = args.get_or_insert_default();
        kargs.iter().for_each(|arg| list.append(arg));
    }
    scene.screen.phase("deploying");
    let mut options = DeployOptions::new(&stateroot, Origin::new(&follows));
    options.kernel_args = args;
    options.trial = trial;
    let deployed = sysroot.deploy(&verified, &options)?;
    finalize::note(&sysroot, &deployed)?;
    report(scene, &deployed);
    if reboot {
        device::reboot(path)?;
    }
    Ok(Exit::Ok)
}

/// A refspec is followed from now on; a bare checksum belongs to what is followed already.
fn find(sysroot: &Sysroot, stateroot: &str, rev: &str) -> Result<(Checksum, Refspec)> {
    let repo = sysroot.repo();
    if let Ok(refspec) = Refspec::parse(rev)
        && let Some(commit) = repo.read_ref(&refspec)?
    {
        return Ok((commit, refspec));
    }
    let commit = repo.resolve(rev)?;
    match sysroot.merge_source(stateroot) {
        Some(present) => Ok((commit, device::origin(present)?)),
        None => {
            Err(Error::Refused(format!("{rev}: expected a refspec for the first deployment, got a commit")))
        }
    }
}
