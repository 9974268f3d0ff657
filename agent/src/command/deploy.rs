//! `deploy`: a commit that is in the repo, or a version in the history of what is followed.

use rootling_object::{Checksum, Refspec};
use rootling_store::Repo;
use rootling_store::sysroot::{DeployOptions, Origin, Sysroot};

use super::{Scene, finalize};
use crate::device;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::pull::admit::Rules;
use crate::pull::{history, open};
use crate::text::size;
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
    let (commit, follows) = match find(&sysroot, &stateroot, rev)? {
        Some(found) => found,
        None => by_version(scene, &sysroot, &stateroot, rev)?,
    };
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
    drop(sysroot);
    if reboot {
        device::reboot(path)?;
    }
    Ok(Exit::Ok)
}

/// A refspec is followed from now on; a bare checksum belongs to what is followed already.
fn find(sysroot: &Sysroot, stateroot: &str, rev: &str) -> Result<Option<(Checksum, Refspec)>> {
    let repo = sysroot.repo();
    if let Ok(refspec) = Refspec::parse(rev)
        && let Some(commit) = repo.read_ref(&refspec)?
    {
        return Ok(Some((commit, refspec)));
    }
    let (commit, present) = (repo.resolve(rev), sysroot.merge_source(stateroot));
    match (commit, present) {
        (Ok(commit), Some(present)) => Ok(Some((commit, device::origin(present)?))),
        (Ok(_), None) => Err(Error::refused(format_args!(
            "{rev}: expected a refspec for the first deployment, got a commit"
        ))),
        (Err(error), Some(_)) if error.is_not_found() && !is_name(rev) => Ok(None),
        (Err(error), _) => Err(error.into()),
    }
}

/// What cannot be a version: a whole checksum, a ref of a remote, a parent.
fn is_name(rev: &str) -> bool {
    Checksum::parse_hex(rev).is_ok() || rev.contains([':', '/', '^'])
}

/// Fetches the version of that name from the remote; the ref keeps naming what it names.
fn by_version(
    scene: &Scene<'_>,
    sysroot: &Sysroot,
    stateroot: &str,
    version: &str,
) -> Result<(Checksum, Refspec)> {
    let follows = device::origin(device::present(sysroot, stateroot)?)?;
    let Some(remote) = &follows.remote else {
        return Err(Error::refused(format_args!(
            "{version}: expected a commit of this repo, got neither ref nor checksum; {follows} has no remote"
        )));
    };
    let repo = Repo::open(sysroot.repo().path())?;
    let (path, patience) = (&scene.global.sysroot, &scene.patience);
    let (_, pull) = open::remote(&repo, path, remote, Rules::default(), patience, scene.screen)?;
    scene.screen.phase(&format!("looking for version {version} of {follows}"));
    let found = history::version(&pull, &follows.name, version)?;
    scene.screen.phase("fetching");
    let pulled = pull.fetch_commit(&follows.name, found)?;
    scene.screen.say(&format!("{} objects, {} fetched", pulled.fetched, size(pulled.bytes)));
    Ok((*pulled.commit.checksum(), follows))
}
