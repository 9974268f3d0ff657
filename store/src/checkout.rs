//! From a commit to a directory, by hard links where the repo allows it.
//!
//! Nothing here is synced: who makes a checkout to keep syncs the file system once, after the last one. A checkout
//! that was cut short is removed and made again.

use crate::atomic::AtomicU64;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::repo::{Repo, RepoMode};
use crate::share::share;
use crate::sys;
use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, fstatat};
use rootling_object::{Checksum, DirMeta, FileHeader, ObjectKind, ObjectName, Xattrs};
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

/// How files get into the directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckoutOptions {
    /// Always copies, so that the files may be changed.
    pub copy: bool,
    /// Leaves owners and xattrs as the file system makes them, as a user without root must.
    pub user: bool,
    /// Threads that link and copy; 0 and 1 are the same.
    pub threads: usize,
}

/// What a checkout did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckoutStats {
    /// Files that share their inode with the repo.
    pub linked: u64,
    /// Files that were copied, symlinks included.
    pub copied: u64,
    /// Directories.
    pub dirs: u64,
}

/// The files of one directory.
struct Job {
    dir: PathBuf,
    files: Vec<(String, Checksum)>,
}

/// Makes the directory `to` from a tree; `to` must not be there.
pub fn checkout(
    repo: &Repo,
    root: (&Checksum, &Checksum),
    to: &Path,
    options: CheckoutOptions,
) -> Result<CheckoutStats> {
    let place = Place::open(repo, options)?;
    let mut dirs = Vec::new();
    let (linked, copied) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = |Job { dir, files }: Job| {
        let mut stats = CheckoutStats::default();
        place.fill(&dir, &files, &mut stats)?;
        linked.fetch_add(stats.linked, Ordering::Relaxed);
        copied.fetch_add(stats.copied, Ordering::Relaxed);
        Ok(())
    };
    share(options.threads, &mut |hand_out| make_dirs(repo, root, to, &mut dirs, hand_out), &work)?;
    // The deepest first, and after all files: both change the times of the directories above them.
    for (dir, meta) in dirs.iter().rev() {
        finish_dir(&repo.load_dirmeta(meta)?, dir, options)?;
    }
    Ok(CheckoutStats { dirs: dirs.len() as u64, linked: linked.into_inner(), copied: copied.into_inner() })
}

/// Makes all directories, for the owner alone as yet, and hands out their files.
fn make_dirs(
    repo: &Repo,
    (tree, meta): (&Checksum, &Checksum),
    to: &Path,
    dirs: &mut Vec<(PathBuf, Checksum)>,
    hand_out: &mut dyn FnMut(Job) -> bool,
) -> Result<()> {
    fs::DirBuilder::new().mode(0o700).create(to).map_err(Error::io("make directory", to))?;
    dirs.push((to.to_owned(), *meta));
    let tree = repo.load_dirtree(tree)?;
    if !tree.files.is_empty() && !hand_out(Job { dir: to.to_owned(), files: tree.files }) {
        return Ok(());
    }
    tree.dirs
        .iter()
        .try_for_each(|(name, tree, meta)| make_dirs(repo, (tree, meta), &to.join(name), dirs, hand_out))
}

/// Where objects come from and how they may leave.
struct Place<'a> {
    repo: &'a Repo,
    options: CheckoutOptions,
    objects: File,
    may_link: bool,
}

