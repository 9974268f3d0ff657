//! The RPM test bed: Debian packages as RPMs, in two states, with repository metadata and a manifest.
//!
//! ```text
//! DIR/apt/ARCH-STATE/        private apt root (indexes)
//! DIR/debs/                  downloaded packages
//! DIR/cache/KEY/NAME.rpm     converted packages; KEY names the input and the tool
//! DIR/ARCH/STATE/packages/   the RPMs of one state, hard links into the cache
//! DIR/ARCH/STATE/repodata/   repomd.xml, primary, filelists
//! DIR/ARCH/manifest/         treefiles base.yaml and sec.yaml, and the .repo files they name
//! ```
//!
//! State `base` is the machine's Debian release as of its last point release, `sec` the same with the security
//! and stable updates of the day. A handful of `syn-*` packages made from nothing differ between the states in ways
//! that Debian's own do not (renamed, dropped, downgraded, with a new epoch).

mod accounts;
mod apt;
mod contents;
mod convert;
mod deb;
mod distilled;
pub(crate) mod kernel;
mod lists;
mod manifest;
mod relation;
mod repodata;
mod synthetic;
mod version;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

pub(crate) use apt::{AptRoot, DebFile};
pub(crate) use convert::{build_config, convert, rpm_arch};
pub(crate) use deb::Deb;
pub(crate) use distilled::Distilled;
pub use repodata::{Compression, write as write_repodata};

/// A Debian architecture the test bed can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// x86_64
    Amd64,
    /// aarch64
    Arm64,
    /// armv7hl
    Armhf,
}

impl Arch {
    /// Debian's name.
    pub fn debian(self) -> &'static str {
        match self {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
            Arch::Armhf => "armhf",
        }
    }
}

impl std::str::FromStr for Arch {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Arch> {
        let known = [Arch::Amd64, Arch::Arm64, Arch::Armhf];
        let found = known.into_iter().find(|arch| arch.debian() == text);
        found.with_context(|| format!("architecture {text:?}: expected amd64, arm64 or armhf"))
    }
}

/// Which packages the repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The last point release.
    Base,
    /// With the security and stable updates of the day.
    Sec,
}

impl State {
    /// As in folder names and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            State::Base => "base",
            State::Sec => "sec",
        }
    }
}

/// How the test bed is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Compression of the repository metadata.
    pub compression: Compression,
    /// Ask the mirrors again even where the bed is there.
    pub refresh: bool,
}

/// A finished test bed of one architecture and state.
#[derive(Clone, Debug)]
pub struct Bed {
    /// The repository: `packages/` and `repodata/`.
    pub repo: PathBuf,
    /// Treefile for `rootling-compose tree`.
    pub treefile: PathBuf,
    /// Number of RPMs.
    pub packages: usize,
}

/// Makes the test bed below `dir` unless it is there already.
pub fn ensure(arch: Arch, state: State, dir: &Path) -> Result<Bed> {
    ensure_with(arch, state, dir, Options::default())
}

/// As [`ensure`], with options.
pub fn ensure_with(arch: Arch, state: State, dir: &Path, options: Options) -> Result<Bed> {
    fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    let dir = dir.canonicalize()?;
    let lock = File::create(dir.join("lock"))?;
    lock.lock()?;
    let top = dir.join(arch.debian());
    let repo = top.join(state.name());
    let stamp = top.join(format!("{}.stamp", state.name()));
    let inputs = inputs(options)?;
    if options.refresh || fs::read_to_string(&stamp).is_ok_and(|text| text != inputs) || !stamp.exists() {
        let _ = fs::remove_file(&stamp);
        make(arch, state, &dir, &repo)?;
        repodata::write(&repo, options.compression)?;
        manifest::write(arch, state, &top)?;
        fs::write(&stamp, inputs)?;
    }
    let packages = fs::read_dir(repo.join("packages"))?.count();
    Ok(Bed { repo, treefile: top.join("manifest").join(format!("{}.yaml", state.name())), packages })
}

/// What decides the bed beside the mirrors' state: a change remakes it.
fn inputs(options: Options) -> Result<String> {
    let texts = [
        convert::TOOL_VERSION,
        include_str!("distilled.yaml"),
        include_str!("synthetic.yaml"),
        include_str!("packages.yaml"),
        include_str!("os.yaml"),
    ];
    Ok(format!("{:?} {}\n", options.compression, sha256_hex(texts.concat().as_bytes())))
}

