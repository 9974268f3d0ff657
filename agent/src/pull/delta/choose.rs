//! Which deltas of a list can be used here, the cheapest first.

use rootling_delta::list::{self, Entry};
use rootling_object::Checksum;
use rootling_store::deltas;

use super::{Mode, is_whole};
use crate::error::{Error, Result};
use crate::pull::Pull;
use crate::pull::source::Server;
use crate::transport::{Answer, Request};

/// The deltas to `to` that start here, the one with the fewest bytes first.
#[inline(never)]
pub(super) fn entries(pull: &Pull<'_>, server: &Server, to: &Checksum) -> Result<Vec<Entry>> {
    let path = deltas::list_path(to);
    let offered = server.retry.run(|fresh| {
        let request = Request { fresh, optional: true, ..Request::new(&path, list::MAX_LIST) };
        let Answer::Found(body) = server.transport.get(&request)? else { return Ok(None) };
        let place = body.place().to_owned();
        let bytes = body.metered(server.meter.clone()).bytes()?;
        list::decode(&bytes, to).map(Some).map_err(|error| Error::from(error).at(&place))
    });
    let offered = offered.map_err(|error| server.only_here(error))?;
    let Some(offered) = offered else {
        return Err(Error::refused(format_args!("the server offers no deltas to this commit")));
    };
    let refs = pull.repo.list_refs()?;
    let something = refs.iter().any(|(_, commit)| is_whole(pull, commit));
    let from_nothing = !something || pull.deltas == Mode::Require;
    let found = usable(offered, &|commit| is_whole(pull, commit), from_nothing);
    if found.is_empty() {
        return Err(Error::refused(format_args!(
            "none of the server's deltas starts from a commit that is here"
        )));
    }
    Ok(found)
}

/// What starts from a commit that is here, else from nothing. Beside a whole commit of whatever ref a delta from nothing is
/// no choice: it brings all objects, loose ones come only as far as they are missing.
fn usable(offered: Vec<Entry>, is_here: &dyn Fn(&Checksum) -> bool, from_nothing: bool) -> Vec<Entry> {
    let mut found: Vec<Entry> = offered
        .into_iter()
        .filter(|entry| entry.is_known() && entry.from.map_or(from_nothing, |from| is_here(&from)))
        .collect();
    found.sort_by_key(|entry| (entry.from.is_none(), entry.total, entry.from));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_bytes_from_a_commit_here_come_first() {
        let entry = |from: Option<u8>, profile: u32, total: u64| Entry {
            from: from.map(|byte| Checksum([byte; 32])),
            version: 1,
            profile,
            head: 30,
            total,
            checksum: Checksum([7; 32]),
        };
        let offered = vec![
            entry(None, 1, 10),
            entry(Some(1), 1, 300),
            entry(Some(1), 99, 20),
            entry(Some(2), 1, 200),
            entry(Some(3), 1, 100),
        ];
        let here = |commit: &Checksum| commit.0[0] < 3;
        let totals = |from_nothing| {
            let found = usable(offered.clone(), &here, from_nothing);
            found.iter().map(|entry| entry.total).collect::<Vec<_>>()
        };
        assert_eq!(totals(false), [200, 300]);
        assert_eq!(totals(true), [200, 300, 10]);
        assert_eq!(usable(offered.clone(), &|_| false, false), []);
    }
}
