//! `/etc` of a deployment: what the administrator does to it, and what it has to be, worked out without the agent's merge.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file, and its content and mode; without them it is removed.
type Edit = (&'static str, Option<(&'static str, u32)>);

/// What is edited while version 1 runs, while version 2 runs, and there again after version 3 was deployed.
const ROUNDS: [&[Edit]; 3] = [
    &[("added/below/mine", Some(("1\n", 0o600))), ("plain", Some(("mine\n", 0o640))), ("gone", None)],
    &[("added/below/mine", Some(("2\n", 0o400))), ("second", Some(("2\n", 0o644))), ("deep/er/file", None)],
    &[("third", Some(("3\n", 0o755))), ("plain", Some(("mine again\n", 0o644))), ("second", None)],
];

/// Defaults that differ from version to version, beside those of the tree.
pub fn defaults(tree: &Path, version: u32) {
    for name in ["plain", "untouched", "gone"] {
        fs::write(tree.join("usr/etc").join(name), format!("default {name} of version {version}\n")).unwrap();
    }
}

/// The administrator's next round of edits.
pub fn edit(etc: &Path, round: usize) {
    for (path, to) in ROUNDS[round - 1] {
        let path = etc.join(path);
        let Some((content, mode)) = to else {
            fs::remove_file(path).unwrap();
            continue;
        };
        for folder in
            path.ancestors().skip(1).take_while(|folder| !folder.exists()).collect::<Vec<_>>().iter().rev()
        {
            fs::create_dir(folder).unwrap();
            fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(*mode)).unwrap();
    }
}

/// The kinds in a mode.
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;

/// Of each path mode with kind, owner, and content or target.
type Files = BTreeMap<PathBuf, (u32, u32, u32, Vec<u8>)>;

/// With how many rounds of edits over the defaults of its tree a deployment's `/etc` is; another than these is wrong.
pub fn judge(tree: &Path, rounds: RangeInclusive<usize>) -> Result<usize, String> {
    let (defaults, found) = (files(&tree.join("usr/etc"))?, files(&tree.join("etc"))?);
    let with =
        |count: usize| ROUNDS[..count].iter().fold(defaults.clone(), |files, round| edited(files, round));
    if let Some(count) = rounds.clone().rev().find(|count| with(*count) == found) {
        return Ok(count);
    }
    let expected = with(*rounds.start());
    let path = expected.keys().chain(found.keys()).find(|path| expected.get(*path) != found.get(*path));
    let path = path.expect("one that differs");
    let (expected, found) = (expected.get(path), found.get(path));
    Err(format!("{}/etc/{}: expected {expected:?}, got {found:?}", tree.display(), path.display()))
}

fn edited(mut files: Files, round: &[Edit]) -> Files {
    for (path, to) in round {
        let path = Path::new(path);
        let Some((content, mode)) = to else {
            files.remove(path);
            continue;
        };
        for folder in path.ancestors().skip(1) {
            files.entry(folder.to_owned()).or_insert((FOLDER | 0o755, 0, 0, Vec::new()));
        }
        files.insert(path.to_owned(), (FILE | mode, 0, 0, content.as_bytes().to_vec()));
    }
    files
}

fn files(top: &Path) -> Result<Files, String> {
    let (mut files, mut left) = (Files::new(), vec![PathBuf::new()]);
    while let Some(path) = left.pop() {
        let full = top.join(&path);
        let why = |e: std::io::Error| format!("{}: {e}", full.display());
        let stat = fs::symlink_metadata(&full).map_err(why)?;
        let mut content = Vec::new();
        if stat.is_dir() {
            for entry in fs::read_dir(&full).map_err(why)? {
                left.push(path.join(entry.map_err(why)?.file_name()));
            }
        } else if stat.is_symlink() {
            content = fs::read_link(&full).map_err(why)?.as_os_str().as_bytes().to_vec();
        } else {
            content = fs::read(&full).map_err(why)?;
        }
        files.insert(path, (stat.mode(), stat.uid(), stat.gid(), content));
    }
    Ok(files)
}
