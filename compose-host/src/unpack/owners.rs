//! Owners of files: names in the packages, numbers in the tree.
//!
//! All files are written as root's. After every %pre has run (it may add the users), [`Owners::apply`] looks the
//! names up in the tree's own passwd and group and gives the files away.

use super::caps;
use crate::root::{Place, Root};
use crate::rpmfile::files::{FileEntry, FileType};
use anyhow::{Context as _, Result, bail};
use rustix::fs::{AtFlags, Mode, OFlags, XattrFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use std::collections::{BTreeMap, HashMap};

/// Files that belong to others than root.
#[derive(Debug, Default)]
pub struct Owners {
    pending: BTreeMap<String, FileEntry>,
}

impl Owners {
    /// Notes the owner of a file; a directory's last package wins.
    pub fn note(&mut self, entry: &FileEntry) {
        if entry.user == "root" && entry.group == "root" {
            self.pending.remove(&entry.path);
        } else {
            self.pending.insert(entry.path.clone(), entry.clone());
        }
    }

    /// Names that the tree's passwd and group do not have.
    pub fn unknown(&self, root: &Root) -> Result<Vec<String>> {
        let (users, groups) = (ids(root, "etc/passwd")?, ids(root, "etc/group")?);
        let mut names = Vec::new();
        for entry in self.pending.values() {
            if id(&users, &entry.user).is_none() {
                names.push(format!("user {}", entry.user));
            }
            if id(&groups, &entry.group).is_none() {
                names.push(format!("group {}", entry.group));
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Gives the files to their owners; a name that is not known stays root, with a warning.
    pub fn apply(&self, root: &Root, warnings: &mut Vec<String>) -> Result<()> {
        let (users, groups) = (ids(root, "etc/passwd")?, ids(root, "etc/group")?);
        let mut unknown: BTreeMap<String, (usize, &str)> = BTreeMap::new();
        for (path, entry) in &self.pending {
            let mut number = |map: &HashMap<String, u32>, kind: &str, name: &str| {
                id(map, name).unwrap_or_else(|| {
                    unknown.entry(format!("{kind} {name}")).or_insert((0, path)).0 += 1;
                    0
                })
            };
            let uid = number(&users, "user", &entry.user);
            let gid = number(&groups, "group", &entry.group);
            let place = root.place(path)?;
            let present = place.as_ref().map(Place::kind).transpose()?.flatten().is_some();
            let Some(place) = place.filter(|_| present) else {
                warnings.push(format!("{path}: a %pre removed it before it got its owner"));
                continue;
            };
            give(&place, entry, uid, gid)
                .with_context(|| format!("{path}: owner {}:{}", entry.user, entry.group))?;
        }
        for (name, (count, first)) in unknown {
            warnings.push(format!(
                "{name} is not in the tree: root owns {count} of its files, the first is {first}"
            ));
        }
        Ok(())
    }
}

fn give(place: &Place, entry: &FileEntry, uid: u32, gid: u32) -> Result<()> {
    let (dir, name) = (&place.dir, place.name.as_str());
    let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    match rustix::fs::chownat(dir, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(()) => {}
        Err(Errno::INVAL) => bail!("chown to {uid}:{gid}: these ids are not mapped into this user namespace"),
        Err(error) => return Err(error).context("chown"),
    }
    if entry.kind == FileType::Symlink {
        return Ok(());
    }
    // chown drops set-id bits and capabilities
    let fd =
        rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK, Mode::empty())?;
    rustix::fs::fchmod(&fd, Mode::from_raw_mode(entry.mode))?;
    set_caps(&fd, entry)
}

/// Sets `security.capability` when the package asks for it.
pub fn set_caps(fd: impl std::os::fd::AsFd, entry: &FileEntry) -> Result<()> {
    if let Some(value) = caps::encode(&entry.caps)? {
        rustix::fs::fsetxattr(fd, "security.capability", &value, XattrFlags::empty())
            .context("set capabilities")?;
    }
    Ok(())
}

/// Names to numbers of a passwd or group file: `name:x:number:...`.
fn ids(root: &Root, path: &str) -> Result<HashMap<String, u32>> {
    let text = root.read_text(path)?.unwrap_or_default();
    let parse = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((name.to_owned(), fields.nth(1)?.parse().ok()?))
    };
    // the first of two equal names wins, as in libc
    Ok(text.lines().rev().filter_map(parse).collect())
}

fn id(map: &HashMap<String, u32>, name: &str) -> Option<u32> {
    if name == "root" || name.is_empty() { Some(0) } else { map.get(name).copied() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ids_as_libc_does() {
        let top = tempfile::tempdir().unwrap();
        let root = Root::open(top.path()).unwrap();
        assert!(ids(&root, "etc/passwd").unwrap().is_empty());
        root.write(
            "etc/passwd",
            b"root:x:0:0::/:/bin/sh\na:x:7:8::/:\na:x:9:9::/:\n\nbroken\nb:x:no:1::/:\n",
            0o644,
        )
        .unwrap();
        let map = ids(&root, "etc/passwd").unwrap();
        assert_eq!(id(&map, "a"), Some(7));
        assert_eq!(id(&map, "root"), Some(0));
        assert_eq!(id(&map, "b"), None);
    }
}
