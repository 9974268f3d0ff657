//! Which commit a ref names on the server.
//!
//! `refs/heads/REF` is asked first: 65 bytes, and every archive repo has it. The summary, which lists all refs of the
//! server, is read when the remote wants it signed, or when there is no such file.

use rootling_object::{Checksum, Dict, RefName, Summary};
use rootling_trust::{Policy, verify_summary};

use super::cache::Kept;
use super::source::Server;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::transport::{Answer, Body, Request};

/// The longest file of a ref: 64 digits and a newline, with room for `\r`.
const REF_LIMIT: u64 = 128;

/// The longest summary that is read, as in libostree.
const SUMMARY_LIMIT: u64 = 10 << 20;

/// The commit that `name` names.
pub fn commit(server: &Server, name: &RefName) -> Result<Checksum> {
    if let Policy::Keys(_) = server.summary_policy {
        return in_summary(server, name)?.ok_or_else(|| {
            Error::untrusted(format_args!("{}: expected a signed summary, got none", server.place("summary")))
        });
    }
    if let Some(commit) = in_file(server, name)? {
        return Ok(commit);
    }
    in_summary(server, name)?
        .ok_or_else(|| Error::refused(format_args!("{}: expected ref {name}, got none", server.place(""))))
}

fn in_file(server: &Server, name: &RefName) -> Result<Option<Checksum>> {
    let path = format!("refs/heads/{name}");
    server.retry.run(|fresh| {
        let Some(bytes) = read(server, &path, REF_LIMIT, fresh)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        Checksum::parse_hex(text.trim_end())
            .map(Some)
            .map_err(|error| Error::corrupt(format_args!("{}: {error}", server.place(&path))))
    })
}

/// `None` if there is no summary; an error if there is one without the ref.
fn in_summary(server: &Server, name: &RefName) -> Result<Option<Checksum>> {
    let Some(summary) = summary(server)? else { return Ok(None) };
    match summary.commit(name) {
        Some(entry) => Ok(Some(entry.commit)),
        None => {
            Err(Error::refused(format_args!("{}: expected ref {name}, got none", server.place("summary"))))
        }
    }
}

/// The server's summary, verified by the remote's policy.
///
/// The two files are replaced one after the other on the server; so a signature that does not fit
/// is asked for once more, past caches.
pub fn summary(server: &Server) -> Result<Option<Summary>> {
    match try_summary(server, false) {
        Err(error) if matches!(error.exit(), Exit::Untrusted | Exit::Corrupt) => try_summary(server, true),
        other => other,
    }
}

/// The summary of a remote whose summaries are signed.
#[cfg(feature = "ostree-delta")]
pub(super) fn trusted_summary(server: &Server) -> Result<Option<Summary>> {
    match server.summary_policy {
        Policy::Keys(_) => signed(server, false),
        Policy::Unsigned { .. } => Ok(None),
    }
}

fn try_summary(server: &Server, fresh: bool) -> Result<Option<Summary>> {
    match server.summary_policy {
        Policy::Keys(_) => signed(server, fresh),
        Policy::Unsigned { .. } => {
            let bytes = server.retry.run(|again| read(server, "summary", SUMMARY_LIMIT, fresh || again))?;
            bytes.map(|bytes| verify(server, &bytes, None)).transpose()
        }
    }
}

/// One conditional request if nothing has changed since the last time.
fn signed(server: &Server, fresh: bool) -> Result<Option<Summary>> {
    let kept = server.cache.load().filter(|_| !fresh);
    let etag = kept.as_ref().map(|kept| kept.etag.as_str()).filter(|etag| !etag.is_empty());
    let answer = server.retry.run(|again| signatures(server, etag.filter(|_| !again), fresh || again))?;
    let (signatures, etag) = match (answer, kept) {
        (Signatures::Absent, _) => {
            return match read(server, "summary", SUMMARY_LIMIT, fresh)? {
                Some(bytes) => verify(server, &bytes, None).map(Some),
                None => Ok(None),
            };
        }
        (Signatures::Unchanged, Some(kept)) => {
            return verify(server, &kept.summary, Some(&kept.signatures)).map(Some);
        }
        (Signatures::Unchanged, None) => {
            return Err(Error::retry(format_args!("{}: unchanged since never", server.place("summary.sig"))));
        }
        (Signatures::Found(bytes, _), Some(kept)) if bytes == kept.signatures => {
            return verify(server, &kept.summary, Some(&kept.signatures)).map(Some);
        }
        (Signatures::Found(bytes, etag), _) => (bytes, etag),
    };
    let Some(summary) = server.retry.run(|again| read(server, "summary", SUMMARY_LIMIT, fresh || again))?
    else {
        return Ok(None);
    };
    let verified = verify(server, &summary, Some(&signatures))?;
    server.cache.save(&Kept { summary, signatures, etag });
    Ok(Some(verified))
}

enum Signatures {
    Found(Vec<u8>, String),
    Absent,
    Unchanged,
}

fn signatures(server: &Server, etag: Option<&str>, fresh: bool) -> Result<Signatures> {
    let request = Request { etag, fresh, optional: true, ..Request::new("summary.sig", SUMMARY_LIMIT) };
    match server.transport.get(&request)? {
        Answer::Found(body) if body.html => Err(page(&body)),
        Answer::Found(body) => {
            let etag = body.etag.clone().unwrap_or_default();
            Ok(Signatures::Found(body.bytes()?, etag))
        }
        Answer::Absent => Ok(Signatures::Absent),
        Answer::Unchanged => Ok(Signatures::Unchanged),
    }
}

fn verify(server: &Server, summary: &[u8], signatures: Option<&[u8]>) -> Result<Summary> {
    let dict = signatures.map(|bytes| Dict::decode("summary.sig", bytes)).transpose();
    let dict =
        dict.map_err(|error| Error::corrupt(format_args!("{}: {error}", server.place("summary.sig"))))?;
    let verified = verify_summary(summary, dict.as_ref(), &server.summary_policy);
    let verified = verified.map_err(|error| Error::from(error).at(&server.place("summary")))?;
    Ok(verified.get().clone())
}

fn page(body: &Body) -> Error {
    Error::corrupt(format_args!("{}: expected a file of a repo, got a page of HTML", body.place()))
}

fn read(server: &Server, path: &str, limit: u64, fresh: bool) -> Result<Option<Vec<u8>>> {
    match server.transport.get(&Request { fresh, optional: true, ..Request::new(path, limit) })? {
        Answer::Found(body) if body.html => Err(page(&body)),
        Answer::Found(body) => body.bytes().map(Some),
        Answer::Absent | Answer::Unchanged => Ok(None),
    }
}
