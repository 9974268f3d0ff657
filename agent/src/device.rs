//! What is on this device: the first step of every command that changes or shows deployments.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rootling_boot::loader::Kind;
use rootling_object::{Checksum, Commit, Refspec};
use rootling_store::Repo;
use rootling_store::sysroot::loader::{self, Loader};
use rootling_store::sysroot::{Deployment, Locked, Running, Sysroot};
use rootling_trust::{Policy, Verified, verify_commit};

use crate::child::{Child, End};
use crate::deny::deny_fallen;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::remote::{keys, read};
use crate::settings;

/// How long another updater is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long `boot confirm` waits for one, which may be fetching; its unit tries again after that.
const LONG_PATIENCE: Duration = Duration::from_secs(300);

/// How long at a time, where something else has to be done meanwhile.
const WAIT: Duration = Duration::from_millis(500);

/// With `root.transient` the root is an overlay with numbers of its own; prepare-root links to the deployment below it.
const BELOW: &str = "run/rootling/root";

/// Reads the sysroot; `/` is the running system's.
pub fn look(path: &Path) -> Result<Sysroot> {
    look_with(path, true)
}

/// As [`look`]; where the settings are wrong and not needed, the loader is the one that is there.
pub fn look_with(path: &Path, settings_needed: bool) -> Result<Sysroot> {
    let sysroot = open(path)?;
    let root = root(&sysroot);
    let boot = match settings::read(&root) {
        Ok(settings) => settings.boot,
        Err(error) if settings_needed => return Err(error),
        Err(_) => loader::Settings::default(),
    };
    let loader = Loader::detect(path, &root, &boot)?;
    Ok(sysroot.with_loader(loader))
}

/// Where the running system's own files are; in a folder those of the deployment that would run.
pub fn root(sysroot: &Sysroot) -> PathBuf {
    let present = sysroot.booted().or(sysroot.deployments().first());
    match present.filter(|_| sysroot.path() != Path::new("/")) {
        Some(present) => sysroot.deployment_path(present),
        None => sysroot.path().to_owned(),
    }
}

fn open(path: &Path) -> Result<Sysroot> {
    let is_running = path == Path::new("/");
    // a folder may look like a running device: the root of its first process is a deployment
    let (place, cmdline) = match is_running {
        true => {
            ("", fs::read_to_string("/proc/cmdline").map_err(|error| Error::io("/proc/cmdline", &error))?)
        }
        false => ("proc/1/root", "ostree=".into()),
    };
    let root = fs::metadata(path.join(BELOW)).or_else(|_| fs::metadata(path.join(place)));
    let opened = root.map_err(|error| Error::io("/", &error)).and_then(|root| {
        let running = Running { cmdline, root: (root.dev(), root.ino()), run_dir: path.join("run/ostree") };
        Ok(Sysroot::open_running(path, running)?)
    });
    match opened {
        Err(_) if !is_running => Ok(Sysroot::open(path)?),
        opened => opened,
    }
}

/// Reads the sysroot and keeps other updaters, libostree's included, from changing it.
pub fn lock(path: &Path) -> Result<Locked> {
    let sysroot = look(path)?.lock(PATIENCE)?;
    deny_fallen(&sysroot);
    Ok(sysroot)
}

/// As [`lock`], for what has to come to an end in this boot; calls `meanwhile` again and again while it waits.
pub fn lock_patiently(path: &Path, meanwhile: &mut dyn FnMut()) -> Result<Locked> {
    let end = Instant::now() + LONG_PATIENCE;
    loop {
        meanwhile();
        match look(path)?.lock(WAIT).map_err(Error::from) {
            Err(error) if error.exit() == Exit::Locked && Instant::now() < end => {}
            locked => return locked,
        }
    }
}

