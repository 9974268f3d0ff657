//! From a verified commit to a deployment that boots next.
//!
//! | step | durable after it; if power fails here |
//! |---|---|
//! | [`clean`](super::cleanup) what a killed run left | nothing that boots changed |
//! | verify the objects, compare `/etc`, check the space | nothing changed |
//! | check out into `CHECKSUM.SERIAL`, copy and merge `/etc`, write the origin | a directory nobody boots |
//! | write the list, see [`write`](super::write) | its rename: the new deployment boots |
//! | clean up | the old list's leftovers, bit by bit |

use super::cleanup::{Cleaned, CleanupScope};
use super::deployment::parse_name;
use super::etc::{self, Merge};
use super::loader::Try;
use super::verify::{Verification, verify_commit_objects};
use super::{Deployment, Locked, Origin, kernel, space};
use crate::checkout::{CheckoutOptions, checkout};
use crate::error::{Error, Result};
use crate::walk::{self, Entry as TreeEntry};
use rootling_boot::{Entry, KernelArgs};
use rootling_object::{Checksum, Commit, Keyfile};
use rootling_trust::Verified;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

/// What is to be deployed, and how.
pub struct DeployOptions<'a> {
    /// The stateroot; it has to be there.
    pub stateroot: &'a str,
    /// What the new deployment follows.
    pub origin: Origin,
    /// Kernel arguments; `None` takes those of the merge source.
    pub kernel_args: Option<KernelArgs>,
    /// Where `/etc` and kernel arguments come from; `None` takes [`Sysroot::merge_source`](super::Sysroot::merge_source).
    pub merge_source: Option<Deployment>,
    /// Where it goes on the list.
    pub place: Place,
    /// Whether it has to prove itself, where a boot loader is managed.
    pub trial: Try,
    /// Keeps every deployment on the list.
    pub retain: bool,
    /// Leaves removing what is no longer needed to a later clean-up.
    pub no_cleanup: bool,
    /// Content objects that this run hashed itself and that need not be read again.
    pub is_known: &'a dyn Fn(&Checksum) -> bool,
    /// Threads for the verification.
    pub threads: usize,
}

/// A place on the list of deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// The default at the next boot.
    #[default]
    First,
    /// After the booted deployment, or the merge source: there to be chosen.
    AfterBooted,
}

/// What a deployment did.
#[derive(Debug)]
pub struct Deployed {
    /// The new deployment.
    pub deployment: Deployment,
    /// What was read and hashed again.
    pub verification: Verification,
    /// What was carried over in `/etc`, where there was something to carry.
    pub merge: Option<Merge>,
    /// The loader's entries were written anew, not only the links behind them.
    pub is_swap: bool,
    /// What was removed afterwards.
    pub cleaned: Option<Cleaned>,
}

impl<'a> DeployOptions<'a> {
    /// The usual way: first place, `/etc` and arguments of the merge source, nothing known, two threads.
    pub fn new(stateroot: &'a str, origin: Origin) -> DeployOptions<'a> {
        DeployOptions {
            stateroot,
            origin,
            kernel_args: None,
            merge_source: None,
            place: Place::First,
            trial: Try::Keep,
            retain: false,
            no_cleanup: false,
            is_known: &|_| false,
            threads: 2,
        }
    }
}

impl Locked {
    /// Deploys a commit.
    pub fn deploy(&mut self, commit: &Verified<Commit>, options: &DeployOptions<'_>) -> Result<Deployed> {
        let leftovers = self.clean_leftovers()?;
        self.refuse_commit(commit, options.stateroot)?;
        let merge_source =
            options.merge_source.clone().or_else(|| self.merge_source(options.stateroot).cloned());
        let verification =
            verify_commit_objects(self.repo(), commit.get(), options.is_known, options.threads)?;
        let old = merge_source.as_ref().map(|d| self.deployment_path(d));
        let changes = match &old {
            Some(old) => etc::diff(&old.join("usr/etc"), &old.join("etc"))?,
            None => Vec::new(),
        };
        let edited = old.as_ref().map_or_else(|| self.path.clone(), |old| old.join("etc"));
        space::check(self, commit.get(), &edited, &changes)?;

        let (name, serial) = self.new_name(options.stateroot, commit.checksum())?;
        let tree = self.path.join("ostree/deploy").join(options.stateroot).join("deploy").join(&name);
        let made = self.make_tree(commit.get(), &tree);
        let merge = made.and_then(|()| merge_etc(old.as_deref(), &tree, &changes));
        let deployment = merge.and_then(|merge| {
            let deployment =
                self.describe(&tree, commit.checksum(), serial, merge_source.as_ref(), options)?;
            self.write_origin(&deployment)?;
            Ok((deployment, merge))
        });
        // a full disk here must not stay full: what was made goes before the error is told
        let (deployment, merge) = match deployment {
            Ok(done) => done,
            Err(error) => {
                if let Err(left) = self.remove_tree(&tree) {
                    crate::warn!("{} is left to the next clean-up: {left}", tree.display());
                }
                return Err(error);
            }
        };
        self.seal(&tree)?;
        let list = self.list_with(&deployment, merge_source.as_ref(), options);
        let kept_all = list.len() == self.deployments.len() + 1;
        let written = match self.write_list(&list, options.trial) {
            Ok(written) => written,
            Err(error) => {
                if let Err(left) = self.reload().and_then(|()| self.clean_leftovers()) {
                    crate::warn!("{} is left to the next clean-up: {left}", tree.display());
                }
                return Err(error);
            }
        };
        // where nothing left the list, no object lost its last user
        let no_prune = kept_all && leftovers.deployments.is_empty();
        let scope = CleanupScope { no_prune, ..CleanupScope::default() };
        let cleaned = if options.no_cleanup { None } else { Some(self.cleanup(scope)?) };
        Ok(Deployed { deployment, verification, merge, is_swap: written.is_swap, cleaned })
    }

