//! `rollback`, `cleanup` and `pin`: changes of the list of deployments.

use rootling_store::sysroot::CleanupScope;

use super::Scene;
use crate::device;
use crate::error::Result;
use crate::exit::Exit;
use crate::text::size;

pub fn rollback(scene: &Scene<'_>, os: Option<&str>, reboot: bool) -> Result<Exit> {
    let path = &scene.global.sysroot;
    if reboot {
        device::check_reboot(path)?;
    }
    let mut sysroot = device::lock(path)?;
    let stateroot = device::stateroot(&sysroot, os)?;
    let target = sysroot.rollback(&stateroot)?;
    scene.screen.say(&format!("{} boots next", target.name()));
    drop(sysroot);
    if reboot {
        device::reboot(path)?;
    }
    Ok(Exit::Ok)
}

pub fn cleanup(scene: &Scene<'_>, os: Option<&str>, pending: bool, rollback: bool) -> Result<Exit> {
    let mut sysroot = device::lock(&scene.global.sysroot)?;
    let stateroot = match pending || rollback || os.is_some() {
        true => device::stateroot(&sysroot, os)?,
        false => String::new(),
    };
    let name = stateroot.as_str();
    let cleaned = sysroot.cleanup(CleanupScope {
        pending_of: pending.then_some(name),
        rollback_of: rollback.then_some(name),
        no_prune: false,
    })?;
    for deployment in &cleaned.deployments {
        scene.screen.say(&format!("removed {deployment}"));
    }
    scene.screen.say(&format!(
        "{} objects removed, {} freed",
        cleaned.pruned.removed,
        size(cleaned.pruned.bytes)
    ));
    Ok(Exit::Ok)
}

pub fn pin(scene: &Scene<'_>, index: usize, unpin: bool) -> Result<Exit> {
    let mut sysroot = device::lock(&scene.global.sysroot)?;
    sysroot.set_pinned(index, !unpin)?;
    scene.screen.say(&format!("deployment {index} is {}", if unpin { "not pinned" } else { "pinned" }));
    Ok(Exit::Ok)
}
