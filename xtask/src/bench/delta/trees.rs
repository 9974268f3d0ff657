//! The two trees of a corpus, laid out as an operating system has them, and which files differ.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::corpus::{Content, KERNEL, KERNELS};
use super::debian::{Apt, Deb};
use super::pinned;
use crate::bench::side;
use crate::run::output;

/// A corpus on disk.
#[derive(Debug)]
pub struct Scene {
    /// All below lies here.
    pub dir: PathBuf,
    /// The tree of the lower versions.
    pub old: PathBuf,
    /// And of the higher ones.
    pub new: PathBuf,
    /// Files that are not the same in both.
    pub changed: Vec<Changed>,
    /// What was unpacked: old, new, old, new.
    pub debs: Vec<Deb>,
}

/// A file of the new tree.
#[derive(Debug)]
pub struct Changed {
    /// The same file of the old tree, if there is one.
    pub old: Option<PathBuf>,
    /// Where it is.
    pub new: PathBuf,
    /// Its length.
    pub size: u64,
}

impl Scene {
    /// Fetches and unpacks both sides into the folder of that name.
    pub fn make(bench: &Path, name: &str, arch: &str, content: Content<'_>) -> Result<Scene> {
        let dir = bench.join(name);
        side::remove(&dir)?;
        let (old, new) = (dir.join("old"), dir.join("new"));
        let apt = match Apt::new(bench, arch) {
            Err(error) if pinned::knows(arch) => {
                eprintln!("   packages by the list in the source: {error:#}");
                None
            }
            apt => Some(apt?),
        };
        let indexed = || apt.as_ref().context("apt has no index");
        let (mut debs, mut renamed) = (Vec::new(), None);
        match content {
            Content::Packages(packages) => {
                for package in packages {
                    let both = match &apt {
                        Some(apt) => apt.both(package)?,
                        None => pinned::both(bench, package)?,
                    };
                    debs.extend(pair(&old, &new, both, &[])?);
                }
            }
            Content::Files(files) => {
                for (package, path) in files {
                    debs.extend(pair(&old, &new, indexed()?.both(package)?, &[path])?);
                }
            }
            Content::Kernel { flavour, image } => {
                let steps = kernels(indexed()?, flavour)?.map(|abi| format!("{KERNEL}-{abi}-{flavour}"));
                for (tree, version) in [&old, &new].into_iter().zip(&steps) {
                    let deb = indexed()?.fetch(&format!("linux-image-{version}"))?;
                    unpack(tree, &deb, &[])?;
                    keep_kernel(tree, version, image)?;
                    debs.push(deb);
                }
                renamed = Some(steps);
            }
        }
        [&old, &new].into_iter().try_for_each(|tree| frame(tree))?;
        let changed = changed(&old, &new, renamed.as_ref())?;
        ensure!(!changed.is_empty(), "{name}: both sides are the same");
        Ok(Scene { dir, old, new, changed, debs })
    }

    /// Bytes of all changed files.
    pub fn bytes(&self) -> u64 {
        self.changed.iter().map(|file| file.size).sum()
    }
}

fn pair(old: &Path, new: &Path, debs: [Deb; 2], only: &[&str]) -> Result<[Deb; 2]> {
    unpack(old, &debs[0], only)?;
    unpack(new, &debs[1], only)?;
    Ok(debs)
}

/// Unpacks the files that an operating system keeps in `/usr`, `/lib` and so on merged into it.
fn unpack(tree: &Path, deb: &Deb, only: &[&str]) -> Result<()> {
    fs::create_dir_all(tree)?;
    let script = r#"deb=$1; tree=$2; shift 2
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$tree" --keep-directory-symlink \
          --transform='s,^\./\(lib\|lib32\|lib64\|bin\|sbin\|etc\)/,./usr/\1/,rh' --exclude='./usr/share/doc/*' \
          --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./var/*' "$@""#;
    let mut shell = Command::new("bash");
    shell.args(["-o", "pipefail", "-c", script, "unpack"]).arg(&deb.path).arg(tree);
    output(shell.args(only.iter().map(|path| format!("./{path}")))).map(drop)?;
    for entry in fs::read_dir(tree)?.flatten().filter(|entry| entry.file_name() != "usr") {
        if entry.file_name() != "boot" {
            side::remove(&entry.path())?;
        }
    }
    Ok(())
}

