//! From the disk to the list of deployments, the way libostree and an initramfs go:
//! `boot/loader` -> entries -> `ostree=` argument -> link -> deployment.

use super::deployment::{Deployment, parse_name};
use super::loader;
use super::{Origin, Running, Sysroot, boot_error};
use crate::error::{Error, Result};
use crate::repo::Repo;
use rootling_boot::loader::remove_trial;
use rootling_boot::plan::BootVersion;
use rootling_boot::{BootLink, Entry, EntryName, KernelArgs, Naming};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

impl Sysroot {
    pub(super) fn read(path: &Path, running: Option<Running>) -> Result<Sysroot> {
        let repo = Repo::open(&path.join("ostree/repo"))?;
        refuse_composefs(&repo)?;
        let entries = match loader::entries_without_links(path)? {
            Some(partition) => loader::read_entries(path, partition)?,
            None => None,
        };
        let (version, deployments) = match entries {
            Some(read) => read,
            None => {
                let version = read_version(path)?;
                (version, read_deployments(path, version.boot)?)
            }
        };
        let mut sysroot = Sysroot {
            path: path.to_owned(),
            repo,
            version,
            deployments,
            running,
            booted: None,
            naming: Naming::default(),
            loader: None,
        };
        sysroot.booted = sysroot.find_booted()?;
        Ok(sysroot)
    }

    /// The deployment whose folder is the running root.
    ///
    /// The `ostree=` argument says that there is one, but not which: its link may have been flipped since the boot.
    fn find_booted(&self) -> Result<Option<usize>> {
        let Some(running) = &self.running else { return Ok(None) };
        if !KernelArgs::parse(&running.cmdline).has_key("ostree") {
            return Ok(None);
        }
        for (at, deployment) in self.deployments.iter().enumerate() {
            let path = self.deployment_path(deployment);
            let stat = fs::metadata(&path).map_err(Error::io("stat", &path))?;
            if self.is_running_root((stat.dev(), stat.ino())) {
                return Ok(Some(at));
            }
        }
        let reason = format!(
            "the system was booted by ostree= but no boot entry in {} leads to it",
            self.path.display()
        );
        Err(Error::refused(reason))
    }

    /// M of a bootversion's links, if it has any.
    pub(super) fn sub_version(&self, boot: u8) -> Result<Option<u8>> {
        read_sub_version(&self.path, boot)
    }
}

fn refuse_composefs(repo: &Repo) -> Result<()> {
    match repo.config().get("ex-integrity", "composefs") {
        None | Some("no" | "false" | "maybe") => Ok(()),
        Some(value) => {
            Err(Error::unsupported(format_args!("composefs (repo config ex-integrity.composefs={value})")))
        }
    }
}

fn read_version(path: &Path) -> Result<BootVersion> {
    let loader = path.join("boot/loader");
    let boot = match read_link(&loader)?.as_deref() {
        None | Some("loader.0") => 0,
        Some("loader.1") => 1,
        Some(other) => return Err(bad_link(&loader, "a link to loader.0 or loader.1", other)),
    };
    Ok(BootVersion { boot, sub: read_sub_version(path, boot)?.unwrap_or(0) })
}

pub(super) fn read_sub_version(path: &Path, boot: u8) -> Result<Option<u8>> {
    let link = path.join(format!("ostree/boot.{boot}"));
    match read_link(&link)? {
        None => Ok(None),
        Some(target) if target.ends_with(".0") => Ok(Some(0)),
        Some(target) if target.ends_with(".1") => Ok(Some(1)),
        Some(target) => Err(bad_link(&link, "a link to boot.N.0 or boot.N.1", &target)),
    }
}

/// A link's target; `None` if there is nothing, an error if there is something that is no link.
fn read_link(path: &Path) -> Result<Option<String>> {
    match fs::read_link(path) {
        Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            Err(bad_link(path, "a symlink", "something else"))
        }
        Err(error) => Err(Error::io("read link", path)(error)),
    }
}

fn bad_link(path: &Path, expected: &str, got: &str) -> Error {
    let source = rootling_object::Error::malformed("sysroot", "link", expected, got);
    Error::corrupt_at(path.display().to_string(), source)
}

/// Everything the entries of a bootversion refer to, in menu order.
fn read_deployments(path: &Path, boot: u8) -> Result<Vec<Deployment>> {
    let entries = path.join(format!("boot/loader.{boot}/entries"));
    let (mut deployments, mut names) = (Vec::<Deployment>::new(), Vec::<String>::new());
    for (name, file) in crate::fs::list(&entries)? {
        if !(name.starts_with("ostree-") && name.ends_with(".conf")) {
            continue;
        }
        let text = fs::read_to_string(&file).map_err(Error::io("read", &file))?;
        let deployment = read_deployment(path, Entry::parse(&text), EntryName::parse(&name), &file)?;
        if let Some((_, twin)) = deployments.iter().zip(&names).find(|(there, _)| there.is(&deployment)) {
            return Err(twins(&entries, twin, &name));
        }
        deployments.push(deployment);
        names.push(name);
    }
    deployments.sort_by(|a, b| a.entry.menu_order(&b.entry));
    Ok(deployments)
}

/// Two entries where one is allowed: which of them boots is the loader's choice.
pub(super) fn twins(folder: &Path, a: &str, b: &str) -> Error {
    let (first, second) = if a < b { (a, b) } else { (b, a) };
    Error::refused(format_args!("{}: expected one entry, got {first} and {second}", folder.display()))
}

pub(super) fn read_deployment(
    path: &Path,
    mut entry: Entry,
    entry_name: Option<EntryName>,
    file: &Path,
) -> Result<Deployment> {
    let mut args = KernelArgs::parse(entry.get("options").unwrap_or_default());
    if remove_trial(&mut args) {
        entry.set("options", &args.to_string());
    }
    let link = BootLink::of(&args).map_err(boot_error(file.display()))?;
    let link = link.ok_or_else(|| bad_link(file, "options with an ostree= argument", "none"))?;
    let link_path = path.join(link.path());
    let target = read_link(&link_path)?;
    let target = target.ok_or_else(|| Error::not_found(format_args!("boot link {link}"), path))?;
    let name = Path::new(&target).file_name().and_then(|n| n.to_str()).and_then(parse_name);
    let (checksum, serial) =
        name.ok_or_else(|| bad_link(&link_path, "a link to CHECKSUM.SERIAL", &target))?;
    let mut deployment = Deployment {
        stateroot: link.stateroot,
        checksum,
        serial,
        bootcsum: link.bootcsum,
        entry,
        entry_name,
        origin: Origin::default(),
    };
    let directory: PathBuf = path.join(deployment.path());
    if !directory.is_dir() {
        return Err(Error::not_found(format_args!("deployment {}", deployment.name()), directory));
    }
    let origin = path.join(deployment.origin_path());
    match fs::read_to_string(&origin) {
        Ok(text) => deployment.origin = Origin::parse(&text, origin.display())?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("read", &origin)(error)),
    }
    Ok(deployment)
}
