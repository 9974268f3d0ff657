//! `boot confirm`: what this boot proved, decided from facts.
//!
//! | booted against armed | then |
//! |---|---|
//! | nothing armed | nothing to do |
//! | the armed one runs | its checks; all passed: it is the one that boots from now on |
//! | another one runs, and the loader has tried | the failed commit goes on the deny list, then off the menu |
//! | another one runs, and the loader lost its state | armed again |

use rootling_boot::loader::{Outcome, Trial};
use rootling_store::sysroot::loader::BootState;

use super::{Scene, denied};
use crate::deny::DenyList;
use crate::device;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::health;
use crate::settings;

pub fn run(scene: &Scene<'_>, skip_check: bool, reboot: bool) -> Result<Exit> {
    let path = scene.global.sysroot.as_path();
    if reboot {
        device::check_reboot(path)?;
    }
    let sysroot = device::look(path)?;
    let state = sysroot.boot_state()?;
    let outcome = state.as_ref().map_or(Outcome::Nothing, |state| state.outcome);
    if outcome == Outcome::OnTrial && !skip_check {
        let root = device::root(&sysroot);
        if let Err(error) = health::check(&root, &settings::read(&root)?, scene.screen) {
            // the loader counts the try; without tries left it falls back
            if reboot {
                scene.screen.error(&error);
                device::reboot(path)?;
            }
            return Err(error);
        }
    }
    drop(sysroot);
    match state {
        Some(state) if outcome != Outcome::Nothing => conclude(scene, &state)?,
        Some(_) => {
            // what a cut left counting belongs to nothing
            device::lock(path)?.settle()?;
            scene.screen.say("nothing is on trial");
        }
        None => scene.screen.say("nothing is on trial"),
    }
    let run = path.join("run/rootling");
    let marked = std::fs::create_dir_all(&run).and_then(|()| std::fs::write(run.join("confirmed"), ""));
    marked.map_err(|error| Error::io(&run.display().to_string(), &error))?;
    Ok(Exit::Ok)
}

fn conclude(scene: &Scene<'_>, seen: &BootState) -> Result<()> {
    let mut sysroot = device::lock(&scene.global.sysroot)?;
    let state = sysroot.boot_state()?.filter(|state| state.armed == seen.armed);
    let Some(BootState { armed: Some(armed), trial, outcome }) = state else {
        return Err(Error::Refused("another program changed what is on trial; try again".into()));
    };
    match outcome {
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
