//! `boot confirm`: what this boot proved, decided from facts.
//!
//! | booted against armed | then |
//! |---|---|
//! | nothing armed | nothing to do |
//! | the armed one runs | its checks; all passed: it is the one that boots from now on |
//! | the armed one runs, and fails where no boot is counted | the deny list, then off the menu, before any reboot |
//! | the armed one runs, and another program made it good | its checks all the same, as where no boot is counted |
//! | the armed one runs, and a loader that counts knows of no try | it had passed, but a cut kept the list: confirmed |
//! | another one runs, and the loader has tried | the failed commit goes on the deny list, then off the menu |
//! | another one runs, and the loader lost its state | armed again |

use std::path::Path;

use rootling_boot::loader::{Counting, Outcome, Trial};
use rootling_store::sysroot::loader::BootState;

use super::{Scene, denied};
use crate::deny::DenyList;
use crate::device;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::health::{self, Watchdog};
use crate::settings;

pub fn run(scene: &Scene<'_>, skip_check: bool, reboot: bool) -> Result<Exit> {
    let path = scene.global.sysroot.as_path();
    if reboot {
        device::check_reboot(path)?;
    }
    let sysroot = device::look(path)?;
    let root = device::root(&sysroot);
    let settings = settings::read(&root)?;
    let (state, started) = (sysroot.boot_state()?, health::is_started_at_boot(path));
    let device = settings.watchdog.clone().or_else(|| started.then(|| path.join("dev/watchdog")));
    let Some(state) = state.filter(|state| state.outcome != Outcome::Nothing) else {
        scene.screen.say("nothing is on trial");
        mark(path)?;
        Watchdog::open(device.as_deref().filter(|_| started)).let_go();
        if sysroot.loader().is_some() {
            // what a cut left counting belongs to nothing, and is no reason to reboot what is good
            let settled = device::lock_patiently(path, &mut || ()).and_then(|sysroot| Ok(sysroot.settle()?));
            settled.unwrap_or_else(|error| log::warn!("boot confirm: {error}"));
        }
        return Ok(Exit::Ok);
    };
    let counts = sysroot.promises()?.is_some_and(|promises| promises.counting != Counting::Never)
        && state.trial != Trial::Blessed;
    // the loader hears of a confirm before the list changes, and after the checks
    let passed = skip_check || counts && state.trial == Trial::None;
    let is_judged = state.outcome == Outcome::OnTrial && !passed;
    let mut watchdog = Watchdog::open(device.as_deref().filter(|_| started || is_judged));
    if is_judged && let Err(error) = health::check(&root, &settings, &mut watchdog, scene.screen) {
        // a loader that counts counts the try; without tries left it falls back
        if !counts {
            conclude(scene, &state, false, &mut watchdog).inspect_err(|_| scene.screen.error(&error))?;
        }
        if reboot {
            scene.screen.error(&error);
            device::reboot(path)?;
        }
        return Err(error);
    }
    drop(sysroot);
    conclude(scene, &state, true, &mut watchdog)?;
    mark(path)?;
    watchdog.let_go();
    Ok(Exit::Ok)
}

/// Tells the deadline that this boot needs no reboot.
fn mark(path: &Path) -> Result<()> {
    let run = path.join("run/rootling");
    let marked = std::fs::create_dir_all(&run).and_then(|()| std::fs::write(run.join("confirmed"), ""));
    marked.map_err(|error| Error::io(&run.display().to_string(), &error))
}

fn conclude(scene: &Scene<'_>, seen: &BootState, passed: bool, watchdog: &mut Watchdog) -> Result<()> {
    let mut sysroot = device::lock_patiently(&scene.global.sysroot, &mut || watchdog.keep())?;
    let state = sysroot.boot_state()?.filter(|state| state.armed == seen.armed);
    let Some(BootState { armed: Some(armed), trial, outcome }) = state else {
        return Err(Error::refused(format_args!("another program changed what is on trial; try again")));
    };
    match outcome {
        Outcome::OnTrial if !passed => {
            denied(&sysroot, armed.id.as_str(), "failed its checks where no boot is counted")?;
            let next = sysroot.fall_back()?;
            scene.screen.say(&format!("{} failed its checks; {} boots next", armed.id, next.name()));
        }
        Outcome::OnTrial => {
            sysroot.confirm()?;
            if let Some(booted) = sysroot.booted() {
                DenyList::open(&sysroot, &booted.stateroot)?.remove(&booted.checksum)?;
            }
            scene.screen.say(&format!("confirmed {}", armed.id));
        }
        Outcome::FellBack => {
            denied(&sysroot, armed.id.as_str(), "did not prove itself after a boot")?;
            sysroot.fall_back()?;
            scene.screen.say(&format!("fell back: {} failed and is not tried again by itself", armed.id));
        }
        Outcome::NotTriedYet if trial == Trial::None => {
            sysroot.arm(armed.tries, true)?;
            scene.screen.say(&format!("the loader did not know of {}; armed again", armed.id));
        }
        Outcome::NotTriedYet | Outcome::Nothing => scene.screen.say(&format!("not tried yet: {}", armed.id)),
    }
    Ok(())
}