/// The kernel steps for which the bounds were set, or the last two.
fn kernels(apt: &Apt, flavour: &str) -> Result<[u32; 2]> {
    let (start, end) = (format!("linux-image-{KERNEL}-"), format!("-{flavour}"));
    let names = apt.names(&start, &end)?;
    let number = |name: &String| name.strip_prefix(&start)?.strip_suffix(&end)?.parse().ok();
    let mut found: Vec<u32> = names.iter().filter_map(number).collect();
    found.sort_unstable();
    if KERNELS.iter().all(|abi| found.contains(abi)) {
        return Ok(KERNELS);
    }
    let [.., low, high] = found[..] else {
        anyhow::bail!("{start}N{end}: expected two in the archive, got {found:?}");
    };
    Ok([low, high])
}

/// Leaves the modules, and the Image where a tree has its kernel.
fn keep_kernel(tree: &Path, version: &str, image: bool) -> Result<()> {
    let modules = tree.join("usr/lib/modules").join(version);
    let rest = "find \"$1\" -type f ! -name '*.ko' -delete";
    output(Command::new("sh").args(["-c", rest, "keep"]).arg(&modules))?;
    if image {
        fs::rename(tree.join("boot").join(format!("vmlinuz-{version}")), modules.join("vmlinuz"))?;
    }
    side::remove(&tree.join("boot"))
}

/// What makes a deployable tree of it; the same on both sides.
fn frame(tree: &Path) -> Result<()> {
    for dir in ["boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "var", "usr/etc", "usr/lib"] {
        fs::create_dir_all(tree.join(dir))?;
    }
    fs::write(tree.join("usr/lib/os-release"), "ID=bench\nNAME=Bench\nPRETTY_NAME=Bench\n")?;
    let modules = tree.join("usr/lib/modules");
    let folders = fs::read_dir(&modules).map(|dirs| dirs.flatten().collect::<Vec<_>>()).unwrap_or_default();
    if !folders.iter().any(|dir| dir.path().join("vmlinuz").exists()) {
        fs::create_dir_all(modules.join("0-bench"))?;
        fs::write(modules.join("0-bench/vmlinuz"), "a kernel that never changes")?;
    }
    Ok(())
}

fn changed(old: &Path, new: &Path, renamed: Option<&[String; 2]>) -> Result<Vec<Changed>> {
    let listing = output(Command::new("find").arg(new).args(["-type", "f", "-printf", "%s %P\n"]))?;
    let mut found = Vec::new();
    for line in listing.lines() {
        let (size, path) = line.split_once(' ').context("find: no size")?;
        let before = renamed.map_or(path.to_owned(), |[old, new]| path.replace(new, old));
        let (before, after) = (old.join(before), new.join(path));
        let is_there = before.symlink_metadata().is_ok_and(|meta| meta.is_file());
        if !is_there || !equal(&before, &after)? {
            found.push(Changed { old: is_there.then_some(before), new: after, size: size.parse()? });
        }
    }
    found.sort_by(|one, other| one.new.cmp(&other.new));
    Ok(found)
}

/// Whether two files hold the same. Read in pieces: the peak of this process counts as that of each child that it starts.
pub fn equal(one: &Path, other: &Path) -> Result<bool> {
    let open = |path: &Path| File::open(path).with_context(|| format!("open {}", path.display()));
    let (mut one, mut other) = (BufReader::new(open(one)?), BufReader::new(open(other)?));
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let count = left.len().min(right.len());
        if left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(left.len() == right.len());
        }
        one.consume(count);
        other.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_equal_only_to_the_end() {
        let dir = std::env::temp_dir().join(format!("xtask-equal-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let write = |name: &str, text: &str| {
            fs::write(dir.join(name), text).unwrap();
            dir.join(name)
        };
        let one = write("one", "some text");
        for (text, expected) in [("some text", true), ("some tex", false), ("some texts", false), ("", false)]
        {
            assert_eq!(equal(&one, &write("other", text)).unwrap(), expected, "{text:?}");
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}