/// The stateroot to work on: the one named, or the booted one, or the default's, or the only one there is.
pub fn stateroot(sysroot: &Sysroot, named: Option<&str>) -> Result<String> {
    if let Some(named) = named {
        let known = sysroot.path().join("ostree/deploy").join(named).is_dir() && !named.contains('/');
        return match known {
            true => Ok(named.to_owned()),
            false => Err(Error::refused(format_args!(
                "expected a stateroot, got {named:?}; rootling init makes one"
            ))),
        };
    }
    let default = sysroot.booted().or_else(|| sysroot.deployments().first());
    if let Some(deployment) = default {
        return Ok(deployment.stateroot.clone());
    }
    let folder = sysroot.path().join("ostree/deploy");
    let mut names = names(&folder).map_err(|error| Error::io(&folder.display().to_string(), &error))?;
    match (names.pop(), names.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => {
            Err(Error::refused(format_args!("{}: expected a stateroot, got none", folder.display())))
        }
        _ => Err(Error::usage(format_args!("{}: several stateroots; name one with --os", folder.display()))),
    }
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}

/// The deployment that the next one of this stateroot follows on.
pub fn present<'a>(sysroot: &'a Sysroot, stateroot: &str) -> Result<&'a Deployment> {
    let found = sysroot.merge_source(stateroot);
    found.ok_or_else(|| {
        Error::refused(format_args!("stateroot {stateroot:?}: expected a deployment, got none"))
    })
}

/// What a deployment follows.
pub fn origin(deployment: &Deployment) -> Result<Refspec> {
    let refspec = deployment.origin.refspec()?;
    refspec.ok_or_else(|| {
        Error::refused(format_args!(
            "{}: expected a refspec, got none; use rootling switch",
            deployment.origin_path()
        ))
    })
}

/// A commit of this repo, verified again by what its remote asks for today.
///
/// A ref that belongs to no remote was put there by hand on this device: that is its policy.
pub fn trusted(
    repo: &Repo,
    sysroot: &Path,
    commit: &Checksum,
    follows: &Refspec,
) -> Result<Verified<Commit>> {
    let bytes = repo.load_metadata(rootling_object::ObjectKind::Commit, commit)?;
    let detached = repo.load_detached(commit)?;
    let policy = match &follows.remote {
        Some(name) => keys::commit_policy(&read::find(repo.path(), sysroot, name)?, sysroot)?,
        None => Policy::Unsigned { remote: "(this repo)".into() },
    };
    Ok(verify_commit(&bytes, *commit, detached.as_ref(), &policy)?)
}

/// Restarts the machine, and has the firmware try what is armed where it has to be told; takes the lock for that.
///
/// Where systemd is not there to pass the words on, the kernel is asked at once: synced, but with no program told.
pub fn reboot(sysroot: &Path) -> Result<()> {
    check_reboot(sysroot)?;
    if let Some(words) = words_for_firmware(sysroot)? {
        let argument = format!("--reboot-argument={words}");
        return match restarts("systemctl", &["reboot".as_ref(), argument.as_ref()]) {
            true => Ok(()),
            false => Err(loader::restart(words).into()),
        };
    }
    match restarts("systemctl", &["reboot".as_ref()]) || restarts("reboot", &[]) {
        true => Ok(()),
        false => Err(Error::refused(format_args!(
            "the new deployment is ready, but neither systemctl nor reboot worked"
        ))),
    }
}

fn restarts(program: &str, args: &[&Path]) -> bool {
    let asked = Child::start(program.as_ref(), args);
    asked.and_then(|child| child.wait()).is_ok_and(|end| end == End::Code(0))
}

fn words_for_firmware(sysroot: &Path) -> Result<Option<&'static str>> {
    match loader::TELLS && look(sysroot)?.loader().is_some_and(|loader| loader.kind() == Kind::Pi) {
        true => Ok(lock(sysroot)?.reboot_argument()?),
        false => Ok(None),
    }
}

/// Refuses to restart a machine for a sysroot that it does not run.
pub fn check_reboot(sysroot: &Path) -> Result<()> {
    match sysroot == Path::new("/") {
        true => Ok(()),
        false => Err(Error::usage(format_args!("--reboot is for the running system, not for a --sysroot"))),
    }
}
