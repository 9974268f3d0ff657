//! `kargs`.

use rootling_boot::KernelArgs;

use super::{Scene, finalize};
use crate::cli::meant::KargEdit;
use crate::device;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::trial;
use crate::upgrade::report;

pub fn run(scene: &Scene<'_>, os: Option<&str>, edits: &[KargEdit], reboot: bool) -> Result<Exit> {
    let path = &scene.global.sysroot;
    if edits.is_empty() {
        let sysroot = device::look(path)?;
        let stateroot = device::stateroot(&sysroot, os)?;
        let (_, deployment) = default(&sysroot, &stateroot)?;
        scene.screen.say(&deployment.kernel_args().without_boot_args().to_string());
        return Ok(Exit::Ok);
    }
    if reboot {
        device::check_reboot(path)?;
    }
    let mut sysroot = device::lock(path)?;
    let trial = trial::wanted(&sysroot, None)?;
    let stateroot = device::stateroot(&sysroot, os)?;
    let (index, deployment) = default(&sysroot, &stateroot)?;
    let before = deployment.kernel_args().without_boot_args();
    let after = edit(before.clone(), edits)?;
    if after == before {
        scene.screen.say("no change");
        return Ok(Exit::Unchanged);
    }
    let follows = device::origin(deployment)?;
    let commit = device::trusted(sysroot.repo(), path, &deployment.checksum, &follows)?;
    let deployed = sysroot.set_kernel_args(index, &commit, after, trial)?;
    finalize::note(&sysroot, &deployed)?;
    report(scene, &deployed);
    drop(sysroot);
    if reboot {
        device::reboot(path)?;
    }
    Ok(Exit::Ok)
}

fn default<'a>(
    sysroot: &'a rootling_store::sysroot::Sysroot,
    stateroot: &str,
) -> Result<(usize, &'a rootling_store::sysroot::Deployment)> {
    let mut all = sysroot.deployments().iter().enumerate();
    let found = all.find(|(_, deployment)| deployment.stateroot == stateroot);
    found.ok_or_else(|| {
        Error::refused(format_args!("stateroot {stateroot:?}: expected a deployment, got none"))
    })
}

fn edit(mut args: KernelArgs, edits: &[KargEdit]) -> Result<KernelArgs> {
    for edit in edits {
        let done = match edit {
            KargEdit::Append(arg) => {
                args.append(arg);
                Ok(())
            }
            KargEdit::AppendIfMissing(arg) => {
                args.append_if_missing(arg);
                Ok(())
            }
            KargEdit::Delete(arg) => args.delete(arg),
            KargEdit::DeleteIfPresent(arg) => args.delete_if_present(arg).map(|_| ()),
            KargEdit::Replace(arg) => args.replace(arg),
        };
        done.map_err(|error| Error::refused(format_args!("{error}")))?;
    }
    Ok(args)
}
