//! Which commit a ref names on the server.
//!
//! `refs/heads/REF` is asked first: 65 bytes, and every archive repo has it. The summary, which lists all refs of the
//! server, is read when the remote wants it signed, or when there is no such file.

use rootling_object::{Checksum, Dict, RefName, Summary};
use rootling_trust::{Policy, verify_summary};

use super::source::Server;
use crate::error::{Error, Result};
use crate::transport::{Answer, Request};

/// The longest file of a ref: 64 digits and a newline, with room for `\r`.
const REF_LIMIT: u64 = 128;

/// The longest summary that is read, as in libostree.
const SUMMARY_LIMIT: u64 = 10 << 20;

/// The commit that `name` names.
pub fn commit(server: &Server, name: &RefName) -> Result<Checksum> {
    if let Policy::Keys(_) = server.summary_policy {
        return in_summary(server, name)?.ok_or_else(|| {
            Error::Untrusted(format!("{}: expected a signed summary, got none", server.place("summary")))
        });
    }
    if let Some(commit) = in_file(server, name)? {
        return Ok(commit);
    }
    in_summary(server, name)?
        .ok_or_else(|| Error::Refused(format!("{}: expected ref {name}, got none", server.place(""))))
}

fn in_file(server: &Server, name: &RefName) -> Result<Option<Checksum>> {
    let path = format!("refs/heads/{name}");
    server.retry.run(|fresh| {
        let Some(bytes) = read(server, &path, REF_LIMIT, fresh)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        Checksum::parse_hex(text.trim_end())
            .map(Some)
            .map_err(|error| Error::Corrupt(format!("{}: {error}", server.place(&path))))
    })
}

/// `None` if there is no summary; an error if there is one without the ref.
fn in_summary(server: &Server, name: &RefName) -> Result<Option<Checksum>> {
    let Some(summary) = summary(server)? else { return Ok(None) };
    match summary.commit(name) {
        Some(entry) => Ok(Some(entry.commit)),
        None => Err(Error::Refused(format!("{}: expected ref {name}, got none", server.place("summary")))),
    }
}

/// The server's summary, verified by the remote's policy.
///
/// The two files are replaced one after the other on the server; so a signature that does not fit
/// is asked for once more, past caches.
pub fn summary(server: &Server) -> Result<Option<Summary>> {
    match try_summary(server, false) {
        Err(Error::Untrusted(_)) => try_summary(server, true),
        other => other,
    }
}

fn try_summary(server: &Server, fresh: bool) -> Result<Option<Summary>> {
    let signatures = match server.summary_policy {
        Policy::Keys(_) => {
            let bytes =
                server.retry.run(|again| read(server, "summary.sig", SUMMARY_LIMIT, fresh || again))?;
            let dict = bytes.map(|bytes| Dict::decode("summary.sig", &bytes)).transpose();
            dict.map_err(|error| Error::Corrupt(format!("{}: {error}", server.place("summary.sig"))))?
        }
        Policy::Unsigned { .. } => None,
    };
    let Some(bytes) = server.retry.run(|again| read(server, "summary", SUMMARY_LIMIT, fresh || again))?
    else {
        return Ok(None);
    };
    let verified = verify_summary(&bytes, signatures.as_ref(), &server.summary_policy)
        .map_err(|error| Error::from(error).at(&server.place("summary")))?;
    Ok(Some(verified.get().clone()))
}

fn read(server: &Server, path: &str, limit: u64, fresh: bool) -> Result<Option<Vec<u8>>> {
    match server.transport.get(&Request { fresh, ..Request::new(path, limit) })? {
        Answer::Found(body) if body.html => {
            Err(Error::Corrupt(format!("{}: expected a file of a repo, got a page of HTML", body.place())))
        }
        Answer::Found(body) => body.bytes().map(Some),
        Answer::Absent | Answer::Unchanged => Ok(None),
    }
}
