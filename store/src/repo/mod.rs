//! An OSTree repo on disk.
//!
//! ```text
//! config                 key file: mode, remotes, limits
//! objects/XX/<62>.<ext>  objects, named by checksum
//! refs/heads/<ref>       64 digits and a newline; refs/remotes/<remote>/<ref> likewise
//! state/<sum>.commitpartial   the commit's objects are not all here
//! tmp/staging-<boot id>-rootling<n>   objects of an open transaction
//! summary, summary.sig   what remotes publish
//! .lock                  see [`crate::lock`]
//! ```
//!
//! **Invariant:** nothing is linked into `objects/` that does not hash to its name.

mod config;
mod incoming;
mod objects;
mod partial;
mod refs;
mod resolve;
pub(crate) mod space;
mod staging;
pub mod summary;
mod txn;
mod write;

pub use incoming::Incoming;
pub use objects::Content;
pub(crate) use objects::read_xattrs;
pub use txn::{Stats, Transaction};

use crate::archive::Deflate;
use crate::error::{Error, Result};
use crate::lock::{FileLock, LockKind};
use rootling_object::Keyfile;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a repo stores content objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepoMode {
    /// Compressed, for serving: `.filez`.
    Archive,
    /// Real files with real owners; needs root.
    Bare,
    /// Files of the user with the real metadata in `user.ostreemeta`.
    BareUser,
    /// Files of the user without owners and xattrs; read only.
    BareUserOnly,
}

impl RepoMode {
    fn parse(text: &str) -> Result<RepoMode> {
        Ok(match text {
            "archive-z2" | "archive" => RepoMode::Archive,
            "bare" => RepoMode::Bare,
            "bare-user" => RepoMode::BareUser,
            "bare-user-only" => RepoMode::BareUserOnly,
            other => return Err(Error::unsupported(format_args!("repo mode {other:?}"))),
        })
    }

    /// Extension of content objects.
    pub fn content_extension(self) -> &'static str {
        match self {
            RepoMode::Archive => "filez",
            _ => "file",
        }
    }
}

impl fmt::Display for RepoMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RepoMode::Archive => "archive-z2",
            RepoMode::Bare => "bare",
            RepoMode::BareUser => "bare-user",
            RepoMode::BareUserOnly => "bare-user-only",
        })
    }
}

/// An open repo.
pub struct Repo {
    root: PathBuf,
    mode: RepoMode,
    config: Keyfile,
    deflate: Option<Box<dyn Deflate>>,
}

impl Repo {
    /// Makes an empty repo, or opens one of the same mode that is there already.
    ///
    /// Durable once it returns: the config is written last, by rename; a directory without it is no repo.
    pub fn create(root: &Path, mode: RepoMode) -> Result<Repo> {
        if root.join("config").exists() {
            let repo = Repo::open(root)?;
            if repo.mode != mode {
                return Err(Error::refused(format_args!(
                    "{} is a repo of mode {}, not {mode}",
                    root.display(),
                    repo.mode
                )));
            }
            return Ok(repo);
        }
        for dir in
            ["objects", "tmp/cache", "extensions", "state", "refs/heads", "refs/mirrors", "refs/remotes"]
        {
            let dir = root.join(dir);
            fs::create_dir_all(&dir).map_err(Error::io("make directory", &dir))?;
        }
        let config = format!("[core]\nrepo_version=1\nmode={mode}\n");
        crate::fs::replace(&root.join("config"), config.as_bytes())?;
        Repo::open(root)
    }

    /// Opens a repo.
    pub fn open(root: &Path) -> Result<Repo> {
        let path = root.join("config");
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let config = Keyfile::parse(&text).map_err(Error::corrupt(path.display()))?;
        match config.get("core", "repo_version") {
            Some("1") => {}
            other => {
                return Err(Error::unsupported(format_args!("repo_version {other:?} in {}", path.display())));
            }
        }
        let mode = RepoMode::parse(config.get("core", "mode").unwrap_or("bare"))?;
        Ok(Repo { root: root.to_owned(), mode, config, deflate: None })
    }

    /// Lets this repo compress, which writing new content into an archive repo needs.
    pub fn with_deflate(mut self, deflate: Box<dyn Deflate>) -> Repo {
        self.deflate = Some(deflate);
        self
    }

    /// The repo's directory.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// How content is stored.
    pub fn mode(&self) -> RepoMode {
        self.mode
    }

    /// Keeps others from removing objects while some are added.
    pub(crate) fn lock(&self, kind: LockKind) -> Result<Option<FileLock>> {
        if !self.flag("locking", true)? {
            return Ok(None);
        }
        let patience = match self.config.get("core", "lock-timeout-secs") {
            Some("-1") => Duration::MAX,
            _ => Duration::from_secs(self.number("lock-timeout-secs", 30)?),
        };
        FileLock::acquire(&self.root.join(".lock"), kind, patience).map(Some)
    }

    /// Opens a transaction.
    pub fn transaction(&self) -> Result<Transaction<'_>> {
        Transaction::begin(self)
    }
}

impl fmt::Debug for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repo({}, {})", self.root.display(), self.mode)
    }
}