    fn refuse_commit(&self, commit: &Verified<Commit>, stateroot: &str) -> Result<()> {
        let dir = self.path.join("ostree/deploy").join(stateroot);
        if !dir.is_dir() {
            return Err(Error::not_found(format_args!("stateroot {stateroot:?}"), self.path.clone()));
        }
        if self.repo().is_partial(commit.checksum()) {
            return Err(Error::refused(format_args!(
                "commit {} is not complete: pull it again",
                commit.checksum()
            )));
        }
        let root = (&commit.get().root_tree, &commit.get().root_meta);
        let config = walk::read_file(self.repo(), root, "usr/lib/ostree/prepare-root.conf", 64 << 10)?;
        let text = config.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let config = Keyfile::parse(&text).map_err(Error::corrupt("usr/lib/ostree/prepare-root.conf"))?;
        match config.get("composefs", "enabled") {
            None | Some("no" | "false" | "0" | "maybe") => Ok(()),
            Some(value) => {
                let what =
                    format!("composefs (prepare-root.conf of the commit has composefs.enabled={value})");
                Err(Error::unsupported(what))
            }
        }
    }

    /// The next free serial of a commit in a stateroot.
    fn new_name(&self, stateroot: &str, checksum: &Checksum) -> Result<(String, u32)> {
        let deploy = self.path.join("ostree/deploy").join(stateroot).join("deploy");
        super::init::ensure_dir(&deploy, 0o755)?;
        let names = crate::fs::list(&deploy)?;
        let taken =
            names.iter().filter_map(|(n, _)| parse_name(n)).filter(|(c, _)| c == checksum).map(|(_, s)| s);
        let serial = taken.max().map_or(0, |highest| highest.saturating_add(1));
        Ok((format!("{checksum}.{serial}"), serial))
    }

