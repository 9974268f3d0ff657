//! Whether a commit may come in: its signature, the refs it is bound to, and its age.
//!
//! Two attacks need no key: serving the commit of another ref (a side-grade, stopped by `ostree.ref-binding`) and
//! serving an old commit of this one (a downgrade, stopped by the time-stamp).

use rootling_object::commit::key;
use rootling_object::{Checksum, Commit, Dict, ObjectKind, ObjectName, RefName};
use rootling_trust::{Verified, verify_commit};

use super::Pull;
use super::delta::{self, Offer};
use crate::error::{Error, Result};
use crate::text::moment;

/// What is asked of a commit beside its signature.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The commit must name this collection.
    pub collection: Option<String>,
    /// Accept a commit older than the one the ref names now, and older than `not_before`.
    pub allow_downgrade: bool,
    /// Seconds since 1970 of the newest commit that was deployed from this origin.
    pub not_before: u64,
}

/// A commit that may come in, with what was found beside it.
#[derive(Debug)]
pub struct Admitted {
    /// The commit.
    pub commit: Verified<Commit>,
    /// Its detached metadata, signatures among it.
    pub detached: Option<Dict>,
    /// Both are in the repo already, and good enough for the policy of today.
    pub is_local: bool,
    /// The delta whose header the commit came in.
    pub offer: Offer,
}

/// Fetches commit and signatures, and verifies both against `checksum`, the policy and the rules.
pub fn commit(pull: &Pull<'_>, name: &RefName, checksum: Checksum) -> Result<Admitted> {
    let admitted = bound(pull, name, checksum, by_delta)?;
    let aged = check_age(pull, name, admitted.commit.get());
    aged.map_err(|error| error.at(&format!("commit {checksum}")))?;
    Ok(admitted)
}

/// The same for a commit that was asked for by name, however old it is.
pub fn any_age(pull: &Pull<'_>, name: &RefName, checksum: Checksum) -> Result<Admitted> {
    bound(pull, name, checksum, loose)
}

fn bound(
    pull: &Pull<'_>,
    name: &RefName,
    checksum: Checksum,
    fetch: fn(&Pull<'_>, Checksum) -> Result<Admitted>,
) -> Result<Admitted> {
    let admitted = match local(pull, &checksum)? {
        Some(admitted) => admitted,
        None => fetch(pull, checksum)?,
    };
    let commit = admitted.commit.get();
    check_binding(commit, name, pull.rules.collection.as_deref())
        .map_err(|error| error.at(&format!("commit {checksum}")))?;
    Ok(admitted)
}

/// The commit as the header of a delta has it, else as a loose object; both meet the same checks.
fn by_delta(pull: &Pull<'_>, checksum: Checksum) -> Result<Admitted> {
    let offer = delta::offer(pull, &checksum)?;
    if let Some((bytes, detached)) = offer.commit() {
        match verify_commit(bytes, checksum, detached.as_ref(), &pull.policy) {
            Ok(commit) => return Ok(Admitted { commit, detached, is_local: false, offer }),
            // it may have been signed after the delta was made
            Err(error) => rootling_store::warn!("commit in the header of the delta: {error}"),
        }
    }
    Ok(Admitted { offer, ..loose(pull, checksum)? })
}

fn loose(pull: &Pull<'_>, checksum: Checksum) -> Result<Admitted> {
    let bytes = pull.source.metadata(ObjectKind::Commit, &checksum)?;
    let detached = pull.source.detached(&checksum)?;
    let commit = verify_commit(&bytes, checksum, detached.as_ref(), &pull.policy)?;
    Ok(Admitted { commit, detached, is_local: false, offer: Offer::Untried })
}

/// The commit as the repo has it.
fn local(pull: &Pull<'_>, checksum: &Checksum) -> Result<Option<Admitted>> {
    if !pull.repo.has(&ObjectName::new(ObjectKind::Commit, *checksum)) {
        return Ok(None);
    }
    let Ok(bytes) = pull.repo.load_metadata(ObjectKind::Commit, checksum) else { return Ok(None) };
    let detached = pull.repo.load_detached(checksum)?;
    let verified = verify_commit(&bytes, *checksum, detached.as_ref(), &pull.policy).ok();
    Ok(verified.map(|commit| Admitted { commit, detached, is_local: true, offer: Offer::Untried }))
}

/// As libostree: without a collection, a commit that binds no ref is accepted for any.
fn check_binding(commit: &Commit, name: &RefName, collection: Option<&str>) -> Result<()> {
    let bound = commit.metadata.strv(key::REF_BINDING);
    let listed = bound.as_ref().is_some_and(|refs| refs.contains(&name.as_str()));
    if !listed && (bound.is_some() || collection.is_some() || commit.metadata.get(key::REF_BINDING).is_some())
    {
        let bound = bound.unwrap_or_default().join(", ");
        return Err(Error::untrusted(format_args!("ref binding: expected {name}, got [{bound}]")));
    }
    match (collection, commit.metadata.str(key::COLLECTION_BINDING)) {
        (Some(wanted), got) if got != Some(wanted) => {
            Err(Error::untrusted(format_args!("collection binding: expected {wanted:?}, got {got:?}")))
        }
        _ => Ok(()),
    }
}

fn check_age(pull: &Pull<'_>, name: &RefName, commit: &Commit) -> Result<()> {
    if pull.rules.allow_downgrade {
        return Ok(());
    }
    let present = match pull.repo.read_ref(&pull.refspec(name))? {
        Some(present) => pull.repo.load_commit(&present).map_or(0, |present| present.timestamp),
        None => 0,
    };
    let least = present.max(pull.rules.not_before);
    if commit.timestamp < least {
        return Err(Error::untrusted(format_args!(
            "time-stamp: expected {} or later, got {}; --allow-downgrade accepts it",
            moment(least),
            moment(commit.timestamp)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rootling_object::Value;

    fn commit(pairs: &[(&str, Value)]) -> Commit {
        let mut metadata = Dict::new();
        pairs.iter().for_each(|(key, value)| metadata.set(key, value.clone()));
        let (root_tree, root_meta) = (Checksum::of(b"t"), Checksum::of(b"m"));
        Commit {
            metadata,
            parent: None,
            subject: "".into(),
            body: "".into(),
            timestamp: 1,
            root_tree,
            root_meta,
        }
    }

    #[test]
    fn a_commit_bound_to_another_ref_is_refused() {
        let name = RefName::parse("os/main").expect("a ref");
        let refs = |refs: &[&str]| (key::REF_BINDING, Value::strv(refs.iter().copied()));
        let collection = (key::COLLECTION_BINDING, Value::str("org.a"));
        for (pairs, wanted, good) in [
            (vec![], None, true),
            (vec![], Some("org.a"), false),
            (vec![refs(&["os/main"])], None, true),
            (vec![refs(&["os/main"])], Some("org.a"), false),
            (vec![refs(&["x", "os/main"]), collection.clone()], Some("org.a"), true),
            (vec![refs(&["os/main"]), collection.clone()], Some("org.b"), false),
            (vec![refs(&["os/test"])], None, false),
            (vec![refs(&[])], None, false),
            (vec![(key::REF_BINDING, Value::str("os/main"))], None, false),
        ] {
            let result = check_binding(&commit(&pairs), &name, wanted);
            assert_eq!(result.is_ok(), good, "{pairs:?} for {wanted:?}: {result:?}");
        }
    }
}
