//! The deployments of a device and what boots them, in libostree's layout.
//!
//! ```text
//! ostree/repo                                            objects, hard-linked into the deployments
//! ostree/lock                                            held while anything below changes
//! ostree/deploy/STATEROOT/var                            shared by its deployments
//! ostree/deploy/STATEROOT/deploy/CHECKSUM.SERIAL         a deployment: a checkout, with its own etc/
//! ostree/deploy/STATEROOT/deploy/CHECKSUM.SERIAL.origin  key file: where it came from, whether it is pinned
//! ostree/boot.N -> boot.N.M                              N, M: 0 or 1
//! ostree/boot.N.M/STATEROOT/BOOTCSUM/BOOTSERIAL          link to a deployment; the ostree= kernel argument
//! boot/loader -> loader.N
//! boot/loader.N/entries/ostree-INDEX.conf                one boot entry for each deployment
//! boot/ostree/STATEROOT-BOOTCSUM/                        kernel, initramfs, device trees
//! ```
//!
//! The list of deployments is the list of boot entries, the default first; nothing else remembers it. Changes go
//! through [`Locked`], which is a [`Sysroot`] with the lock held:
//!
//! | file | noun or verb |
//! |---|---|
//! | `init` | an empty sysroot, a stateroot |
//! | `read`, `deployment`, `origin` | what is on the disk |
//! | `kernel` | the boot files of a tree and their checksum |
//! | `verify`, `space` | checks before anything changes |
//! | `deploy` | a commit to a new deployment |
//! | `etc` | what was changed in `/etc`, and carrying it over |
//! | `write`, `apply` | a list of deployments becomes the boot menu: plans of `rootling_boot`, applied |
//! | `loader` | the boot loader: its files and state, trials of a deployment |
//! | `change` | rollback, undeploy, pin, kernel arguments, origin |
//! | `cleanup` | whatever no boot entry refers to |
//! | `writable` | a running system with read-only mounts |
//!
//! **Invariant:** the booted deployment is on every list that is written, and its directory is never removed.
//! **Invariant:** only the rename at the end of `write` changes what boots. Power may fail on any line before it:
//! the old list boots, and what was left is removed by the next `cleanup` or change.

mod apply;
mod change;
mod cleanup;
mod deploy;
mod deployment;
pub mod etc;
mod init;
mod kernel;
pub mod loader;
mod origin;
mod read;
mod space;
pub mod verify;
mod writable;
mod write;

pub use cleanup::{Cleaned, CleanupScope};
pub use deploy::{DeployOptions, Deployed, Place};
pub use deployment::Deployment;
pub use init::{init, init_stateroot};
pub use origin::Origin;

use crate::error::{Error, Result};
use crate::lock::{FileLock, LockKind};
use crate::repo::Repo;
use rootling_boot::plan::BootVersion;
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A sysroot and its deployments as they were when it was opened.
pub struct Sysroot {
    path: PathBuf,
    repo: Repo,
    version: BootVersion,
    deployments: Vec<Deployment>,
    running: Option<Running>,
    booted: Option<usize>,
    naming: rootling_boot::Naming,
    loader: Option<loader::Loader>,
}

/// What the caller knows about the running system, for finding the booted deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The text of `/proc/cmdline`.
    pub cmdline: String,
    /// Device and inode of the deployment's own root: of `/`, or of the folder that it covers as an overlay.
    pub root: (u64, u64),
    /// `/run/ostree`, where libostree leaves word of a staged deployment.
    pub run_dir: PathBuf,
}

/// A sysroot whose lock is held, so that it may change.
pub struct Locked {
    sysroot: Sysroot,
    _lock: FileLock,
}

impl Sysroot {
    /// Opens a sysroot that is not the running system's, such as a mounted image or a folder.
    pub fn open(path: &Path) -> Result<Sysroot> {
        Sysroot::read(path, None)
    }

    /// Opens the sysroot of the running system; without an `ostree=` argument there is no booted deployment.
    pub fn open_running(path: &Path, running: Running) -> Result<Sysroot> {
        Sysroot::read(path, Some(running))
    }

    /// Writes entries in this form from now on; the default is that of newer libostree.
    pub fn with_naming(mut self, naming: rootling_boot::Naming) -> Sysroot {
        self.naming = naming;
        self
    }

