//! `boot confirm`: what this boot proved, decided from facts.
//!
//! | booted against armed | then |
//! |---|---|
//! | nothing armed | nothing to do |
//! | the armed one runs, by another loader than the managed one | an error: the loader counts on |
//! | the armed one runs | its checks; all passed: it is the one that boots from now on |
//! | the armed one runs, and fails where no boot is counted | the deny list, then off the menu, before any reboot |
//! | the armed one runs, and cannot reach what U-Boot counts in | as one that fails where no boot is counted |
//! | the armed one runs, and another program made it good | its checks all the same, as where no boot is counted |
//! | the armed one runs, and the loader knows of no try, or has lost its state | the same: a cut may have kept the list of one that passed, or another program made it good |
//! | another one runs, and the loader has tried | the failed commit goes on the deny list, then off the menu |
//! | another one runs, and a loader that counts knows of no try | armed again with one try less; without one left, as if it had tried |
//! | another one runs, and the loader's state cannot be read, or nothing can be armed | off the menu |

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rootling_boot::loader::{Counting, Outcome, Trial};
use rootling_store::Error as StoreError;
use rootling_store::sysroot::loader::{Armed, BootState};
use rootling_store::sysroot::{Locked, Sysroot};

use super::Scene;
use crate::deny::{DenyList, FELL_BACK, denied};
use crate::device;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::health::{self, Watchdog};
use crate::settings::{self, Settings};

pub fn run(scene: &Scene<'_>, skip_check: bool, reboot: bool) -> Result<Exit> {
    let path = scene.global.sysroot.as_path();
    if reboot {
        device::check_reboot(path)?;
    }
    let sysroot = device::look_with(path, false)?;
    let root = device::root(&sysroot);
    let settings = settings::read(&root);
    sysroot.check_trial()?;
    let (state, started) = (sysroot.boot_state()?, health::is_started_at_boot(path));
    let named = settings.as_ref().ok().and_then(|settings| settings.watchdog.clone());
    let device = named.or_else(|| started.then(|| path.join("dev/watchdog")));
    let state = state.filter(|state| state.outcome != Outcome::Nothing);
    if state.is_none() {
        scene.screen.say("nothing is on trial");
        mark(path)?;
        Watchdog::open(device.as_deref().filter(|_| started)).let_go();
    }
    // wrong ones are no reason to reset what is good
    let settings = settings?;
    let Some(state) = state else {
        if sysroot.loader().is_some() {
            // what a cut left counting belongs to nothing, and is no reason to reboot what is good
            let settled = device::lock_patiently(path, &mut || ()).and_then(|sysroot| Ok(sysroot.settle()?));
            settled.unwrap_or_else(|error| rootling_store::warn!("boot confirm: {error}"));
        }
        return Ok(Exit::Ok);
    };
    let is_judged = state.outcome == Outcome::OnTrial && !skip_check;
    let mut watchdog = Watchdog::open(device.as_deref().filter(|_| started || is_judged));
    // one that cannot reach what U-Boot counts in would be confirmed by the list alone, and counted on
    let reached = match state.outcome {
        Outcome::OnTrial => reached(&sysroot, &settings, &mut watchdog),
        _ => Ok(()),
    };
    let reached = if skip_check { Ok(reached?) } else { reached };
    // what it counts may have come with it
    let state = sysroot.boot_state()?.unwrap_or(state);
    let counts = matches!(state.trial, Trial::Left(_) | Trial::Spent)
        && sysroot.promises()?.is_some_and(|promises| promises.counting != Counting::Never);
    let judge = || {
        sysroot.shows_tries()?;
        health::check(&root, &settings, &mut watchdog, scene.screen).and(reached)
    };
    if is_judged && let Err(error) = judge() {
        // a loader that counts counts the try; without tries left it falls back
        if !counts {
            // one that stays on the menu is left all the same
            tell(scene, conclude(scene, &state, false, &mut watchdog));
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

/// Waits as long as for a check: a partition or device may come after this program.
fn reached(sysroot: &Sysroot, settings: &Settings, watchdog: &mut Watchdog) -> Result<()> {
    let end = Instant::now() + settings.check;
    loop {
        match sysroot.reach_loader() {
            Err(_) if Instant::now() < end => {}
            reached => return Ok(reached?),
        }
        watchdog.keep();
        sleep(Duration::from_millis(200));
    }
}

/// Tells the deadline that this boot needs no reboot.
fn mark(path: &Path) -> Result<()> {
    let run = path.join("run/rootling");
    let marked = std::fs::create_dir_all(&run).and_then(|()| std::fs::write(run.join("confirmed"), ""));
    marked.map_err(|error| Error::io(&run.display().to_string(), &error))
}

/// For what is no reason to stop.
fn tell(scene: &Scene<'_>, result: Result<()>) {
    result.unwrap_or_else(|error| scene.screen.error(&error));
}

/// The loader has tried it, and runs another one.
fn fell_back(scene: &Scene<'_>, sysroot: &mut Locked, armed: &Armed) -> Result<()> {
    denied(sysroot, armed.id.as_str(), FELL_BACK)?;
    sysroot.fall_back()?;
    scene.screen.say(&format!("fell back: {} failed and is not tried again by itself", armed.id));
    Ok(())
}

fn conclude(scene: &Scene<'_>, seen: &BootState, passed: bool, watchdog: &mut Watchdog) -> Result<()> {
    let mut sysroot = device::lock_patiently(&scene.global.sysroot, &mut || watchdog.keep())?;
    let state = sysroot.boot_state()?.filter(|state| state.armed == seen.armed);
    let Some(BootState { armed: Some(armed), trial, outcome }) = state else {
        return Err(Error::refused(format_args!("another program changed what is on trial; try again")));
    };
    match outcome {
        Outcome::OnTrial if !passed => {
            // worse than one that is tried again is one that stays
            tell(scene, denied(&sysroot, armed.id.as_str(), "failed its checks where no boot is counted"));
            let next = sysroot.fall_back()?;
            scene.screen.say(&format!("{} failed its checks; {} boots next", armed.id, next.name()));
        }
        Outcome::OnTrial => {
            sysroot.confirm()?;
            if let Some(booted) = sysroot.booted() {
                // it is confirmed, whatever the list is worth
                let list = DenyList::open(&sysroot, &booted.stateroot);
                tell(scene, list.and_then(|mut list| list.remove(&booted.checksum)));
            }
            scene.screen.say(&format!("confirmed {}", armed.id));
        }
        Outcome::NotTriedYet if trial == Trial::None => {
            let rearmed = sysroot.promises().and_then(|promises| {
                let promises = promises.ok_or_else(|| StoreError::refused("no boot loader is managed"))?;
                let counts = matches!(promises.counting, Counting::UpTo(_));
                let tries = armed.tries.saturating_sub(counts.into());
                if tries > 0 {
                    sysroot.arm(tries, true)?;
                }
                Ok(tries > 0)
            });
            match rearmed {
                Ok(false) => fell_back(scene, &mut sysroot, &armed)?,
                Ok(true) => {
                    scene.screen.say(&format!("the loader did not know of {}; armed again", armed.id));
                }
                Err(error) => {
                    sysroot.fall_back()?;
                    scene.screen.say(&format!("{error}: {} is not tried", armed.id));
                }
            }
        }
        Outcome::FellBack => fell_back(scene, &mut sysroot, &armed)?,
        Outcome::NotTriedYet | Outcome::Nothing => scene.screen.say(&format!("not tried yet: {}", armed.id)),
    }
    Ok(())
}
