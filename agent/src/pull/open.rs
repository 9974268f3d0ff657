//! From the name of a remote, or a path, to a [`Pull`] that is ready to go.

use rootling_store::atomic::AtomicU64;
use std::path::Path;
use std::sync::Arc;

use rootling_object::RefName;
use rootling_store::Repo;
use rootling_trust::Policy;

use super::Pull;
use super::admit::Rules;
use super::cache::Cache;
use super::delta::{self, Mode};
use super::source::{Server, Source};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::progress::Screen;
use crate::remote::{Remote, keys, read};
use crate::transport::retry::Retry;
use crate::transport::{self, Limits};

/// Threads that copy from a repo on this machine.
const LOCAL_THREADS: usize = 2;

/// How patiently the network is used; tests are less patient.
#[derive(Debug, Clone, Default)]
pub struct Patience {
    /// Time-outs of one request.
    pub limits: Limits,
    /// Attempts.
    pub retry: Retry,
}

/// Opens the remote called `name`; nothing is sent yet.
pub fn remote<'a>(
    repo: &'a Repo,
    sysroot: &Path,
    name: &str,
    rules: Rules,
    patience: &Patience,
    screen: &'a Screen,
) -> Result<(Remote, Pull<'a>)> {
    let remote = read::find(repo.path(), sysroot, name)?;
    let clock = Clock::read().not_before(newest(repo, &remote)?);
    if clock.is_behind() {
        rootling_store::warn!(
            "the system clock is behind; taking it to be {}",
            crate::text::moment(clock.now())
        );
    }
    let policy = keys::commit_policy(&remote, sysroot)?;
    let (source, threads) = match local_repo(&remote)? {
        Some(local) => (Source::Local(local), LOCAL_THREADS),
        None => {
            let server = Server {
                transport: transport::open(&remote, &patience.limits, &clock)?,
                retry: patience.retry.clone(),
                summary_policy: keys::summary_policy(&remote, sysroot)?,
                cache: Cache::new(repo.path(), &remote.name),
                meter: Arc::new(AtomicU64::new(0)),
            };
            (Source::Server(server), patience.limits.connections)
        }
    };
    let deltas = Mode::default();
    let rules = Rules { collection: remote.collection.clone(), ..rules };
    let name = Some(remote.name.clone());
    let memory_limit = delta::memory_limit(sysroot);
    let pull = Pull { repo, source, remote: name, policy, rules, deltas, memory_limit, threads, screen };
    Ok((remote, pull))
}

/// Opens a repo on this machine by its path. Naming it by hand is the policy "unsigned", unless a remote is named.
pub fn path<'a>(
    repo: &'a Repo,
    sysroot: &Path,
    from: &Path,
    remote: Option<&str>,
    rules: Rules,
    screen: &'a Screen,
) -> Result<Pull<'a>> {
    let policy = match remote {
        Some(name) => keys::commit_policy(&read::find(repo.path(), sysroot, name)?, sysroot)?,
        None => Policy::Unsigned { remote: from.display().to_string() },
    };
    let source = Source::local(from)?;
    Ok(Pull {
        repo,
        source,
        remote: remote.map(str::to_owned),
        policy,
        rules,
        deltas: Mode::default(),
        memory_limit: 0,
        threads: LOCAL_THREADS,
        screen,
    })
}

/// A `file:` URL may name a repo of any mode; it is read as a repo, not as files.
fn local_repo(remote: &Remote) -> Result<Option<Repo>> {
    match (remote.url.strip_prefix("file://"), remote.summary_signed || remote.content_url.is_some()) {
        (Some(path), false) => Ok(Some(Repo::open(Path::new(path))?)),
        _ => Ok(None),
    }
}

/// The time of the newest commit that a signature of this remote vouched for; an unsigned one proves nothing.
fn newest(repo: &Repo, remote: &Remote) -> Result<u64> {
    if !remote.signed {
        return Ok(0);
    }
    let refs =
        repo.list_refs()?.into_iter().filter(|(refspec, _)| refspec.remote.as_ref() == Some(&remote.name));
    Ok(refs
        .filter_map(|(_, commit)| repo.load_commit(&commit).ok())
        .map(|commit| commit.timestamp)
        .max()
        .unwrap_or(0))
}

/// Refs as typed, or those the remote's configuration lists.
pub fn wanted(remote: Option<&Remote>, typed: &[String]) -> Result<Vec<RefName>> {
    let branches = remote.map(|remote| remote.branches.as_slice()).unwrap_or_default();
    let names = if typed.is_empty() { branches } else { typed };
    if names.is_empty() {
        return Err(Error::usage(format_args!(
            "expected a ref to pull, got none, and the remote lists no branches"
        )));
    }
    names
        .iter()
        .map(|name| RefName::parse(name).map_err(|error| Error::usage(format_args!("{error}"))))
        .collect()
}