    /// Keeps the files and the state of this boot loader in step with the list; `None` for entries only.
    pub fn with_loader(mut self, loader: Option<loader::Loader>) -> Sysroot {
        self.loader = loader;
        self
    }

    /// Takes the lock, which excludes libostree too, and reads the disk again.
    pub fn lock(self, patience: Duration) -> Result<Locked> {
        if let Some(staged) =
            self.running.as_ref().map(|r| r.run_dir.join("staged-deployment")).filter(|p| p.exists())
        {
            return Err(Error::unsupported(format_args!(
                "a staged deployment of ostree ({}): finish or remove it first",
                staged.display()
            )));
        }
        if self.running.is_some() {
            writable::make_writable(&self.path)?;
        }
        let lock = FileLock::acquire(&self.path.join("ostree/lock"), LockKind::Exclusive, patience)?;
        let mut sysroot = Sysroot::read(&self.path, self.running)?;
        (sysroot.naming, sysroot.loader) = (self.naming, self.loader);
        Ok(Locked { sysroot, _lock: lock })
    }

    /// The sysroot's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its repo.
    pub fn repo(&self) -> &Repo {
        &self.repo
    }

    /// Its repo, to write the configuration.
    pub fn repo_mut(&mut self) -> &mut Repo {
        &mut self.repo
    }

    /// All deployments, the default first.
    pub fn deployments(&self) -> &[Deployment] {
        &self.deployments
    }

    /// The one that runs.
    pub fn booted(&self) -> Option<&Deployment> {
        self.booted.and_then(|at| self.deployments.get(at))
    }

    /// A stateroot's deployments before the booted one: what a reboot would start instead of it.
    pub fn pending(&self, stateroot: &str) -> impl Iterator<Item = &Deployment> {
        let before = self.booted.unwrap_or(0);
        self.deployments.iter().take(before).filter(move |d| d.stateroot == stateroot)
    }

    /// The deployment to go back to: the first of the stateroot after the booted one, or after the default.
    pub fn rollback_target(&self, stateroot: &str) -> Option<&Deployment> {
        let after = match self.booted {
            Some(booted) => booted + 1,
            None => self.deployments.iter().position(|d| d.stateroot == stateroot)? + 1,
        };
        self.deployments.iter().skip(after).find(|d| d.stateroot == stateroot)
    }

    /// The deployment whose `/etc` and kernel arguments a new one takes over: the booted one, else the default.
    pub fn merge_source(&self, stateroot: &str) -> Option<&Deployment> {
        let booted = self.booted().filter(|d| d.stateroot == stateroot);
        booted.or_else(|| self.deployments.iter().find(|d| d.stateroot == stateroot))
    }

    /// Where a deployment lies.
    pub fn deployment_path(&self, deployment: &Deployment) -> PathBuf {
        self.path.join(deployment.path())
    }

    /// Whether these are the device and inode of the running root.
    fn is_running_root(&self, id: (u64, u64)) -> bool {
        self.running.as_ref().is_some_and(|running| running.root == id)
    }
}

impl Locked {
    /// Reads the disk again, after a change.
    fn reload(&mut self) -> Result<()> {
        let (naming, loader) = (self.sysroot.naming, self.sysroot.loader.take());
        self.sysroot = Sysroot::read(&self.sysroot.path, self.sysroot.running.clone())?;
        (self.sysroot.naming, self.sysroot.loader) = (naming, loader);
        Ok(())
    }

    /// Its repo, to write the configuration.
    pub fn repo_mut(&mut self) -> &mut Repo {
        &mut self.sysroot.repo
    }
}

impl Deref for Locked {
    type Target = Sysroot;

    fn deref(&self) -> &Sysroot {
        &self.sysroot
    }
}

impl fmt::Debug for Sysroot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sysroot({}, {} deployments)", self.path.display(), self.deployments.len())
    }
}

/// Puts the place before an error about boot text.
fn boot_error(place: impl fmt::Display) -> impl FnOnce(rootling_boot::Error) -> Error {
    move |error| match error {
        rootling_boot::Error::Malformed { what, expected, got } => Error::corrupt_at(
            place.to_string(),
            rootling_object::Error::malformed("boot entry", what, expected, got),
        ),
        other => Error::refused(format_args!("{place}: {other}")),
    }
}
