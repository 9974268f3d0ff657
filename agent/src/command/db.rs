//! `db diff` and `db list`: package lists, without any rpm on the device.

use rootling_object::{Checksum, Commit};
use rootling_store::sysroot::Sysroot;

use super::Scene;
use crate::device;
use crate::error::{Error, Result};
use crate::packages;
use crate::text::printable;
use crate::upgrade::label;

pub fn diff(
    scene: &Scene<'_>,
    os: Option<&str>,
    from: Option<&str>,
    to: Option<&str>,
    json: bool,
) -> Result<()> {
    let sysroot = device::look(&scene.global.sysroot)?;
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (load(&sysroot, from)?, load(&sysroot, to)?),
        (Some(to), None) => (present(&sysroot, os)?, load(&sysroot, to)?),
        (None, _) => ends(&sysroot, os)?,
    };
    let missing =
        || Error::refused(format_args!("expected a package list in both commits, got none in one of them"));
    let diff = packages::between(&from.1, &to.1)?.ok_or_else(missing)?;
    if json {
        println!("{}", packages::json("packages", &diff));
        return Ok(());
    }
    scene.screen.say(&format!("from {}\nto   {}", label(&from.1, &from.0), label(&to.1, &to.0)));
    scene.screen.packages(&diff);
    Ok(())
}

pub fn list(scene: &Scene<'_>, os: Option<&str>, rev: Option<&str>) -> Result<()> {
    let sysroot = device::look(&scene.global.sysroot)?;
    let (checksum, commit) = match rev {
        Some(rev) => load(&sysroot, rev)?,
        None => present(&sysroot, os)?,
    };
    let missing = || Error::refused(format_args!("commit {checksum}: expected a package list, got none"));
    for package in packages::of(&commit)?.ok_or_else(missing)? {
        scene.screen.say(&printable(&package.to_string()));
    }
    Ok(())
}

type Found = (Checksum, Commit);

fn load(sysroot: &Sysroot, rev: &str) -> Result<Found> {
    let checksum = sysroot.repo().resolve(rev)?;
    Ok((checksum, sysroot.repo().load_commit(&checksum)?))
}

fn present(sysroot: &Sysroot, os: Option<&str>) -> Result<Found> {
    let stateroot = device::stateroot(sysroot, os)?;
    let checksum = device::present(sysroot, &stateroot)?.checksum;
    Ok((checksum, sysroot.repo().load_commit(&checksum)?))
}

/// Booted and pending; where nothing is booted, rollback and default.
fn ends(sysroot: &Sysroot, os: Option<&str>) -> Result<(Found, Found)> {
    let stateroot = device::stateroot(sysroot, os)?;
    let default = sysroot.deployments().iter().find(|deployment| deployment.stateroot == stateroot);
    let (from, to) = match sysroot.booted() {
        Some(booted) if sysroot.pending(&stateroot).next().is_some() => (Some(booted), default),
        _ => (sysroot.rollback_target(&stateroot), default),
    };
    match (from, to) {
        (Some(from), Some(to)) => {
            let load =
                |checksum: Checksum| Ok::<_, Error>((checksum, sysroot.repo().load_commit(&checksum)?));
            Ok((load(from.checksum)?, load(to.checksum)?))
        }
        _ => Err(Error::refused(format_args!(
            "stateroot {stateroot:?}: expected two deployments to compare, got fewer"
        ))),
    }
}