    fn make_tree(&self, commit: &Commit, tree: &Path) -> Result<()> {
        let root = (&commit.root_tree, &commit.root_meta);
        checkout(self.repo(), root, tree, CheckoutOptions { threads: 2, ..CheckoutOptions::default() })?;
        let etc = tree.join("etc");
        match walk::find(self.repo(), root, "usr/etc")? {
            Some(TreeEntry::Dir(dirtree, dirmeta)) => {
                // an empty etc stands for the mount point of other systems; one with content has two owners
                if etc.symlink_metadata().is_ok() && std::fs::remove_dir(&etc).is_err() {
                    return Err(Error::refused("the commit has both /etc and /usr/etc"));
                }
                checkout(
                    self.repo(),
                    (&dirtree, &dirmeta),
                    &etc,
                    CheckoutOptions { copy: true, ..CheckoutOptions::default() },
                )?;
            }
            _ if etc.is_dir() && !crate::fs::list(&etc)?.is_empty() => {
                return Err(Error::refused("the commit has /etc, expected /usr/etc"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Merges `/etc` of the default deployment again, from the booted one as it is now.
    ///
    /// A new `etc` is made beside the deployment, synced, and changes places with the one that is there: after a power
    /// failure there is the earlier merge or this one. Only for a deployment that never ran.
    pub fn merge_again(&mut self) -> Result<Merge> {
        let (Some(booted), Some(next)) = (self.booted(), self.deployments.first()) else {
            return Err(Error::refused("expected a booted deployment and one to boot next"));
        };
        if booted.is(next) || booted.stateroot != next.stateroot {
            return Err(Error::refused(
                "the deployment that boots next takes nothing over from the booted one",
            ));
        }
        let (old, tree) = (self.deployment_path(booted), self.deployment_path(next));
        let commit = self.repo().load_commit(&next.checksum)?;
        let mut draft = tree.clone().into_os_string();
        draft.push(".etc");
        draft.push(super::apply::DRAFT);
        let draft = std::path::PathBuf::from(draft);
        super::apply::remove_all(&draft)?;
        let defaults = walk::find(self.repo(), (&commit.root_tree, &commit.root_meta), "usr/etc")?;
        let Some(TreeEntry::Dir(dirtree, dirmeta)) = defaults else { return Ok(Merge::default()) };
        let copy = CheckoutOptions { copy: true, ..CheckoutOptions::default() };
        checkout(self.repo(), (&dirtree, &dirmeta), &draft, copy)?;
        let changes = etc::diff(&old.join("usr/etc"), &old.join("etc"))?;
        let merge = etc::merge(&old.join("usr/etc"), &old.join("etc"), &draft, &changes)?;
        crate::fs::remove_if_there(&draft.join(".updated"))?;
        crate::fs::sync_file_system(&draft)?;
        let dir = File::open(&tree).map_err(Error::io("open", &tree))?;
        crate::sys::set_immutable(dir.as_fd(), false).map_err(Error::io("make mutable", &tree))?;
        let exchanged = crate::sys::exchange(&draft, &tree.join("etc"));
        self.seal(&tree)?;
        match exchanged.map_err(Error::io("exchange", &draft))? {
            true => crate::fs::sync_file_system(&draft)?,
            false => crate::warn!("/etc is not merged again: no RENAME_EXCHANGE on {}", tree.display()),
        }
        super::apply::remove_all(&draft)?;
        Ok(merge)
    }

    fn describe(
        &self,
        tree: &Path,
        checksum: &Checksum,
        serial: u32,
        merge_source: Option<&Deployment>,
        options: &DeployOptions<'_>,
    ) -> Result<Deployment> {
        let kernel = kernel::find(tree)?;
        let inherited = || merge_source.map(Deployment::kernel_args).unwrap_or_default();
        let args = options.kernel_args.clone().unwrap_or_else(inherited).without_boot_args();
        let mut entry = Entry::default();
        entry.set("options", &args.to_string());
        Ok(Deployment {
            stateroot: options.stateroot.to_owned(),
            checksum: *checksum,
            serial,
            bootcsum: kernel::bootcsum(tree, &kernel)?,
            entry,
            entry_name: None,
            origin: options.origin.for_next(),
        })
    }

    pub(super) fn write_origin(&self, deployment: &Deployment) -> Result<()> {
        crate::fs::replace(
            &self.path.join(deployment.origin_path()),
            deployment.origin.to_string().as_bytes(),
        )
    }

    /// Sets the immutable flag where the file system has it: nothing but `/usr` and the like lives at the top.
    fn seal(&self, tree: &Path) -> Result<()> {
        let dir = File::open(tree).map_err(Error::io("open", tree))?;
        if !crate::sys::set_immutable(dir.as_fd(), true).map_err(Error::io("make immutable", tree))? {
            log::debug!("{}: the file system or this process cannot make it immutable", tree.display());
        }
        Ok(())
    }

    /// The new one, the booted one and the merge source, the one to go back to, pinned ones, other stateroots.
    fn list_with(
        &self,
        new: &Deployment,
        merge_source: Option<&Deployment>,
        options: &DeployOptions<'_>,
    ) -> Vec<Deployment> {
        let is = |a: Option<&Deployment>, b: &Deployment| a.is_some_and(|a| a.is(b));
        let (booted, rollback) = (self.booted(), self.rollback_target(options.stateroot));
        let kept = self.deployments.iter().filter(|d| {
            options.retain
                || d.stateroot != options.stateroot
                || d.is_pinned()
                || is(booted, d)
                || is(merge_source, d)
                || is(rollback, d)
        });
        let mut list: Vec<Deployment> = kept.cloned().collect();
        let crossover = booted.or(merge_source);
        let at = match options.place {
            Place::First => 0,
            Place::AfterBooted => list.iter().position(|d| is(crossover, d)).map_or(list.len(), |at| at + 1),
        };
        list.insert(at, new.clone());
        list
    }
}

fn merge_etc(old: Option<&Path>, tree: &Path, changes: &[etc::Change]) -> Result<Option<Merge>> {
    let merge = match old {
        None => None,
        Some(old) => Some(etc::merge(&old.join("usr/etc"), &old.join("etc"), &tree.join("etc"), changes)?),
    };
    // systemd's ConditionNeedsUpdate= looks for it
    crate::fs::remove_if_there(&tree.join("etc/.updated"))?;
    Ok(merge)
}
