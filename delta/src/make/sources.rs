//! The old tree as a place to look for sources: by path, by content, by likeness of names.

use super::tree::Objects;
use crate::error::{Error, Result};
use crate::tree::Base;
use rootling_object::{Checksum, Commit, DirTree};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A directory of the old tree.
#[derive(Debug, Clone)]
pub(super) struct OldDir {
    pub(super) tree: DirTree,
}

/// All of the old tree.
#[derive(Debug, Default)]
pub(super) struct Old {
    /// By path without a slash in front; the root is empty.
    pub(super) dirs: BTreeMap<String, OldDir>,
    /// The first path of each content object.
    pub(super) paths: HashMap<Checksum, String>,
    by_name: HashMap<String, Vec<(String, Checksum)>>,
    metas: HashSet<Checksum>,
}

impl Old {
    /// Reads the tree of `commit`.
    pub(super) fn load(objects: &dyn Objects, commit: Option<Checksum>) -> Result<Old> {
        let mut old = Old::default();
        let Some(commit) = commit else { return Ok(old) };
        let commit = Commit::decode(&objects.commit(&commit)?).map_err(|err| Error::io(err.to_string()))?;
        old.metas.insert(commit.root_meta);
        let mut waiting = vec![(String::new(), commit.root_tree)];
        while let Some((path, tree)) = waiting.pop() {
            let tree = DirTree::decode(&objects.dirtree(&tree)?).map_err(|err| Error::io(err.to_string()))?;
            for (name, checksum) in &tree.files {
                let path = join(&path, name);
                old.by_name.entry(stem(name)).or_default().push((path.clone(), *checksum));
                old.paths.entry(*checksum).or_insert(path);
            }
            for (name, child, meta) in &tree.dirs {
                old.metas.insert(*meta);
                waiting.push((join(&path, name), *child));
            }
            old.dirs.insert(path, OldDir { tree });
        }
        old.by_name.values_mut().for_each(|paths| paths.sort());
        Ok(old)
    }

    /// Whether a dirmeta is in the old tree.
    pub(super) fn knows_meta(&self, meta: &Checksum) -> bool {
        self.metas.contains(meta)
    }

    /// The old directory beside `name` that most likely bore its contents: gone from the new one, of a like name.
    pub(super) fn renamed_dir(&self, base: &str, name: &str, new: &DirTree) -> Option<String> {
        let dir = self.dirs.get(base)?;
        let gone = dir.tree.dirs.iter().filter(|(old, ..)| new.dir(old).is_none());
        let best = gone.map(|(old, ..)| (likeness(old, name), old)).max()?;
        (best.0 * 2 >= name.len()).then(|| join(base, best.1))
    }

    /// What the new file `name` in `path` is best made from; `base` is the old directory that its directory is made from.
    pub(super) fn source(&self, base: Option<&str>, name: &str, path: &str) -> (Base, Option<Checksum>) {
        let same = base.and_then(|base| self.dirs.get(base)?.tree.file(name));
        if let Some(same) = same {
            return (Base::Same, Some(*same));
        }
        let whole = join(path, name);
        let alike = self.by_name.get(&stem(name));
        let best = alike.into_iter().flatten().max_by_key(|(old, _)| likeness(old, &whole));
        match best {
            Some((path, checksum)) => (Base::Path(path.clone()), Some(*checksum)),
            None => (Base::Nothing, None),
        }
    }
}

/// A path of a name in a directory.
pub(super) fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// A file name without its digits, so that versions do not matter.
fn stem(name: &str) -> String {
    name.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// Bytes that two names share at their start and end.
fn likeness(one: &str, other: &str) -> usize {
    let start = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let end = one.bytes().rev().zip(other.bytes().rev()).take_while(|(one, other)| one == other).count();
    (start + end).min(one.len().min(other.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_do_not_hide_a_likeness() {
        assert_eq!(stem("libfoo.so.1.2.3"), stem("libfoo.so.1.3.10"));
        assert!(likeness("6.1.0-53-cloud", "6.1.0-54-cloud") > likeness("5.10.0-9-cloud", "6.1.0-54-cloud"));
        assert_eq!(likeness("same", "same"), 4);
    }
}
