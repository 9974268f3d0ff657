//! The job: a manifest becomes a commit.
//!
//! ```text
//! manifest -> repos -> solve -> lock -> inputhash -> fetch -> unpack -> scriptlets -> rpmdb -> postprocess -> commit -> ref
//! ```
//!
//! After the lock file nothing depends on the clock, the host, the user or the umask: the same inputs and the same
//! previous commit give the same checksum.

mod metadata;
mod steps;

use std::path::PathBuf;

use anyhow::Result;
use rootling_object::Checksum;

use crate::arch::Arch;
use crate::inputhash::inputhash;
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::{rpmdb, sandbox, scriptlet};

pub(crate) use steps::{writable_repo, write_file};

/// How to compose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The treefile.
    pub manifest: PathBuf,
    /// The repo the commit goes to; not needed for a dry run.
    pub repo: Option<PathBuf>,
    /// Downloads are kept here, and the tree is made here.
    pub cachedir: PathBuf,
    /// Takes the packages from this file.
    pub lockfile: Option<PathBuf>,
    /// Writes the packages to this file.
    pub write_lockfile_to: Option<PathBuf>,
    /// Ends after the lock file.
    pub dry_run: bool,
    /// Makes a commit even if nothing has changed.
    pub force_nocache: bool,
    /// More commit metadata; `version` takes the place of the counted one.
    pub metadata: Vec<(String, String)>,
    /// The commit's time in seconds, in place of the newest package's.
    pub timestamp: Option<u64>,
    /// Makes a commit without a parent.
    pub no_parent: bool,
    /// The tree's architecture, in place of this machine's.
    pub arch: Option<Arch>,
}

/// How it ended.
#[derive(Debug)]
pub enum Outcome {
    /// Only the packages were looked for.
    Solved(Lock),
    /// The previous commit holds exactly these inputs.
    Unchanged(Checksum),
    /// There is a new commit.
    Committed(Committed),
}

/// A new commit.
#[derive(Debug)]
pub struct Committed {
    /// Its checksum.
    pub commit: Checksum,
    /// The ref it is bound to.
    pub reference: Option<String>,
    /// Its version for people.
    pub version: Option<String>,
    /// How many packages it holds.
    pub packages: usize,
    /// Objects that were not there before.
    pub new_objects: u64,
    /// What a person should know, one line each.
    pub warnings: Vec<String>,
}

/// Composes; `say` is told what is being done, one line each.
pub fn compose(options: &Options, say: &(dyn Fn(&str) + Sync)) -> Result<Outcome> {
    let arch = options.arch.map_or_else(Arch::host, Ok)?;
    let manifest = Manifest::load(&options.manifest, arch.base)?;
    let mut repos = steps::Repos::read(&manifest, arch, &options.cachedir)?;
    let lock = match &options.lockfile {
        Some(path) => steps::locked(path, &manifest, &mut repos, say)?,
        None => steps::solve(&manifest, &mut repos, say)?,
    };
    if let Some(path) = &options.write_lockfile_to {
        steps::write_file(path, &lock.to_text())?;
    }
    if options.dry_run {
        return Ok(Outcome::Solved(lock));
    }
    let repo = steps::open_repo(options)?;
    let previous = steps::previous(&repo, &manifest)?;
    let inputhash = inputhash(&manifest, &lock)?;
    if let Some(unchanged) = previous.holding(&inputhash).filter(|_| !options.force_nocache) {
        return Ok(Outcome::Unchanged(unchanged));
    }
    sandbox::check()?;
    let files = steps::fetch(&lock, &repos, say)?;
    let timestamp = options.timestamp.unwrap_or_else(|| lock.newest_build_time());
    let work = steps::work_dir(&options.cachedir)?;
    let root = work.path().join("root");
    let mut unpacked = steps::unpack(&root, &files, &manifest, say)?;
    say("running scriptlets");
    scriptlet::run_all(&root, &mut unpacked, timestamp)?;
    say("writing the package database");
    let database = rpmdb::RpmdbOptions { timestamp, documentation: manifest.documentation };
    rpmdb::write(&root, &unpacked.packages, &database)?;
    let outcome = steps::postprocess(&root, &manifest, timestamp, say)?;
    let metadata = metadata::Inputs {
        manifest: &manifest,
        lock: &lock,
        inputhash: &inputhash,
        kernel: outcome.kernel.as_deref(),
        previous_version: previous.version(),
        more: &options.metadata,
        timestamp,
    };
    let metadata = metadata.metadata()?;
    let parent = previous.checksum().filter(|_| !options.no_parent);
    let mut committed = steps::commit(&repo, &root, &manifest, metadata, parent, timestamp, say)?;
    committed.packages = lock.packages.len();
    committed.warnings = [unpacked.warnings, outcome.warnings].concat();
    Ok(Outcome::Committed(committed))
}
