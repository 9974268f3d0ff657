//! The files a header lists.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::{Header, tags};
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::{HashMap, HashSet};

/// `%doc`.
const FLAG_DOC: u64 = 1 << 1;
/// `%ghost`.
const FLAG_GHOST: u64 = 1 << 6;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// Regular file.
    Regular,
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink,
    /// Device, fifo or socket: has no place in an OSTree commit.
    Special,
}

/// One file of a package.
#[derive(Clone, Debug)]
pub struct FileEntry {
    /// Absolute, without `.`, `..` or empty components.
    pub path: String,
    /// Type.
    pub kind: FileType,
    /// Permission bits, 07777.
    pub mode: u32,
    /// Owning user's name.
    pub user: String,
    /// Owning group's name.
    pub group: String,
    /// Size in bytes; of a symlink, of its target.
    pub size: u64,
    /// Hex digest of a regular file; empty for others.
    pub digest: String,
    /// Target of a symlink.
    pub target: String,
    /// File capabilities as text; empty for none.
    pub caps: String,
    /// Marked as documentation.
    pub doc: bool,
    /// Owned but not in the payload.
    pub ghost: bool,
    /// Index of the last file of its hard-link group (the one with the content); its own index when it has no other link.
    pub content_in: usize,
}

/// All files of a header, in its order.
#[derive(Clone, Debug)]
pub struct Files {
    /// The files.
    pub entries: Vec<FileEntry>,
    /// Number of the digest algorithm (8 = SHA-256).
    pub digest_algorithm: u64,
}

impl Files {
    /// Decodes the file tags and refuses paths that could lead out of the tree.
    pub fn of(header: &Header) -> Result<Files> {
        let paths = paths(header)?;
        let count = paths.len();
        let sizes = match header.entry(tags::LONGFILESIZES) {
            Some(_) => header.numbers(tags::LONGFILESIZES),
            None => header.numbers(tags::FILESIZES),
        };
        let modes = header.numbers(tags::FILEMODES);
        let flags = header.numbers(tags::FILEFLAGS);
        let users = header.texts(tags::FILEUSERNAME);
        let groups = header.texts(tags::FILEGROUPNAME);
        let digests = header.texts(tags::FILEDIGESTS);
        let targets = header.strings(tags::FILELINKTOS);
        let caps = header.texts(tags::FILECAPS);
        for (what, got, optional) in [
            ("sizes", sizes.len(), false),
            ("modes", modes.len(), false),
            ("flags", flags.len(), false),
            ("users", users.len(), false),
            ("groups", groups.len(), false),
            ("digests", digests.len(), true),
            ("link targets", targets.len(), false),
            ("capabilities", caps.len(), true),
        ] {
            ensure!(got == count || (optional && got == 0), "file {what}: expected {count}, got {got}");
        }
        let mut entries = Vec::with_capacity(count);
        for (index, path) in paths.into_iter().enumerate() {
            let mode = modes.get(index).copied().unwrap_or_default();
            let kind = match mode & 0o170000 {
                0o100000 => FileType::Regular,
                0o040000 => FileType::Directory,
                0o120000 => FileType::Symlink,
                0o020000 | 0o060000 | 0o010000 | 0o140000 => FileType::Special,
                other => bail!("{path}: unknown file type {other:o}"),
            };
            let flag = flags.get(index).copied().unwrap_or_default();
            let target = targets.get(index).copied().unwrap_or_default();
            let target =
                std::str::from_utf8(target).with_context(|| format!("{path}: link target is not UTF-8"))?;
            let text = |list: &[std::borrow::Cow<'_, str>]| {
                list.get(index).map_or_else(String::new, |t| t.to_string())
            };
            entries.push(FileEntry {
                path,
                kind,
                mode: u32::try_from(mode & 0o7777)?,
                user: text(&users),
                group: text(&groups),
                size: sizes.get(index).copied().unwrap_or_default(),
                digest: text(&digests),
                target: target.to_owned(),
                caps: text(&caps),
                doc: flag & FLAG_DOC != 0,
                ghost: flag & FLAG_GHOST != 0,
                content_in: index,
            });
        }
        refuse_files_below_files(&entries)?;
        group_hard_links(header, &mut entries);
        let digest_algorithm = header.number(tags::FILEDIGESTALGO).unwrap_or(1);
        Ok(Files { entries, digest_algorithm })
    }
}

