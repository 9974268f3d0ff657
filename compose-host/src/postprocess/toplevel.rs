//! The top of the tree: links into `/var` and `/sysroot`, and empty directories to mount on.

use super::{Options, Outcome};
use crate::root::Root;
use anyhow::{Context as _, Result, bail};
use rustix::fs::{AtFlags, FileType};

/// Link, its target, and where its content goes until then; rpm-ostree's layout.
const LINKS: [(&str, &str, &str); 7] = [
    ("home", "var/home", "var/home"),
    ("opt", "var/opt", "var/opt"),
    ("srv", "var/srv", "var/srv"),
    ("mnt", "var/mnt", "var/mnt"),
    ("root", "var/roothome", "var/roothome"),
    ("media", "run/media", ""),
    ("usr/local", "../var/usrlocal", "var/usrlocal"),
];
const DIRECTORIES: [&str; 6] = ["boot", "dev", "proc", "run", "sys", "sysroot"];

/// Makes both, and leaves nothing in the directories.
pub fn apply(tree: &Root, options: &Options, outcome: &mut Outcome) -> Result<()> {
    for (link, target, content) in LINKS {
        if tree.link_target(link)?.is_some() {
            tree.remove(link)?;
        } else if tree.exists(link)? {
            keep(tree, link, content, outcome)?;
        }
        if !content.is_empty() && !tree.exists(content)? {
            tree.make_dirs(content)?;
            let mode = if link == "root" { 0o700 } else { 0o755 };
            tree.chmod(content, mode)?;
        }
        tree.symlink(target, link)?;
    }
    for directory in DIRECTORIES {
        empty(tree, directory, outcome)?;
        tree.make_dirs(directory)?;
        tree.chmod(directory, 0o755)?;
    }
    tree.remove("tmp")?;
    if options.tmp_is_dir {
        tree.make_dirs("tmp")?;
        tree.chmod("tmp", 0o1777)?;
    } else {
        tree.symlink("sysroot/tmp", "tmp")?;
    }
    tree.remove("ostree")?;
    tree.symlink("sysroot/ostree", "ostree")
}

/// Moves what packages put into a directory that becomes a link; modes and owners go along.
fn keep(tree: &Root, link: &str, content: &str, outcome: &mut Outcome) -> Result<()> {
    if content.is_empty() {
        if !tree.list(link)?.is_empty() {
            outcome.warnings.push(format!("/{link}: its content is left out, it lies in /run on a device"));
        }
        tree.remove(link)?;
        return Ok(());
    }
    if tree.exists(content)? {
        for (name, _) in tree.list(link)? {
            tree.rename(&format!("{link}/{name}"), &format!("{content}/{name}"))?;
        }
        tree.remove(link)?;
        return Ok(());
    }
    tree.rename(link, content)
}

fn empty(tree: &Root, directory: &str, outcome: &mut Outcome) -> Result<()> {
    match tree.kind(directory)? {
        None => return Ok(()),
        Some(FileType::Directory) => {}
        Some(other) => bail!("/{directory}: expected a directory, got a {other:?}"),
    }
    let place = tree.place(directory)?.context("top of the tree")?;
    let (uid, gid) = (rustix::process::Uid::ROOT, rustix::process::Gid::ROOT);
    rustix::fs::chownat(&place.dir, place.name.as_str(), Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    for (name, _) in tree.list(directory)? {
        tree.remove(&format!("{directory}/{name}"))?;
        if directory == "boot" || directory == "sysroot" {
            outcome.warnings.push(format!("/{directory}/{name}: left out"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{apply as run, tree};
    use super::*;

    #[test]
    fn links_and_directories() {
        let (_dir, root) = tree(&[
            "home/",
            "root/.profile",
            "opt/vendor/",
            "usr/local/bin/",
            "media -> x",
            "tmp/junk",
            "run/lock/",
            "dev/null",
            "var/opt/old/",
        ]);
        root.chmod("root", 0o700).unwrap();
        run(apply, &root, &Options::default()).unwrap();
        let names: Vec<String> = root.list("").unwrap().into_iter().map(|(name, _)| name).collect();
        let expected = "boot dev home media mnt opt ostree proc root run srv sys sysroot tmp usr var";
        assert_eq!(names.join(" "), expected);
        for (link, target, _) in LINKS {
            assert_eq!(root.link_target(link).unwrap().as_deref(), Some(target), "{link}");
        }
        assert_eq!(root.link_target("tmp").unwrap().as_deref(), Some("sysroot/tmp"));
        for kept in ["var/roothome/.profile", "var/opt/vendor", "var/opt/old", "var/usrlocal/bin", "var/srv"]
        {
            assert!(root.exists(kept).unwrap(), "{kept}");
        }
        assert!(root.list("run").unwrap().is_empty() && root.list("dev").unwrap().is_empty());
        let mode = |path: &str| root.place(path).unwrap().unwrap().stat().unwrap().unwrap().st_mode & 0o7777;
        assert_eq!(mode("var/roothome"), 0o700);
        run(apply, &root, &Options { tmp_is_dir: true, ..Options::default() }).unwrap();
        assert_eq!(mode("tmp"), 0o1777);
    }
}
