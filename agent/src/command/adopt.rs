//! `adopt`: whether an installation that libostree made can be taken over. Nothing is written.

use std::fs;
use std::path::Path;

use rootling_store::sysroot::Sysroot;

use super::Scene;
use crate::device;
use crate::error::{Error, Result};
use crate::remote::{keys, read};

pub fn run(scene: &Scene<'_>) -> Result<()> {
    let path = scene.global.sysroot.as_path();
    let mut obstacles = Vec::new();
    if let Some(pid) = rpm_ostreed(path) {
        obstacles.push(format!("rpm-ostreed runs as process {pid}: stop and mask it first"));
    }
    let staged = path.join("run/ostree/staged-deployment");
    if staged.exists() {
        obstacles
            .push(format!("a staged deployment ({}): reboot into it or undeploy it first", staged.display()));
    }
    match device::look(path) {
        Ok(sysroot) => look(&sysroot, &mut obstacles),
        Err(error) => obstacles.push(error.to_string()),
    }
    if obstacles.is_empty() {
        scene.screen.say("can be taken over: nothing stands in the way");
        return Ok(());
    }
    obstacles.iter().for_each(|obstacle| scene.screen.say(&format!("obstacle: {obstacle}")));
    Err(Error::refused(format_args!("{}: expected no obstacles, got {}", path.display(), obstacles.len())))
}

fn look(sysroot: &Sysroot, obstacles: &mut Vec<String>) {
    obstacles.extend(sysroot.check_writable().err().map(|error| error.to_string()));
    for deployment in sysroot.deployments() {
        let name = deployment.name();
        for group in ["packages", "overrides", "rpmostree"] {
            if deployment.origin.keyfile().has_group(group) {
                obstacles.push(format!("{name}: rpm-ostree's [{group}], which would be lost"));
            }
        }
        match device::origin(deployment) {
            Err(error) => obstacles.push(error.to_string()),
            Ok(follows) => {
                let found = follows.remote.map(|name| usable(sysroot, &name));
                let told = found.and_then(|found| found.err()).map(|error| error.to_string());
                obstacles.extend(told.filter(|told| !obstacles.contains(told)));
            }
        }
    }
}

/// Whether an upgrade would take this remote: its settings, and a policy for signatures that can be met.
fn usable(sysroot: &Sysroot, name: &str) -> Result<()> {
    let remote = read::find(sysroot.repo().path(), sysroot.path(), name)?;
    keys::commit_policy(&remote, sysroot.path()).and(keys::summary_policy(&remote, sysroot.path())).map(drop)
}

/// The daemon that would change the same deployments.
fn rpm_ostreed(path: &Path) -> Option<String> {
    let processes = fs::read_dir(path.join("proc")).ok()?.flatten();
    let runs = |process: &fs::DirEntry| {
        fs::read_to_string(process.path().join("comm")).is_ok_and(|comm| comm.trim() == "rpm-ostree")
    };
    processes.into_iter().find(runs).map(|process| process.file_name().to_string_lossy().into_owned())
}
