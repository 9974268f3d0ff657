//! `remote add` and `remote delete`: the repo's `config`, replaced whole by rename.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use super::parse::{group, parse};
use super::read;
use crate::cli::meant::{Exists, RemoteAdd};
use crate::error::{Error, Result};

/// Adds a remote; what it says is checked before anything is written.
pub fn add(repo: &Path, sysroot: &Path, wanted: &RemoteAdd) -> Result<()> {
    rootling_object::refs::parse_remote(&wanted.name)
        .map_err(|error| Error::usage(format_args!("{error}")))?;
    let group = group(&wanted.name);
    let holder = read::sources(repo, sysroot)?.into_iter().find(|source| source.keyfile.has_group(&group));
    match (holder, wanted.exists) {
        (None, _) => {}
        (Some(_), Exists::Keep) => return Ok(()),
        (Some(holder), Exists::Replace) if holder.path == repo.join("config") => {}
        (Some(holder), _) => {
            return Err(Error::refused(format_args!(
                "{}: remote {:?} exists already",
                holder.path.display(),
                wanted.name
            )));
        }
    }
    let mut source = own(repo, sysroot)?;
    source.keyfile.remove_group(&group);
    for (key, value) in &wanted.keys {
        source.keyfile.set(&group, key, value);
    }
    parse(&source.keyfile, &wanted.name, "remote add")?;
    write(&source.path, &source.keyfile.to_string())
}

/// Removes a remote from the repo's `config`.
pub fn delete(repo: &Path, sysroot: &Path, name: &str, if_exists: bool) -> Result<()> {
    let mut source = own(repo, sysroot)?;
    match source.keyfile.remove_group(&group(name)) {
        true => write(&source.path, &source.keyfile.to_string()),
        false if if_exists => Ok(()),
        false => Err(Error::refused(format_args!(
            "{}: expected a remote {name:?}, got none",
            source.path.display()
        ))),
    }
}

fn own(repo: &Path, sysroot: &Path) -> Result<read::Source> {
    read::sources(repo, sysroot)?
        .into_iter()
        .next()
        .ok_or_else(|| Error::bug(format_args!("the repo's config is not among the sources")))
}

/// After it the old or the new file is there, whole.
fn write(path: &Path, text: &str) -> Result<()> {
    let fail = |error: std::io::Error| Error::io(&path.display().to_string(), &error);
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary).map_err(fail)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
    fs::rename(&temporary, path).map_err(fail)?;
    match path.parent() {
        Some(directory) => File::open(directory).and_then(|directory| directory.sync_all()).map_err(fail),
        None => Ok(()),
    }
}