fn paths(header: &Header) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    if header.entry(tags::BASENAMES).is_some() {
        let directories = header.strings(tags::DIRNAMES);
        let indexes = header.numbers(tags::DIRINDEXES);
        let names = header.strings(tags::BASENAMES);
        ensure!(
            indexes.len() == names.len(),
            "directory indexes: expected {}, got {}",
            names.len(),
            indexes.len()
        );
        for (name, index) in names.into_iter().zip(indexes) {
            let directory = usize::try_from(index).ok().and_then(|index| directories.get(index));
            let directory = directory.with_context(|| {
                format!("directory index: expected less than {}, got {index}", directories.len())
            })?;
            paths.push(clean(&[directory, name].concat())?);
        }
    } else {
        for name in header.strings(tags::OLDFILENAMES) {
            paths.push(clean(name)?);
        }
    }
    let mut seen = HashSet::with_capacity(paths.len());
    for path in &paths {
        ensure!(seen.insert(path.as_str()), "{path}: listed twice in the header");
    }
    Ok(paths)
}

/// An absolute path without anything to resolve; `/` itself stays `/`.
fn clean(path: &[u8]) -> Result<String> {
    let path = std::str::from_utf8(path)
        .map_err(|_| anyhow::anyhow!("{}: file name is not UTF-8", String::from_utf8_lossy(path)))?;
    let rest = path.strip_prefix('/').with_context(|| format!("{path:?}: expected an absolute path"))?;
    if rest.is_empty() {
        return Ok(path.to_owned());
    }
    for part in rest.split('/') {
        ensure!(!matches!(part, "" | "." | ".."), "{path:?}: path component {part:?} is not allowed");
    }
    ensure!(path.len() < 4096, "path of {} bytes: expected fewer than 4096", path.len());
    Ok(path.to_owned())
}

/// A package that lists `/a` as a symlink and `/a/b` as a file wants to be followed somewhere.
fn refuse_files_below_files(entries: &[FileEntry]) -> Result<()> {
    let not_dirs: HashMap<&str, FileType> = entries
        .iter()
        .filter(|entry| entry.kind != FileType::Directory && !entry.ghost)
        .map(|entry| (entry.path.as_str(), entry.kind))
        .collect();
    for entry in entries {
        let mut path = entry.path.as_str();
        while let Some((parent, _)) = path.rsplit_once('/') {
            if let Some(kind) = not_dirs.get(parent) {
                bail!("{}: leads through {parent}, which the same package says is {kind:?}", entry.path);
            }
            path = parent;
        }
    }
    Ok(())
}

fn group_hard_links(header: &Header, entries: &mut [FileEntry]) {
    let inodes = header.numbers(tags::FILEINODES);
    let devices = header.numbers(tags::FILEDEVICES);
    let mut last: HashMap<(u64, u64), usize> = HashMap::new();
    let key =
        |index: usize| inodes.get(index).map(|inode| (devices.get(index).copied().unwrap_or(0), *inode));
    let linkable = |entry: &FileEntry| entry.kind == FileType::Regular && !entry.ghost;
    for (index, entry) in entries.iter().enumerate() {
        if let (true, Some(key)) = (linkable(entry), key(index)) {
            last.insert(key, index);
        }
    }
    for (index, entry) in entries.iter_mut().enumerate() {
        if let (true, Some(group)) = (linkable(entry), key(index).and_then(|key| last.get(&key))) {
            entry.content_in = *group;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_paths_that_need_resolving() {
        assert_eq!(clean(b"/usr/bin/x").ok().as_deref(), Some("/usr/bin/x"));
        assert_eq!(clean(b"/").ok().as_deref(), Some("/"));
        for path in [&b"usr"[..], b"", b"/a/../b", b"/a//b", b"/a/", b"/./a", b"/..", b"/\xff"] {
            assert!(clean(path).is_err(), "{}", String::from_utf8_lossy(path));
        }
    }
}
