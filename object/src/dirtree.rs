//! Dirtree objects: the names in one directory.

use crate::checksum::{Checksum, quoted};
use crate::error::{Error, Result};
use crate::variant::frame::{self, ArrayWriter, BYTES};
use std::cmp::Ordering;

/// Longest name of a file, in bytes (`NAME_MAX`).
const MAX_NAME: usize = 255;

/// A dirtree: `(a(say)a(sayay))`, both arrays strictly ascending by name, no name in both.
///
/// libostree does not check the order on reading; this reader does, because two programs that search a directory
/// in different ways must not find two different files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirTree {
    /// Name and content checksum of each file and symlink.
    pub files: Vec<(String, Checksum)>,
    /// Name, dirtree checksum and dirmeta checksum of each directory.
    pub dirs: Vec<(String, Checksum, Checksum)>,
}

impl DirTree {
    /// Reads and checks a dirtree object.
    pub fn decode(bytes: &[u8]) -> Result<DirTree> {
        let [files, dirs] = frame::tuple(WHAT, bytes, [BYTES, BYTES])?;
        let files = frame::array(WHAT, files, 1)?;
        let mut tree = DirTree { files: Vec::with_capacity(files.len()), dirs: Vec::new() };
        for entry in files {
            let [name, checksum] = frame::tuple(WHAT, entry?, [BYTES, BYTES])?;
            let name = checked_name(name, tree.files.last().map(|(name, _)| name))?;
            tree.files.push((name, checksum_of(checksum)?));
        }
        for entry in frame::array(WHAT, dirs, 1)? {
            let [name, contents, meta] = frame::tuple(WHAT, entry?, [BYTES, BYTES, BYTES])?;
            let name = checked_name(name, tree.dirs.last().map(|(name, ..)| name))?;
            tree.dirs.push((name, checksum_of(contents)?, checksum_of(meta)?));
        }
        match tree.name_in_both() {
            Some(name) => Err(Error::malformed(WHAT, "names", "each name once", quoted(name))),
            None => Ok(tree),
        }
    }

    /// The object's bytes. Both lists must be ascending by name.
    pub fn encode(&self) -> Vec<u8> {
        let (mut files, mut dirs) = (ArrayWriter::default(), ArrayWriter::default());
        for (name, checksum) in &self.files {
            push(&mut files, name, checksum, None);
        }
        for (name, contents, meta) in &self.dirs {
            push(&mut dirs, name, contents, Some(meta));
        }
        frame::join_tuple(&[(BYTES, &files.finish()), (BYTES, &dirs.finish())])
    }

    /// The content checksum of the file `name`.
    pub fn file(&self, name: &str) -> Option<&Checksum> {
        let index = self.files.binary_search_by(|(entry, _)| entry.as_str().cmp(name)).ok()?;
        self.files.get(index).map(|(_, checksum)| checksum)
    }

    /// The dirtree and dirmeta checksums of the directory `name`.
    pub fn dir(&self, name: &str) -> Option<(&Checksum, &Checksum)> {
        let index = self.dirs.binary_search_by(|(entry, ..)| entry.as_str().cmp(name)).ok()?;
        self.dirs.get(index).map(|(_, contents, meta)| (contents, meta))
    }

    fn name_in_both(&self) -> Option<&str> {
        let (mut files, mut dirs) = (self.files.iter().peekable(), self.dirs.iter().peekable());
        loop {
            match files.peek()?.0.cmp(&dirs.peek()?.0) {
                Ordering::Less => files.next().map(|_| ()),
                Ordering::Greater => dirs.next().map(|_| ()),
                Ordering::Equal => return files.next().map(|(name, _)| name.as_str()),
            };
        }
    }
}

const WHAT: &str = "dirtree";

/// Adds a name with its one or two checksums.
fn push(entries: &mut ArrayWriter, name: &str, first: &Checksum, second: Option<&Checksum>) {
    let name = frame::string_bytes(name);
    let all = [(BYTES, &name[..]), (BYTES, &first.0[..]), (BYTES, &second.unwrap_or(first).0[..])];
    let [members @ .., _] = &all;
    entries.push(1, &frame::join_tuple(if second.is_some() { &all } else { members }));
}

/// Whether `name` may stand in a directory: not empty, `.`, `..`, no `/` or NUL, at most 255 bytes.
pub fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= MAX_NAME && !name.contains(['/', '\0'])
}

fn checked_name(bytes: &[u8], last: Option<&String>) -> Result<String> {
    let name = frame::string(WHAT, "name", bytes)?;
    if !is_file_name(name) {
        return Err(Error::malformed(WHAT, "name", "a file name of 1 to 255 bytes", quoted(name)));
    }
    if let Some(last) = last.filter(|last| last.as_str() >= name) {
        let got = format!("{} after {}", quoted(name), quoted(last));
        return Err(Error::malformed(WHAT, "names", "ascending order", got));
    }
    Ok(name.to_owned())
}

fn checksum_of(bytes: &[u8]) -> Result<Checksum> {
    Checksum::from_slice(bytes)
        .map_err(|_| Error::malformed(WHAT, "checksum", "32 bytes", format_args!("{} bytes", bytes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str], dirs: &[&str]) -> DirTree {
        let sum = Checksum::of(b"x");
        DirTree {
            files: files.iter().map(|name| (name.to_string(), sum)).collect(),
            dirs: dirs.iter().map(|name| (name.to_string(), sum, sum)).collect(),
        }
    }

    #[test]
    fn the_empty_dirtree_is_one_zero_byte() {
        assert_eq!(DirTree::default().encode(), [0]);
        assert_eq!(DirTree::decode(&[0]), Ok(DirTree::default()));
    }

    #[test]
    fn goes_there_and_back_over_each_offset_width() {
        for count in [1, 5, 6, 7, 1_700, 70_000] {
            let names: Vec<String> = (0..count).map(|n| format!("f{n:05}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let tree = tree(&names, &["dir", "sub"]);
            let back = DirTree::decode(&tree.encode()).unwrap();
            assert_eq!(back, tree);
            assert!(
                back.file(names[count / 2]).is_some()
                    && back.dir("sub").is_some()
                    && back.file("no").is_none()
            );
        }
    }

    #[test]
    fn refuses_hostile_names() {
        let long = "x".repeat(256);
        for (files, dirs, reason) in [
            (&["b", "a"][..], &[][..], "ascending order"),
            (&["a", "a"], &[], "ascending order"),
            (&[], &["b", "a"], "ascending order"),
            (&["a", "b"], &["b", "c"], "each name once"),
            (&["../x"], &[], "a file name"),
            (&[".."], &[], "a file name"),
            (&["."], &[], "a file name"),
            (&[""], &[], "a file name"),
            (&[], &["a/b"], "a file name"),
            (&[&long], &[], "a file name"),
        ] {
            let err = DirTree::decode(&tree(files, dirs).encode()).unwrap_err().to_string();
            assert!(err.contains(reason), "{files:?} {dirs:?}: {err}");
        }
    }

    #[test]
    fn refuses_checksums_that_are_not_32_bytes() {
        let mut files = ArrayWriter::default();
        files.push(1, &frame::join_tuple(&[(BYTES, b"a\0"), (BYTES, &[1; 31])]));
        let bytes = frame::join_tuple(&[(BYTES, &files.finish()), (BYTES, b"")]);
        assert!(DirTree::decode(&bytes).unwrap_err().to_string().contains("32 bytes"));
    }
}
