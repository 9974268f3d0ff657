//! What is in a commit, one entry at a time.

use crate::error::{Error, Result};
use crate::repo::Repo;
use rootling_object::{Checksum, DirTree};

/// One name in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file or symlink.
    File(Checksum),
    /// A directory: its dirtree and its dirmeta.
    Dir(Checksum, Checksum),
}

/// Calls `visit` for the directory `path` itself and everything below it, parents first, names ascending, files
/// before directories. Where `visit` says `false` for a directory, what is below is left out.
pub fn walk(
    repo: &Repo,
    path: &str,
    root: (&Checksum, &Checksum),
    visit: &mut dyn FnMut(&str, &Entry) -> Result<bool>,
) -> Result<()> {
    if !visit(if path.is_empty() { "/" } else { path }, &Entry::Dir(*root.0, *root.1))? {
        return Ok(());
    }
    let DirTree { files, dirs } = repo.load_dirtree(root.0)?;
    for (name, checksum) in &files {
        visit(&format!("{path}/{name}"), &Entry::File(*checksum))?;
    }
    drop(files);
    for (name, tree, meta) in &dirs {
        walk(repo, &format!("{path}/{name}"), (tree, meta), visit)?;
    }
    Ok(())
}

/// Finds `path` (`/usr/bin/x`, `usr`, `/`) in a tree.
pub fn find(repo: &Repo, root: (&Checksum, &Checksum), path: &str) -> Result<Option<Entry>> {
    let mut at = Entry::Dir(*root.0, *root.1);
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let Entry::Dir(tree, _) = at else { return Ok(None) };
        let tree = repo.load_dirtree(&tree)?;
        at = match (tree.file(part), tree.dir(part)) {
            (Some(file), _) => Entry::File(*file),
            (None, Some((tree, meta))) => Entry::Dir(*tree, *meta),
            (None, None) => return Ok(None),
        };
    }
    Ok(Some(at))
}

/// Reads a whole file out of a commit; one larger than `limit` bytes is refused.
pub fn read_file(
    repo: &Repo,
    root: (&Checksum, &Checksum),
    path: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>> {
    let Some(Entry::File(checksum)) = find(repo, root, path)? else { return Ok(None) };
    let content = repo.open_content(&checksum)?;
    if content.size > limit {
        return Err(Error::refused(format_args!(
            "{path} has {} bytes, at most {limit} are read",
            content.size
        )));
    }
    let mut bytes = Vec::new();
    let mut reader = content.reader;
    std::io::Read::read_to_end(&mut reader, &mut bytes).map_err(Error::io("read", path))?;
    Ok(Some(bytes))
}