impl<'a> Place<'a> {
    fn open(repo: &'a Repo, options: CheckoutOptions) -> Result<Place<'a>> {
        let objects = repo.path().join("objects");
        let may_link = !options.copy
            && match repo.mode() {
                RepoMode::Bare => !options.user,
                RepoMode::BareUser | RepoMode::BareUserOnly => options.user,
                RepoMode::Archive => false,
            };
        let objects = File::open(&objects).map_err(Error::io("open", &objects))?;
        Ok(Place { repo, options, objects, may_link })
    }

    fn fill(&self, dir: &Path, files: &[(String, Checksum)], stats: &mut CheckoutStats) -> Result<()> {
        let open = File::open(dir).map_err(Error::io("open", dir))?;
        for (name, checksum) in files {
            if self.may_link && self.link(checksum, &open, name, dir)? {
                stats.linked += 1;
                continue;
            }
            let mut content = self.repo.open_content(checksum)?;
            write_file(&content.header, &mut *content.reader, &dir.join(name), self.options)?;
            stats.copied += 1;
        }
        Ok(())
    }

    /// Links an object, unless it has to be copied.
    ///
    /// Empty files are, as libostree does: many share one object, and file systems bound the names of an inode. So
    /// are the symlinks of a bare-user repo, which are stored as files.
    fn link(&self, checksum: &Checksum, dir: &File, name: &str, place: &Path) -> Result<bool> {
        let object = ObjectName::new(ObjectKind::File, *checksum);
        let path = object.path(self.repo.mode().content_extension());
        let failed = |doing, errno: nix::errno::Errno| Error::io(doing, place.join(name))(errno.into());
        let stat = match fstatat(&self.objects, path.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(nix::errno::Errno::ENOENT) => return Err(Error::no_object(&object, self.repo.path())),
            stat => stat.map_err(|errno| failed("find the object of", errno))?,
        };
        let is_symlink = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK;
        if stat.st_size == 0 && !is_symlink {
            return Ok(false);
        }
        if self.repo.mode() == RepoMode::BareUser && self.repo.open_content(checksum)?.header.is_symlink() {
            return Ok(false);
        }
        match nix::unistd::linkat(&self.objects, path.as_str(), dir, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(nix::errno::Errno::EMLINK | nix::errno::Errno::EXDEV | nix::errno::Errno::EPERM) => Ok(false),
            Err(errno) => Err(failed("link", errno)),
        }
    }
}

/// Owner before mode, since changing the owner drops setgid; both after the last entry was made.
fn finish_dir(meta: &DirMeta, to: &Path, options: CheckoutOptions) -> Result<()> {
    if !options.user {
        chown(to, Some(meta.uid), Some(meta.gid)).map_err(Error::io("change owner of", to))?;
        set_xattrs(to, &meta.xattrs)?;
    }
    fs::set_permissions(to, Permissions::from_mode(meta.mode & 0o7777))
        .map_err(Error::io("change mode of", to))?;
    let dir = match File::open(to) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(Error::io("open", to)(error)),
    };
    dir.set_times(FileTimes::new().set_modified(UNIX_EPOCH)).map_err(Error::io("set time of", to))
}

fn set_xattrs(path: &Path, xattrs: &Xattrs) -> Result<()> {
    for (name, value) in &xattrs.0 {
        sys::set_xattr(path, name, value).map_err(Error::io("set xattrs of", path))?;
    }
    Ok(())
}

fn write_file(
    header: &FileHeader,
    source: &mut dyn Input,
    to: &Path,
    options: CheckoutOptions,
) -> Result<()> {
    if let Some(target) = &header.target {
        symlink(target, to).map_err(Error::io("make symlink", to))?;
        if !options.user {
            lchown(to, Some(header.uid), Some(header.gid)).map_err(Error::io("change owner of", to))?;
            set_xattrs(to, &header.xattrs)?;
        }
        return Ok(());
    }
    let mut file = File::create_new(to).map_err(Error::io("create", to))?;
    let mut buffer = [0; 32 << 10];
    loop {
        let count = source.read(&mut buffer).map_err(Error::io("read for", to))?;
        if count == 0 {
            break;
        }
        file.write_all(buffer.get(..count).unwrap_or_default()).map_err(Error::io("write", to))?;
    }
    if !options.user {
        chown(to, Some(header.uid), Some(header.gid)).map_err(Error::io("change owner of", to))?;
        set_xattrs(to, &header.xattrs)?;
    }
    file.set_permissions(Permissions::from_mode(header.mode & 0o7777))
        .map_err(Error::io("change mode of", to))?;
    file.set_times(FileTimes::new().set_modified(UNIX_EPOCH)).map_err(Error::io("set time of", to))
}
