//! Where remotes are written down: the repo's `config`, and `etc/ostree/remotes.d/*.conf` of the sysroot.

use std::fs;
use std::path::{Path, PathBuf};

use rootling_object::keyfile::Keyfile;
use rootling_store::fs as store;

use super::Remote;
use super::parse::{group, parse};
use crate::error::{Error, Result};

/// A keyfile that may hold remotes.
#[derive(Debug)]
pub struct Source {
    /// The file it was read from.
    pub path: PathBuf,
    /// What it holds.
    pub keyfile: Keyfile,
}

impl Source {
    /// The names of the remotes in it.
    pub fn names(&self) -> Vec<String> {
        let inner = |group: &str| group.strip_prefix("remote \"")?.strip_suffix('"').map(str::to_owned);
        self.keyfile.groups().into_iter().filter_map(inner).collect()
    }
}

/// Every file that may hold remotes of `repo`, the repo's own `config` first.
pub fn sources(repo: &Path, sysroot: &Path) -> Result<Vec<Source>> {
    let mut paths = vec![repo.join("config")];
    paths.extend(conf_files(&sysroot.join("etc/ostree/remotes.d"))?);
    paths.into_iter().map(open).collect()
}

/// The remote called `name`; it is an error if two files describe it.
pub fn find(repo: &Path, sysroot: &Path, name: &str) -> Result<Remote> {
    let all = sources(repo, sysroot)?;
    let mut holders = all.iter().filter(|source| source.keyfile.has_group(&group(name)));
    let Some(holder) = holders.next() else {
        return Err(Error::refused(format_args!(
            "{}: expected a remote {name:?}, got none",
            repo.join("config").display()
        )));
    };
    if let Some(second) = holders.next() {
        return Err(Error::refused(format_args!(
            "remote {name:?}: expected in one file, got {} and {}",
            holder.path.display(),
            second.path.display()
        )));
    }
    let mut remote = parse(&holder.keyfile, name, &holder.path.display().to_string())?;
    remote.origin = sysroot.display().to_string();
    Ok(remote)
}

fn open(path: PathBuf) -> Result<Source> {
    let place = path.display().to_string();
    let text = fs::read_to_string(&path).map_err(|error| Error::io(&place, &error))?;
    let keyfile = Keyfile::parse(&text).map_err(|error| Error::refused(format_args!("{place}: {error}")))?;
    Ok(Source { path, keyfile })
}

fn conf_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = store::paths(directory)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    Ok(paths)
}
