//! GRUB, with our configuration or with one that counts for greenboot.

use super::detect::{Scene, find_grubenv};
use super::family::{Asked, Family, Listed};
use super::{Armed, Try, refuse};
use crate::error::{Error, Result};
use crate::sysroot::{Locked, Sysroot};
use rootling_boot::grub::{self, GrubEnv, SIZE, greenboot};
use rootling_boot::loader::{Change, Promises, Trial};
use rootling_boot::plan::Plan;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// GRUB with our configuration.
struct Grub;

/// GRUB with a configuration that counts for greenboot; its environment block, below the sysroot.
struct Greenboot(String);

/// `boot/grub/grub.cfg` is ours, or is to be.
pub(super) fn open(_: &Scene<'_>) -> Result<Arc<dyn Family>> {
    Ok(Arc::new(Grub))
}

/// Some grubenv has greenboot's variables, or the configuration says which will.
pub(super) fn open_greenboot(scene: &Scene<'_>) -> Result<Arc<dyn Family>> {
    let env = scene.settings.grubenv.clone().or_else(|| find_grubenv(scene));
    let missing =
        || Error::not_found("a grubenv with boot_success or boot_counter", scene.sysroot.join("boot"));
    Ok(Arc::new(Greenboot(env.ok_or_else(missing)?)))
}

/// GRUB's environment block.
fn read(sysroot: &Path, place: &str) -> Result<GrubEnv> {
    let path = sysroot.join(place);
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(Error::io("open", &path))?;
    // one byte more shows a file that is too long
    file.take(SIZE as u64 + 1).read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
    GrubEnv::decode(&bytes).map_err(|error| Error::refused(format_args!("{}: {error}", path.display())))
}

/// The block of our own configuration; where something is on trial, one that is lost counts as a new one.
fn env(sysroot: &Path) -> Result<GrubEnv> {
    read(sysroot, grub::ENV).or_else(|error| match Armed::read(sysroot) {
        Ok(Some(_)) => Ok(GrubEnv::default()),
        _ => Err(error),
    })
}

impl Family for Grub {
    fn promises(&self, sysroot: &Path) -> Result<Promises> {
        env(sysroot).map(|_| grub::PROMISES)
    }

    fn trial(&self, sysroot: &Sysroot, armed: &Armed) -> Result<Trial> {
        Ok(grub::trial(&read(&sysroot.path, grub::ENV)?, &armed.id))
    }

    fn files(&self, list: &mut Listed<'_>) -> Result<Vec<(&'static str, String)>> {
        if list.entries.first().is_some_and(|entry| entry.get("fdtdir").is_some()) {
            super::warn_of_folder();
        }
        Ok(vec![(grub::MENU, grub::menu(&list.entries, list.trial))])
    }

    fn change(&self, sysroot: &Locked, asked: &Asked<'_>, plan: Plan) -> Result<Change> {
        // before `install` there is none, and nothing on trial
        let env = || env(&sysroot.path);
        let changed = match (asked.what, asked.armed, asked.old) {
            (Try::Arm { tries, .. }, Some(new), _) => grub::arm(&env()?, plan, &new.id, tries),
            (Try::Confirm, _, Some(old)) => grub::confirm(&env()?, &old.id, plan),
            (Try::FallBack, _, Some(old)) => grub::fall_back(&env()?, &old.id, plan),
            _ => return Ok(plan.into()),
        };
        let mut changed = changed.map_err(refuse)?;
        if asked.old.is_some() && read(&sysroot.path, grub::ENV).is_err() {
            // of its right size, before it is written over in place
            let mut anew = grub::new_env().map_err(refuse)?;
            anew.steps.append(&mut changed.steps);
            return Ok(anew);
        }
        Ok(changed)
    }

    fn install(&self, sysroot: &mut Locked, timeout_s: u32) -> Result<()> {
        sysroot.take_into_use("boot/grub", &grub::install(timeout_s).map_err(refuse)?)
    }

    fn own_files(&self) -> &'static [&'static str] {
        &["loader/grub.cfg"]
    }
}

impl Family for Greenboot {
    fn promises(&self, sysroot: &Path) -> Result<Promises> {
        read(sysroot, &self.0).map(|_| greenboot::PROMISES)
    }

    fn trial(&self, sysroot: &Sysroot, _: &Armed) -> Result<Trial> {
        Ok(greenboot::trial(&read(&sysroot.path, &self.0)?))
    }

    fn marks_entries(&self) -> bool {
        true
    }

    fn change(&self, sysroot: &Locked, asked: &Asked<'_>, plan: Plan) -> Result<Change> {
        if asked.what == Try::Keep {
            return Ok(plan.into());
        }
        let place = self.0.as_str();
        let env = match (read(&sysroot.path, place), asked.what) {
            (Ok(env), _) => env,
            (Err(error), Try::Arm { .. }) => return Err(error),
            // it is GRUB's and the distribution's; the list says what boots without it
            (Err(_), _) => return Ok(plan.into()),
        };
        let changed = match asked.what {
            Try::Arm { tries, .. } => greenboot::arm(place, &env, plan, tries),
            Try::FallBack => greenboot::fall_back(place, &env, plan),
            _ => greenboot::confirm(place, &env).map(|change| change.before(plan)),
        };
        changed.map_err(refuse)
    }

    fn settle(&self, sysroot: &Locked) -> Result<bool> {
        if Armed::read(&sysroot.path)?.is_some() {
            return Ok(false);
        }
        match read(&sysroot.path, &self.0) {
            // nothing is on trial, so nobody needs it now, and the list is as it was asked for
            Err(error) => crate::warn!("whether GRUB counts is not known: {error}"),
            Ok(env) if greenboot::trial(&env) == Trial::None => {}
            Ok(env) => sysroot.apply(&greenboot::confirm(&self.0, &env).map_err(refuse)?)?,
        }
        Ok(false)
    }
}
