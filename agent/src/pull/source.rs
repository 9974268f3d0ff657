//! Where objects come from: an archive repo behind a transport, or a repo of any mode on this machine.

use rootling_store::atomic::AtomicU64;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rootling_object::{Checksum, Dict, MAX_METADATA_SIZE, ObjectKind, ObjectName, RefName, Refspec};
use rootling_store::{Repo, RepoMode, Transaction};
use rootling_trust::Policy;

use super::cache::Cache;
use super::lookup;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::transport::retry::Retry;
use crate::transport::{Answer, Body, Request, Transport};

/// The longest detached metadata that is read.
const DETACHED_LIMIT: u64 = 1 << 20;

/// The longest `config` of a repo that is taken for one.
const CONFIG_LIMIT: u64 = 1 << 20;

/// A place that objects come from.
pub enum Source {
    /// Files of an archive repo, as any web server has them.
    Server(Server),
    /// A repo on this machine.
    Local(Repo),
}

/// An archive repo behind a transport.
pub struct Server {
    /// How to reach it.
    pub transport: Arc<dyn Transport>,
    /// How patiently.
    pub retry: Retry,
    /// What its summary needs.
    pub summary_policy: Policy,
    /// The last summary that was verified.
    pub cache: Cache,
    /// Counts the bytes of bodies.
    pub meter: Arc<AtomicU64>,
}

impl Source {
    /// A repo on this machine.
    pub fn local(path: &Path) -> Result<Source> {
        Ok(Source::Local(Repo::open(path)?))
    }

    /// The commit that `name` names there.
    pub fn lookup(&self, name: &RefName) -> Result<Checksum> {
        match self {
            Source::Server(server) => lookup::commit(server, name),
            Source::Local(repo) => {
                let refspec = Refspec { remote: None, name: name.clone() };
                let found = repo.read_ref(&refspec)?;
                found.ok_or_else(|| {
                    Error::refused(format_args!("{}: expected ref {name}, got none", repo.path().display()))
                })
            }
        }
    }

    /// The bytes of a metadata object, which hash to its name.
    pub fn metadata(&self, kind: ObjectKind, checksum: &Checksum) -> Result<Vec<u8>> {
        match self {
            Source::Server(server) => server.metadata(kind, checksum),
            Source::Local(repo) => Ok(repo.load_metadata(kind, checksum)?),
        }
    }

    /// Detached metadata of a commit, if there is any.
    pub fn detached(&self, commit: &Checksum) -> Result<Option<Dict>> {
        match self {
            Source::Server(server) => server.detached(commit),
            Source::Local(repo) => Ok(repo.load_detached(commit)?),
        }
    }

    /// Fetches a content object into the transaction, which verifies it.
    pub fn content(&self, transaction: &Transaction<'_>, checksum: &Checksum) -> Result<()> {
        match self {
            Source::Server(server) => server.content(transaction, checksum),
            Source::Local(repo) if repo.mode() == RepoMode::Archive => {
                let path = repo.object_path(&ObjectName::new(ObjectKind::File, *checksum));
                let place = path.display().to_string();
                let mut file = File::open(&path).map_err(|error| Error::io(&place, &error))?;
                Ok(transaction.import_archive(checksum, &place, &mut file)?)
            }
            Source::Local(repo) => {
                let mut content = repo.open_content(checksum)?;
                transaction.write_content(
                    &content.header,
                    content.size,
                    &mut content.reader,
                    Some(checksum),
                )?;
                Ok(())
            }
        }
    }
}

impl Server {
    /// Turns a failure that waiting may mend into one that it does not: the server fails for this file, and answers for
    /// others. Every archive repo has a `config`.
    pub fn only_here(&self, error: Error) -> Error {
        let answers = || self.transport.get(&Request::new("config", CONFIG_LIMIT)).is_ok();
        match error.exit() {
            Exit::Network if answers() => error.class_is(Exit::Failed),
            _ => error,
        }
    }

    /// How a path there is called in messages.
    pub fn place(&self, path: &str) -> String {
        self.transport.name(path)
    }

    fn metadata(&self, kind: ObjectKind, checksum: &Checksum) -> Result<Vec<u8>> {
        let name = ObjectName::new(kind, *checksum);
        let path = format!("objects/{}", name.path("filez"));
        self.retry.run(|fresh| {
            let body = self.object(&Request { fresh, ..Request::new(&path, MAX_METADATA_SIZE) })?;
            let (place, html) = (body.place().to_owned(), body.html);
            let bytes = body.bytes()?;
            name.check(&bytes).map_err(|error| corrupt(html, &format!("{place}: {error}")))?;
            Ok(bytes)
        })
    }

    fn detached(&self, commit: &Checksum) -> Result<Option<Dict>> {
        let path = format!("objects/{}", ObjectName::new(ObjectKind::CommitMeta, *commit).path("filez"));
        self.retry.run(|fresh| {
            match self.transport.get(&Request {
                fresh,
                optional: true,
                ..Request::new(&path, DETACHED_LIMIT)
            })? {
                Answer::Found(body) => {
                    let (place, html) = (body.place().to_owned(), body.html);
                    let bytes = body.metered(self.meter.clone()).bytes()?;
                    let dict = Dict::decode("detached metadata", &bytes);
                    dict.map(Some).map_err(|error| corrupt(html, &format!("{place}: {error}")))
                }
                Answer::Absent | Answer::Unchanged => Ok(None),
            }
        })
    }

    fn content(&self, transaction: &Transaction<'_>, checksum: &Checksum) -> Result<()> {
        let path = format!("objects/{}", ObjectName::new(ObjectKind::File, *checksum).path("filez"));
        self.retry.run(|fresh| {
            let mut body = self.object(&Request { content: true, fresh, ..Request::new(&path, u64::MAX) })?;
            let place = body.place().to_owned();
            let written = transaction.import_archive(checksum, &place, &mut body);
            if let Some(fault) = body.fault() {
                return Err(fault);
            }
            match written {
                Ok(()) => body.finish(),
                Err(error) if error.is_corrupt() => Err(corrupt(body.html, &error.to_string())),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn object(&self, request: &Request<'_>) -> Result<Body> {
        match self.transport.get(request)? {
            Answer::Found(body) => Ok(body.metered(self.meter.clone())),
            Answer::Absent | Answer::Unchanged => Err(Error::corrupt(format_args!(
                "{}: expected an object, got none",
                self.place(request.path)
            ))),
        }
    }
}

fn corrupt(html: bool, error: &str) -> Error {
    let page = if html { "; the server sent a page of HTML" } else { "" };
    Error::corrupt(format_args!("{error}{page}"))
}
