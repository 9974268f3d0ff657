//! The tree being composed, reached without ever leaving it.
//!
//! Packages bring symlinks, and some of them lead to absolute paths. Every path here is resolved by the kernel with
//! `openat2(RESOLVE_IN_ROOT)`: a link to `/etc` means the tree's `/etc`, and `..` stops at the tree's top. The last
//! component is never followed. **Invariant:** nothing in compose opens a path below the root in any other way.

use anyhow::{Context as _, Result, bail};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

const MAX_LINKS: u32 = 40;

/// A directory that stands for `/`.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

/// A place in the tree: an open directory and a name in it.
#[derive(Debug)]
pub struct Place {
    /// The directory.
    pub dir: OwnedFd,
    /// The name; `.` for the top itself.
    pub name: String,
}

impl Place {
    /// A path for `std::fs`, valid as long as this lives; only for calls that do not follow the last component.
    pub fn std_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{}", self.dir.as_raw_fd(), self.name))
    }

    /// What lies there, links not followed; none when nothing does.
    pub fn stat(&self) -> Result<Option<Stat>> {
        match rustix::fs::statat(&self.dir, self.name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Type of what lies there, links not followed.
    pub fn kind(&self) -> Result<Option<FileType>> {
        Ok(self.stat()?.map(|stat| FileType::from_raw_mode(stat.st_mode)))
    }
}

impl Root {
    /// Opens the directory at `path`.
    pub fn open(path: &Path) -> Result<Root> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .with_context(|| format!("{}: open", path.display()))?;
        Ok(Root { fd, path: path.to_owned() })
    }

    /// Where it lies on the host, for programs that are started on it.
    pub fn host_path(&self) -> &Path {
        &self.path
    }

    fn open_in(&self, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = path.trim_start_matches('/');
        let path = if path.is_empty() { "." } else { path };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(&self.fd, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    /// Opens a directory, links followed inside the tree.
    pub fn dir(&self, path: &str) -> rustix::io::Result<OwnedFd> {
        self.open_in(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// The place of a path whose parent exists; none when it does not.
    pub fn place(&self, path: &str) -> Result<Option<Place>> {
        let (parent, name) = split(path);
        match self.dir(parent) {
            Ok(dir) => Ok(Some(Place { dir, name: name.to_owned() })),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{path}: open its directory")),
        }
    }

    /// The place of a path; missing parents are made, 0755 and root's.
    pub fn make_place(&self, path: &str) -> Result<Place> {
        let (parent, name) = split(path);
        Ok(Place { dir: self.make_dirs(parent)?, name: name.to_owned() })
    }

    /// Opens a directory; it and its parents are made when missing, 0755 and root's.
    pub fn make_dirs(&self, path: &str) -> Result<OwnedFd> {
        self.make_dirs_from(path, 0).with_context(|| format!("{path}: make directory"))
    }

    fn make_dirs_from(&self, path: &str, links: u32) -> Result<OwnedFd> {
        match self.dir(path) {
            Err(Errno::NOENT) => {}
            other => return Ok(other?),
        }
        if links > MAX_LINKS {
            bail!("more than {MAX_LINKS} symbolic links");
        }
        let (parent, name) = split(path);
        let dir = self.make_dirs_from(parent, links)?;
        match rustix::fs::mkdirat(&dir, name, Mode::from_raw_mode(0o700)) {
            Ok(()) => {
                let made = rustix::fs::openat(
                    &dir,
                    name,
                    OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                    Mode::empty(),
                )?;
                own_root(&made)?;
                rustix::fs::fchmod(&made, Mode::from_raw_mode(0o755))?;
                Ok(made)
            }
            // a link to a directory that is not there yet, such as /lib -> usr/lib
            Err(Errno::EXIST) => {
                let target = rustix::fs::readlinkat(&dir, name, Vec::new())?;
                let target = target.to_str().context("link target is not UTF-8")?;
                let absolute =
                    if target.starts_with('/') { target.to_owned() } else { format!("{parent}/{target}") };
                self.make_dirs_from(&lexical(&absolute), links + 1)?;
                Ok(self.dir(path)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Contents of a regular file, links followed inside the tree; none when there is no file.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match self.open_in(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(fd) => {
                let mut bytes = Vec::new();
                File::from(fd).read_to_end(&mut bytes).with_context(|| format!("{path}: read"))?;
                Ok(Some(bytes))
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{path}: open")),
        }
    }

    /// Contents of a text file.
    pub fn read_text(&self, path: &str) -> Result<Option<String>> {
        let Some(bytes) = self.read(path)? else { return Ok(None) };
        Ok(Some(String::from_utf8(bytes).ok().with_context(|| format!("{path}: not UTF-8"))?))
    }

    /// Replaces a path by a regular file, root's, with these permissions.
    pub fn write(&self, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
        let place = self.make_place(path)?;
        if place.kind()?.is_some() {
            rustix::fs::unlinkat(&place.dir, place.name.as_str(), AtFlags::empty())
                .with_context(|| format!("{path}: replace"))?;
        }
        let mut file = create(&place).with_context(|| format!("{path}: create"))?;
        file.write_all(bytes).with_context(|| format!("{path}: write"))?;
        own_root(&file)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
        Ok(())
    }

    /// Makes a symlink, root's; nothing may be there.
    pub fn symlink(&self, target: &str, path: &str) -> Result<()> {
        let place = self.make_place(path)?;
        rustix::fs::symlinkat(target, &place.dir, place.name.as_str())
            .with_context(|| format!("{path}: symlink"))?;
        let owner = Some(rustix::process::Uid::ROOT);
        let group = Some(rustix::process::Gid::ROOT);
        rustix::fs::chownat(&place.dir, place.name.as_str(), owner, group, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }

    /// Type of a path, its last component not followed.
    pub fn kind(&self, path: &str) -> Result<Option<FileType>> {
        match self.place(path)? {
            Some(place) => place.kind(),
            None => Ok(None),
        }
    }

    /// Whether anything lies there, its last component not followed.
    pub fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.kind(path)?.is_some())
    }

    /// Target of a symlink; none when it is none.
    pub fn link_target(&self, path: &str) -> Result<Option<String>> {
        let Some(place) = self.place(path)? else { return Ok(None) };
        if place.kind()? != Some(FileType::Symlink) {
            return Ok(None);
        }
        let target = rustix::fs::readlinkat(&place.dir, place.name.as_str(), Vec::new())?;
        Ok(Some(target.into_string().ok().with_context(|| format!("{path}: link target is not UTF-8"))?))
    }

    /// Names in a directory with their types, sorted; empty when there is no directory.
    pub fn list(&self, path: &str) -> Result<Vec<(String, FileType)>> {
        let fd = match self.dir(path) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("{path}: open")),
        };
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&fd)? {
            let entry = entry.with_context(|| format!("{path}: list"))?;
            let name = entry.file_name().to_str().with_context(|| format!("{path}: a name is not UTF-8"))?;
            if name == "." || name == ".." {
                continue;
            }
            let stat = rustix::fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
            names.push((name.to_owned(), FileType::from_raw_mode(stat.st_mode)));
        }
        names.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(names)
    }

    /// Removes a path and all below it; false when nothing was there.
    pub fn remove(&self, path: &str) -> Result<bool> {
        let Some(place) = self.place(path)? else { return Ok(false) };
        match place.kind()? {
            None => Ok(false),
            Some(FileType::Directory) => {
                std::fs::remove_dir_all(place.std_path()).with_context(|| format!("{path}: remove"))?;
                Ok(true)
            }
            Some(_) => {
                rustix::fs::unlinkat(&place.dir, place.name.as_str(), AtFlags::empty())
                    .with_context(|| format!("{path}: remove"))?;
                Ok(true)
            }
        }
    }

    /// Moves a path to where nothing lies yet.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        let source = self.place(from)?.with_context(|| format!("{from}: not there"))?;
        let target = self.make_place(to)?;
        if target.kind()?.is_some() {
            bail!("{from}: cannot be moved to {to}: something is there");
        }
        rustix::fs::renameat(&source.dir, source.name.as_str(), &target.dir, target.name.as_str())
            .with_context(|| format!("{from}: move to {to}"))
    }

    /// Permissions of a path that is no symlink.
    pub fn chmod(&self, path: &str, mode: u32) -> Result<()> {
        let place = self.place(path)?.with_context(|| format!("{path}: not there"))?;
        rustix::fs::chmodat(&place.dir, place.name.as_str(), Mode::from_raw_mode(mode), AtFlags::empty())
            .with_context(|| format!("{path}: chmod"))
    }
}

/// Creates a regular file that must not exist, 0600.
pub fn create(place: &Place) -> rustix::io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(&place.dir, place.name.as_str(), flags, Mode::from_raw_mode(0o600)).map(File::from)
}

/// Gives an open file to root: a set-group-id directory around the tree must not show in it.
pub fn own_root(fd: impl std::os::fd::AsFd) -> rustix::io::Result<()> {
    rustix::fs::fchown(fd, Some(rustix::process::Uid::ROOT), Some(rustix::process::Gid::ROOT))
}

/// Parent and name; the top is `.` in itself.
fn split(path: &str) -> (&str, &str) {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return ("", ".");
    }
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Removes `.` and `..` from a path by its text alone.
fn lexical(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_leaves_the_tree() {
        let around = tempfile::tempdir().unwrap();
        let top = around.path().join("top");
        std::fs::create_dir(&top).unwrap();
        std::fs::create_dir(around.path().join("outside")).unwrap();
        let root = Root::open(&top).unwrap();
        let outside = around.path().join("outside");
        root.symlink(outside.to_str().unwrap(), "absolute").unwrap();
        root.symlink("../../../../../../outside", "up").unwrap();
        root.symlink("usr/lib", "lib").unwrap();
        root.symlink("loop", "loop").unwrap();
        root.write("absolute/file", b"1", 0o644).unwrap();
        root.write("up/file", b"2", 0o644).unwrap();
        root.write("lib/deep/file", b"3", 0o644).unwrap();
        assert!(std::fs::read_dir(&outside).unwrap().next().is_none(), "a link led out of the tree");
        assert_eq!(std::fs::read(top.join("outside/file")).unwrap(), b"2");
        assert_eq!(std::fs::read(top.join("usr/lib/deep/file")).unwrap(), b"3");
        assert_eq!(root.read("lib/deep/file").unwrap().unwrap(), b"3");
        assert!(root.write("loop/file", b"4", 0o644).is_err());
    }

    #[test]
    fn removes_a_link_and_not_what_it_leads_to() {
        let top = tempfile::tempdir().unwrap();
        let root = Root::open(top.path()).unwrap();
        root.write("kept/file", b"", 0o600).unwrap();
        root.symlink("kept", "link").unwrap();
        assert!(root.remove("link").unwrap());
        assert!(root.exists("kept/file").unwrap());
        assert!(root.remove("kept").unwrap());
        assert!(!root.remove("kept").unwrap());
        assert!(root.list("").unwrap().is_empty());
    }
}