fn make(arch: Arch, state: State, dir: &Path, repo: &Path) -> Result<()> {
    let lists = lists::Lists::load()?;
    let say = |text: String| eprintln!("testbed {} {}: {text}", arch.debian(), state.name());
    say("fetching package indexes".to_owned());
    let archives = dir.join("debs");
    let open = |state: State| {
        let root = dir.join(format!("apt/{}-{}", arch.debian(), state.name()));
        AptRoot::create(&root, &archives, arch, state)
    };
    let apt = open(state)?;
    let mut debs = Vec::new();
    for (index, request) in lists.requests().iter().enumerate() {
        say(format!("resolving and downloading, request {} of {}", index + 1, lists.requests().len()));
        debs.extend(apt.closure(request)?);
    }
    debs.retain(|deb| !lists.left_out(&deb.path));
    debs.push(apt.kernel(lists.kernel(arch)?)?);
    if state == State::Sec {
        debs.push(open(State::Base)?.kernel(lists.kernel(arch)?)?);
    }
    debs.sort();
    debs.dedup();
    say(format!("{} Debian packages", debs.len()));
    let mut rpms = convert_all(&debs, dir, &say)?;
    rpms.extend(synthetic::build_all(arch, state, &lists.essential(&debs)?, &dir.join("cache"))?);
    fill(repo, &rpms)?;
    say(format!("{} RPMs in {}", rpms.len(), repo.display()));
    Ok(())
}

/// Converts what the cache does not hold, on all processors.
fn convert_all(debs: &[DebFile], dir: &Path, say: &(dyn Fn(String) + Sync)) -> Result<Vec<PathBuf>> {
    let table = distilled::table()?;
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let rpms = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        while let Some(deb) = debs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let rpm = convert_one(deb, &table, &dir.join("cache"))
                .with_context(|| format!("convert {}", deb.path.display()))?;
            rpms.lock().expect("no worker panics").push(rpm);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of(25) || done == debs.len() {
                say(format!("converted {done} of {}", debs.len()));
            }
        }
        Ok(())
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("workers return errors"))
    })?;
    let mut rpms = rpms.into_inner().expect("no worker panics");
    rpms.sort();
    Ok(rpms)
}

fn convert_one(deb: &DebFile, table: &BTreeMap<String, Distilled>, cache: &Path) -> Result<PathBuf> {
    let name = deb.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.split('_').next().unwrap_or_default();
    let name = if name.starts_with("linux-image-") { kernel::NAME } else { name };
    let distilled = table.get(name).cloned().unwrap_or_default();
    let key = [&deb.sha256, &serde_norway::to_string(&distilled)?].map(String::as_str).concat();
    cached(cache, &key, || convert::convert(read_deb(deb)?, &distilled))
}

fn read_deb(deb: &DebFile) -> Result<deb::Deb> {
    let bytes = fs::read(&deb.path)?;
    let found = sha256_hex(&bytes);
    anyhow::ensure!(found == deb.sha256, "SHA-256 expected {}, got {found}", deb.sha256);
    deb::Deb::read(&bytes)
}

/// The RPM for `key`, built unless the cache has it; it appears in the cache whole or not at all.
fn cached(cache: &Path, key: &str, build: impl FnOnce() -> Result<rpm::Package>) -> Result<PathBuf> {
    let epoch = std::env::var("SOURCE_DATE_EPOCH").unwrap_or_default();
    let key = sha256_hex(format!("{}\n{epoch}\n{key}", convert::TOOL_VERSION).as_bytes());
    let folder = cache.join(&key[..32]);
    if let Ok(mut entries) = fs::read_dir(&folder)
        && let Some(entry) = entries.next()
    {
        return Ok(entry?.path());
    }
    let package = build()?;
    fs::create_dir_all(cache)?;
    let staging = tempfile::Builder::new().prefix("new-").tempdir_in(cache)?;
    let name = rpm_file_name(&package.metadata)?;
    let path = staging.path().join(&name);
    package.write_file(&path)?;
    let built = std::time::UNIX_EPOCH + std::time::Duration::from_secs(package.metadata.get_build_time()?);
    File::options().append(true).open(&path)?.set_modified(built)?;
    fs::rename(staging.keep(), &folder)?;
    Ok(folder.join(name))
}

fn rpm_file_name(metadata: &rpm::PackageMetadata) -> Result<String> {
    let (name, version) = (metadata.get_name()?, metadata.get_version()?);
    Ok(format!("{name}-{version}-{}.{}.rpm", metadata.get_release()?, metadata.get_arch()?))
}

/// Makes `repo/packages` hold exactly `rpms`.
fn fill(repo: &Path, rpms: &[PathBuf]) -> Result<()> {
    let folder = repo.join("packages");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for rpm in rpms {
        let to = folder.join(rpm.file_name().context("cache entry without a name")?);
        if !to.exists() && fs::hard_link(rpm, &to).is_err() {
            fs::copy(rpm, &to)?;
        }
    }
    Ok(())
}

/// SHA-256 in hex.
fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
