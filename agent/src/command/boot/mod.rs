//! `boot`: the loader's side of an update.

mod confirm;
mod status;

use std::path::Path;

use rootling_boot::loader::Kind;
use rootling_store::sysroot::loader::{Loader, Settings};

use super::Scene;
use crate::cli::meant::Boot;
use crate::deny::denied;
use crate::device;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::health::{self, Watchdog};
use crate::settings;

pub fn run(scene: &Scene<'_>, what: &Boot) -> Result<Exit> {
    let path = scene.global.sysroot.as_path();
    match what {
        Boot::Status { json } => status::run(scene, *json)?,
        Boot::Install { loader, force } => install(scene, path, loader.as_deref(), *force)?,
        Boot::Arm { tries, anyway, reboot } => {
            if *reboot {
                device::check_reboot(path)?;
            }
            arm(scene, path, *tries, *anyway)?;
            if *reboot {
                device::reboot(path)?;
            }
        }
        Boot::Check => {
            let root = device::root(&device::look(path)?);
            let settings = settings::read(&root)?;
            // proves nothing: neither starts a watchdog nor lets one go
            health::check(&root, &settings, &mut Watchdog::open(None), scene.screen)?;
        }
        Boot::Confirm { skip_check, reboot } => return confirm::run(scene, *skip_check, *reboot),
        Boot::FallBack { reboot } => {
            fall_back(scene, path)?;
            if *reboot {
                device::reboot(path)?;
            }
        }
    }
    Ok(Exit::Ok)
}

/// Takes a loader into use, by name or the one that is there.
fn install(scene: &Scene<'_>, path: &Path, name: Option<&str>, force: bool) -> Result<()> {
    let mut sysroot = device::lock(path)?;
    let root = device::root(&sysroot);
    let settings = settings::read(&root)?;
    let loader = match name {
        None => sysroot.loader().cloned(),
        Some(name) => {
            let boot = Settings { loader: Some(name.into()), ..settings.boot };
            Loader::detect(path, &root, &boot)?
        }
    };
    let loader = loader
        .ok_or_else(|| Error::refused(format_args!("expected the name of a boot loader, found none")))?;
    let config = path.join(rootling_boot::grub::CONFIG);
    if loader.kind() == Kind::Grub
        && sysroot.loader().is_none_or(|there| there.kind() != Kind::Grub)
        && config.exists()
        && !force
    {
        return Err(Error::refused(format_args!(
            "{}: made by others; --force replaces it",
            config.display()
        )));
    }
    let kind = loader.kind();
    sysroot.install(loader, settings.menu_s)?;
    scene.screen.say(&format!("{kind} is in use"));
    Ok(())
}

/// Puts the first deployment on trial, for instance one that was deployed without.
fn arm(scene: &Scene<'_>, path: &Path, tries: Option<u32>, anyway: bool) -> Result<()> {
    let mut sysroot = device::lock(path)?;
    let promises = sysroot.promises()?;
    let promises = promises
        .ok_or_else(|| Error::refused(format_args!("no boot loader is managed; see rootling boot status")))?;
    let explicit = |error| Error::refused(format_args!("{error}; --anyway arms it all the same"));
    let tries = tries.or(settings::read(&device::root(&sysroot))?.tries);
    let tries = tries.unwrap_or(promises.usual_tries());
    promises.allow(tries, anyway).map_err(explicit)?;
    if !anyway {
        sysroot.shows_tries()?;
    }
    let first = sysroot.at(0)?.clone();
    if sysroot.booted().is_some_and(|booted| booted.is(&first)) {
        return Err(Error::refused(format_args!(
            "the first deployment is the running one, which has proved itself"
        )));
    }
    sysroot.arm(tries, anyway)?;
    scene.screen.say(&format!("{} boots next, {tries} tries", first.name()));
    Ok(())
}

/// What was tried is not wanted: it is first no more, and not tried again.
fn fall_back(scene: &Scene<'_>, path: &Path) -> Result<()> {
    let mut sysroot = device::lock(path)?;
    let state = sysroot.boot_state()?;
    let armed = state
        .and_then(|state| state.armed)
        .ok_or_else(|| Error::refused(format_args!("nothing is on trial")))?;
    let noted = denied(&sysroot, armed.id.as_str(), "taken back by hand");
    let next = sysroot.fall_back()?;
    scene.screen.say(&format!("{} boots next", next.name()));
    noted
}
