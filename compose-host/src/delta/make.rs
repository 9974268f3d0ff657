//! The job: from pairs of commits to deltas that a list names.
//!
//! | step | durable after it |
//! |---|---|
//! | code all files, pack the groups | the cache |
//! | write the delta, decode all of it again | a file that no list names |
//! | write the list | the delta is offered |

use anyhow::{Context, Result, bail};
use rootling_delta::Backend;
use rootling_delta::list::Entry;
use rootling_delta::make::{self, Made};
use rootling_object::Checksum;
use rootling_store::{Repo, deltas};

use super::apply::verify;
use super::cache::Cache;
use super::opened::Opened;
use super::pairs::Pair;
use super::report::Report;
use super::trees::Trees;
use super::workers::Threads;
use super::{BUDGET, lists};

/// How to make deltas.
#[derive(Debug)]
pub struct Options {
    /// Threads; `None` for one on each core.
    pub threads: Option<usize>,
    /// The coder of all streams.
    pub backend: Backend,
    /// A group is closed when its tokens reach so many bytes.
    pub group_tokens: usize,
    /// The highest profile that the devices have.
    pub profile: u32,
    /// Tokens of earlier times; `None` to code everything.
    pub cache: Option<Cache>,
    /// Makes also what a list names already for this profile.
    pub again: bool,
    /// No line of progress.
    pub quiet: bool,
}

/// What became of a pair.
#[derive(Debug)]
pub enum Outcome {
    /// A list names it already, for devices of the same profile.
    Present(Entry),
    /// It was made.
    Made(Box<Report>),
}

/// Makes the delta of one pair, and decodes it before it is offered.
pub fn make(repo: &Repo, pair: &Pair, options: &Options) -> Result<Outcome> {
    let Pair { from, to } = pair;
    // one of another profile is for other devices
    let same = |entry: &Entry| entry.from == *from && entry.is_known() && entry.profile == options.profile;
    let present = lists::read(repo, to)?.into_iter().find(same);
    if let Some(entry) = present.filter(|entry| !options.again && lists::place(repo, to, entry).exists()) {
        return Ok(Outcome::Present(entry));
    }
    let trees = Trees { repo, cache: options.cache.as_ref() };
    let threads = Threads::new(options.threads, &format!("delta to {}", short(to)), options.quiet);
    let Options { backend, group_tokens, profile, .. } = *options;
    let coding = make::Options { backend, group_tokens, profile };
    let made = make::make(&trees, *from, *to, &coding, &threads)?;
    check_memory(&made, options.backend)?;
    let path = deltas::data_path(to, &Checksum::of(&made.head));
    let bytes: Vec<u8> = made.head.iter().chain(made.groups.iter().flatten()).copied().collect();
    deltas::write(repo, &path, &bytes)?;
    drop(bytes);
    let place = repo.path().join(path);
    let opened = Opened::open(&place)?;
    let (plan, _) = verify(repo, &opened, &threads)
        .with_context(|| format!("{}: the new delta does not decode", place.display()))?;
    lists::add(repo, to, opened.entry)?;
    Ok(Outcome::Made(Box::new(Report::new(repo, &made, options.backend, &plan))))
}

/// The first digits of a checksum, for people.
pub fn short(checksum: &Checksum) -> String {
    checksum.to_string()[..12].to_owned()
}

fn check_memory(made: &Made, backend: Backend) -> Result<()> {
    let memory = made.header.memory(backend);
    if memory > BUDGET {
        bail!("delta: expected groups that decode in {BUDGET} bytes of memory, got one that takes {memory}");
    }
    Ok(())
}
