//! `finalize`: `/etc` is merged again right before the reboot, so that edits made since the deployment are kept.
//!
//! `run/rootling/merged` says which deployment was made in this boot, and from which: `NEW BOOTED`. It goes with the
//! reboot, so that a deployment which ran, and has an `/etc` of its own since, is never merged over.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use rootling_store::sysroot::{Deployed, Sysroot};

use super::Scene;
use crate::device;
use crate::error::{Error, Result};
use crate::exit::Exit;

fn note_path(sysroot: &Sysroot) -> PathBuf {
    sysroot.path().join("run/rootling/merged")
}

/// Remembers until the reboot that a new deployment took its `/etc` from the booted one.
pub fn note(sysroot: &Sysroot, deployed: &Deployed) -> Result<()> {
    let Some(booted) = sysroot.booted().filter(|_| deployed.merge.is_some()) else { return Ok(()) };
    let path = note_path(sysroot);
    let text = format!("{} {}\n", deployed.deployment.name(), booted.name());
    let folder = path.parent().unwrap_or(&path);
    let noted = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
    noted.map_err(|error| Error::io(&path.display().to_string(), &error))
}

/// Merges again if the deployment that boots next was made in this boot.
pub fn run(scene: &Scene<'_>) -> Result<Exit> {
    let mut sysroot = device::lock(&scene.global.sysroot)?;
    let path = note_path(&sysroot);
    let noted = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        noted => noted.map_err(|error| Error::io(&path.display().to_string(), &error))?,
    };
    let name = |deployment: &rootling_store::sysroot::Deployment| deployment.name();
    let (next, booted) = (sysroot.deployments().first().map(name), sysroot.booted().map(name));
    match noted.trim().split_once(' ') {
        Some((new, from)) if next.as_deref() == Some(new) && booted.as_deref() == Some(from) => {
            let merge = sysroot.merge_again()?;
            let kept = merge.added + merge.modified + merge.removed;
            scene.screen.say(&format!("{new}: {kept} changes of /etc carried over"));
            Ok(Exit::Ok)
        }
        _ => {
            scene.screen.say("nothing to finalize");
            Ok(Exit::Ok)
        }
    }
}
