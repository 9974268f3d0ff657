//! Would this sysroot boot? Answered the way a loader and an initramfs go, with none of the store's code.
//!
//! `boot/loader` -> entries in menu order -> the bytes of kernel and initramfs against the boot checksum -> the
//! `ostree=` link -> the deployment, its commit object, and the tree hashed anew from the disk.
//!
//! Uses only the object formats, so that whole-system tests can include this file as it is.

use rootling_object::{Checksum, Commit, DirMeta, DirTree, FileHeader, Hasher, Xattrs};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// One entry that would boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootable {
    /// What the menu shows.
    pub title: String,
    /// The commit that would run.
    pub commit: String,
    /// The deployment's folder, relative to the sysroot.
    pub path: String,
    /// The kernel arguments.
    pub options: String,
}

/// Checks every entry; the first is the one that boots. An error says what a boot would stumble over.
pub fn check(sysroot: &Path) -> Result<Vec<Bootable>, String> {
    let loader = sysroot.join("boot/loader");
    let target = fs::read_link(&loader).map_err(|e| format!("no loader: {e}"))?;
    let mut entries = Vec::new();
    for file in list(&sysroot.join("boot").join(target).join("entries"))? {
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let version: u64 = value(&text, "version")?.parse().map_err(|_| format!("version in {text}"))?;
        entries.push((version, text));
    }
    entries.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    if entries.is_empty() {
        return Err("no entries".into());
    }
    entries
        .iter()
        .map(|(_, text)| check_entry(sysroot, text).map_err(|e| format!("{e}\nin the entry:\n{text}")))
        .collect()
}

fn check_entry(sysroot: &Path, text: &str) -> Result<Bootable, String> {
    let options = value(text, "options")?;
    let link = options.split(' ').find_map(|o| o.strip_prefix("ostree=")).ok_or("no ostree= argument")?;
    let parts: Vec<&str> = link.split('/').collect();
    let [_, _, _, stateroot, bootcsum, _] = parts[..] else { return Err(format!("ostree={link}")) };

    let mut hasher = Hasher::new();
    for key in ["linux", "initrd", "devicetree"] {
        let Ok(path) = value(text, key) else { continue };
        let path = sysroot.join("boot").join(path.trim_start_matches("/boot").trim_start_matches('/'));
        let expected = format!("{stateroot}-{bootcsum}");
        if path.parent().and_then(|p| p.file_name()).and_then(|n| n.to_str()) != Some(&expected) {
            return Err(format!("{key} {} is not in {expected}", path.display()));
        }
        hasher.update(&fs::read(&path).map_err(|e| format!("{key} {}: {e}", path.display()))?);
    }
    if let Ok(dir) = value(text, "fdtdir") {
        hash_folder(&sysroot.join("boot").join(dir.trim_start_matches('/')), &mut hasher)?;
    }
    let got = hasher.finish().to_string();
    if got != bootcsum {
        return Err(format!("boot files: expected {bootcsum}, got {got}"));
    }

    let path = sysroot.join(link.trim_start_matches('/'));
    let tree = fs::canonicalize(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let name = tree.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_string();
    let commit = name.split('.').next().unwrap_or_default().to_string();
    check_tree(sysroot, &tree, &commit)?;
    let path = format!("ostree/deploy/{stateroot}/deploy/{name}");
    if fs::canonicalize(sysroot.join(&path)).ok().as_ref() != Some(&tree) {
        return Err(format!("{} is not {path}", tree.display()));
    }
    Ok(Bootable { title: value(text, "title")?.into(), commit, path, options: options.into() })
}

/// Whether a deployment's folder is the tree of this commit.
pub fn check_tree(sysroot: &Path, tree: &Path, name: &str) -> Result<(), String> {
    let (dir, rest) = name.split_at_checked(2).ok_or("no commit")?;
    let object = sysroot.join(format!("ostree/repo/objects/{dir}/{rest}.commit"));
    let bytes = fs::read(&object).map_err(|e| format!("{}: {e}", object.display()))?;
    if Checksum::of(&bytes).to_string() != name {
        return Err(format!("commit object {name} is broken"));
    }
    let commit = Commit::decode(&bytes).map_err(|e| e.to_string())?;
    let (tree_sum, meta_sum) = hash_dir(tree, true)?;
    if (tree_sum, meta_sum) != (commit.root_tree, commit.root_meta) {
        return Err(format!("tree {}: expected {}, got {tree_sum}", tree.display(), commit.root_tree));
    }
    match tree.join("usr/etc").is_dir() && !tree.join("etc").is_dir() {
        true => Err(format!("{} has no etc", tree.display())),
        false => Ok(()),
    }
}

/// The checksums of a folder as a dirtree and a dirmeta; at the top without `etc`, which is the device's own.
fn hash_dir(path: &Path, is_top: bool) -> Result<(Checksum, Checksum), String> {
    let (mut files, mut dirs) = (Vec::new(), Vec::new());
    for child in list(path)? {
        let name = child.file_name().and_then(|n| n.to_str()).ok_or("name")?.to_string();
        let stat = fs::symlink_metadata(&child).map_err(|e| e.to_string())?;
        if stat.is_dir() {
            if !(is_top && name == "etc") {
                let (tree, meta) = hash_dir(&child, false)?;
                dirs.push((name, tree, meta));
            }
        } else {
            files.push((name, hash_file(&child, &stat)?));
        }
    }
    let stat = fs::symlink_metadata(path).map_err(|e| e.to_string())?;
    let meta = DirMeta { uid: stat.uid(), gid: stat.gid(), mode: stat.mode(), xattrs: xattrs(path)? };
    Ok((Checksum::of(&DirTree { files, dirs }.encode()), Checksum::of(&meta.encode())))
}

fn hash_file(path: &Path, stat: &fs::Metadata) -> Result<Checksum, String> {
    let link = stat.is_symlink().then(|| fs::read_link(path).map(|t| t.to_string_lossy().into_owned()));
    let target = link.transpose().map_err(|e| e.to_string())?;
    let content = if target.is_none() { fs::read(path).map_err(|e| e.to_string())? } else { Vec::new() };
    let header =
        FileHeader { uid: stat.uid(), gid: stat.gid(), mode: stat.mode(), target, xattrs: xattrs(path)? };
    let mut hasher = Hasher::new();
    hasher.update(&header.encode_hashed());
    hasher.update(&content);
    Ok(hasher.finish())
}

fn xattrs(path: &Path) -> Result<Xattrs, String> {
    let names = xattr::list(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let pairs = names.filter_map(|name| {
        let value = xattr::get(path, &name).ok().flatten()?;
        Some((name.as_bytes().to_vec(), value))
    });
    Ok(Xattrs::from_unsorted(pairs.collect()))
}

fn hash_folder(path: &Path, hasher: &mut Hasher) -> Result<(), String> {
    for child in list(path)? {
        if child.is_dir() {
            hash_folder(&child, hasher)?;
        } else {
            hasher.update(&fs::read(&child).map_err(|e| e.to_string())?);
        }
    }
    Ok(())
}

fn list(path: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let entries = fs::read_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut paths: Vec<_> =
        entries.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    paths.sort();
    Ok(paths)
}

fn value<'a>(text: &'a str, key: &str) -> Result<&'a str, String> {
    let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' '));
    line.ok_or_else(|| format!("no {key} in the entry"))
}
