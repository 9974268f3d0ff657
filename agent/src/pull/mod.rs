//! Pull: from a ref of a remote to a complete, verified commit in the repo.
//!
//! ```text
//! lookup     which commit the ref names       (summary, or refs/heads/REF); history finds an older version
//! admit      commit + commitmeta -> Verified  (signature, bindings, time-stamp) before anything else is fetched
//! delta      what a static delta brings           (if there is one that starts here)
//! walk       dirtrees, dirmetas, files        (threads over one queue; each object verified as it is written)
//! bind       transaction committed, then the ref
//! ```
//!
//! What is durable: a verified object stays whatever happens later; the commit is marked partial until all of it
//! is there; the ref is bound last. A run after a kill or an error skips what is there.

pub mod admit;
pub mod cache;
#[cfg(feature = "static-delta")]
pub mod delta;
#[cfg(not(feature = "static-delta"))]
#[path = "no_delta.rs"]
pub mod delta;
pub mod history;
pub mod lookup;
pub mod open;
mod queue;
pub mod source;
mod walk;

use rootling_object::{Checksum, Commit, RefName, Refspec};
use rootling_store::Repo;
use rootling_store::atomic::AtomicU64;
use rootling_trust::{Policy, Verified};

use crate::error::Result;
use crate::progress::{Count, Screen};
use admit::{Admitted, Rules};
use source::Source;

/// All that a pull needs to know.
pub struct Pull<'a> {
    /// Where objects go.
    pub repo: &'a Repo,
    /// Where they come from.
    pub source: Source,
    /// The remote's name in refspecs; `None` files refs as the repo's own.
    pub remote: Option<String>,
    /// What commits need.
    pub policy: Policy,
    /// What is asked of a commit beside its signature.
    pub rules: Rules,
    /// Whether static deltas are used.
    pub deltas: delta::Mode,
    /// Bytes of memory that unpacking a part of a delta of `ostree` may take.
    pub memory_limit: u64,
    /// Threads, each with a connection of its own.
    pub threads: usize,
    /// Where progress goes.
    pub screen: &'a Screen,
}

/// What a pull brought.
#[derive(Debug)]
pub struct Pulled {
    /// The ref.
    pub refspec: Refspec,
    /// The commit it names now.
    pub commit: Verified<Commit>,
    /// Whether the ref named another commit before.
    pub changed: bool,
    /// Objects that were fetched.
    pub fetched: u64,
    /// Bytes of bodies received.
    pub bytes: u64,
    /// Content objects that were hashed as they came, ascending: they need not be read again.
    pub hashed: Vec<Checksum>,
}

impl Pull<'_> {
    /// Fetches one ref, whole.
    pub fn fetch(&self, name: &RefName) -> Result<Pulled> {
        let admitted = self.admit(name)?;
        self.fetch_admitted(name, admitted)
    }

    /// Finds what the ref names and verifies its commit; nothing is written.
    pub fn admit(&self, name: &RefName) -> Result<Admitted> {
        let checksum = self.source.lookup(name)?;
        admit::commit(self, name, checksum)
    }

    /// Fetches all of an admitted commit and binds the ref to it.
    pub fn fetch_admitted(&self, name: &RefName, admitted: Admitted) -> Result<Pulled> {
        let refspec = self.refspec(name);
        let changed = self.repo.read_ref(&refspec)? != Some(*admitted.commit.checksum());
        let bind = changed.then_some(&refspec);
        let (count, hashed, commit) = self.bring(admitted, bind)?;
        Ok(Pulled { refspec, commit, changed, fetched: count.done, bytes: count.bytes, hashed })
    }

    /// Fetches all of an admitted commit; no ref comes to name it.
    pub fn fetch_commit(&self, name: &RefName, admitted: Admitted) -> Result<Pulled> {
        let (count, hashed, commit) = self.bring(admitted, None)?;
        let refspec = self.refspec(name);
        Ok(Pulled { refspec, commit, changed: false, fetched: count.done, bytes: count.bytes, hashed })
    }

    fn bring(
        &self,
        mut admitted: Admitted,
        bind: Option<&Refspec>,
    ) -> Result<(Count, Vec<Checksum>, Verified<Commit>)> {
        let checksum = *admitted.commit.checksum();
        let (mut count, mut hashed) = (Count::default(), Vec::new());
        if bind.is_some() || !admitted.is_local || !self.is_complete(&checksum) {
            self.repo.mark_partial(&checksum)?;
            let transaction = self.repo.transaction()?;
            let offer = match std::mem::replace(&mut admitted.offer, delta::Offer::Untried) {
                delta::Offer::Untried => delta::offer(self, &checksum)?,
                offer => offer,
            };
            let brought = delta::bring(self, &transaction, offer)?;
            (count, hashed) = walk::walk(self, &transaction, &admitted)?;
            if let Some(refspec) = bind {
                transaction.set_ref(refspec, Some(checksum));
            }
            transaction.mark_complete(&checksum);
            transaction.commit()?;
            delta::forget(self);
            count.done += brought.objects;
            hashed.extend(brought.hashed);
            hashed.sort_unstable();
        }
        Ok((count, hashed, admitted.commit))
    }

    /// Whether the commit and all it needs are in the repo.
    pub fn is_complete(&self, commit: &Checksum) -> bool {
        let name = rootling_object::ObjectName::new(rootling_object::ObjectKind::Commit, *commit);
        self.repo.has(&name) && !self.repo.is_partial(commit)
    }

    /// How the repo calls a ref of this remote.
    pub fn refspec(&self, name: &RefName) -> Refspec {
        Refspec { remote: self.remote.clone(), name: name.clone() }
    }
}

/// Counts shared by the threads of one pull.
#[derive(Debug, Default)]
struct Meters {
    done: AtomicU64,
    known: AtomicU64,
    fetched: AtomicU64,
}
