//! Refs on disk.

use super::Repo;
use crate::error::{Error, Result};
use rootling_object::{Checksum, RefName, Refspec};
use std::fs;
use std::path::{Path, PathBuf};

impl Repo {
    fn ref_path(&self, refspec: &Refspec) -> PathBuf {
        let refs = self.root.join("refs");
        match &refspec.remote {
            None => refs.join("heads").join(refspec.name.as_str()),
            Some(remote) => refs.join("remotes").join(remote).join(refspec.name.as_str()),
        }
    }

    /// The commit a ref names; `None` if there is no such ref.
    pub fn read_ref(&self, refspec: &Refspec) -> Result<Option<Checksum>> {
        let path = self.ref_path(refspec);
        match fs::read_to_string(&path) {
            Ok(text) => {
                Checksum::parse_hex(text.trim_end()).map(Some).map_err(Error::corrupt(path.display()))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound
                        | std::io::ErrorKind::IsADirectory
                        | std::io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// Binds or removes a ref.
    ///
    /// Durable once it returns; after a power failure the ref is the old or the new one.
    pub fn write_ref(&self, refspec: &Refspec, commit: Option<&Checksum>) -> Result<()> {
        let path = self.ref_path(refspec);
        let parent = path.parent().unwrap_or(&self.root);
        match commit {
            Some(commit) => {
                fs::create_dir_all(parent).map_err(Error::io("make directory", parent))?;
                let draft = self.root.join("tmp").join(format!("ref-{}", std::process::id()));
                crate::fs::replace_through(&draft, &path, format!("{commit}\n").as_bytes())
            }
            None if crate::fs::remove_if_there(&path)? => {
                crate::fs::sync_dir(parent)?;
                self.remove_empty_parents(parent);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Directories of refs that are gone would stand in the way of a ref of their name.
    fn remove_empty_parents(&self, from: &Path) {
        let stops = ["heads", "remotes", "mirrors"].map(|name| self.root.join("refs").join(name));
        let mut dir = from;
        while !stops.iter().any(|stop| stop == dir) && fs::remove_dir(dir).is_ok() {
            let Some(parent) = dir.parent() else { break };
            dir = parent;
        }
    }

    /// All refs of the repo and of its remotes, ascending.
    pub fn list_refs(&self) -> Result<Vec<(Refspec, Checksum)>> {
        let refs = self.root.join("refs");
        let mut found = Vec::new();
        self.collect_refs(None, &refs.join("heads"), "", &mut found)?;
        for (remote, path) in crate::fs::list(&refs.join("remotes"))? {
            self.collect_refs(Some(&remote), &path, "", &mut found)?;
        }
        found.sort_unstable();
        Ok(found)
    }

    fn collect_refs(
        &self,
        remote: Option<&str>,
        dir: &Path,
        prefix: &str,
        found: &mut Vec<(Refspec, Checksum)>,
    ) -> Result<()> {
        for (name, path) in crate::fs::list(dir)? {
            let full = format!("{prefix}{name}");
            if path.symlink_metadata().map_err(Error::io("stat", &path))?.is_dir() {
                self.collect_refs(remote, &path, &format!("{full}/"), found)?;
            } else if let Ok(name) = RefName::parse(&full) {
                let refspec = Refspec { remote: remote.map(str::to_owned), name };
                if let Some(commit) = self.read_ref(&refspec)? {
                    found.push((refspec, commit));
                }
            }
        }
        Ok(())
    }
}
