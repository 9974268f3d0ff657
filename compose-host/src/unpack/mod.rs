//! Packages into a root directory.
//!
//! [`unpack_all`] opens every package, puts them in transaction order and writes their files. What it reads is checked
//! against the header, and the header against its own digest and the lock file: size, type and digest of each file,
//! the payload's digest, and that archive and header list the same files. Paths are resolved by [`crate::root`].
//!
//! Left out: `%ghost` files, and `%doc` files when asked. Owners and capabilities follow in [`owners`]. Modification
//! times are 0, as in every OSTree checkout, so that what a scriptlet derives from them (`.pyc`) holds on the device.

pub mod caps;
pub mod cpio;
pub mod owners;
mod write;

use crate::order;
use crate::root::Root;
use crate::rpmfile::Package;
use anyhow::{Context as _, Result, bail, ensure};
use owners::Owners;
use std::path::{Path, PathBuf};

/// A package of the lock file, on disk.
#[derive(Clone, Debug)]
pub struct PackageFile {
    /// The fetched file.
    pub path: PathBuf,
    /// `name-[epoch:]version-release.arch`, as the lock file says; checked against the header.
    pub nevra: String,
    /// SHA-256 of the whole file, hex, as the lock file says; checked while it is unpacked.
    pub digest: Option<String>,
}

/// How to unpack.
#[derive(Clone, Debug)]
pub struct UnpackOptions {
    /// False leaves out files marked as documentation.
    pub documentation: bool,
    /// True leaves out devices, fifos and sockets, which no commit can hold; false refuses them.
    pub ignore_devices: bool,
}

/// What has been unpacked.
#[derive(Debug)]
pub struct Unpacked {
    /// The packages in transaction order.
    pub packages: Vec<Package>,
    /// What a person should know, one line each.
    pub warnings: Vec<String>,
    pub(crate) owners: Owners,
}

/// Orders the packages and writes their files into the empty directory `root`.
pub fn unpack_all(root: &Path, files: &[PackageFile], options: &UnpackOptions) -> Result<Unpacked> {
    let tree = Root::open(root)?;
    if let Some((name, _)) = tree.list("")?.first() {
        bail!("{}: expected an empty directory, got one with {name}", root.display());
    }
    rustix::fs::chmod(root, rustix::fs::Mode::from_raw_mode(0o755))?;
    let opened = files.iter().map(open).collect::<Result<Vec<_>>>()?;
    let sequence = order::order(&opened)?;
    let mut writer = write::Writer::new(&tree, options);
    for index in &sequence {
        let package = &opened[*index];
        let digest = files[*index].digest.as_deref();
        writer.package(package, digest).with_context(|| format!("package {}", package.nevra))?;
    }
    let (owners, warnings) = writer.finish();
    let mut opened: Vec<Option<Package>> = opened.into_iter().map(Some).collect();
    let packages = sequence.iter().filter_map(|index| opened[*index].take()).collect();
    Ok(Unpacked { packages, warnings, owners })
}

fn open(file: &PackageFile) -> Result<Package> {
    let package = Package::open(&file.path)?;
    let got = package.nevra.to_string();
    ensure!(got == file.nevra, "{}: expected package {}, got {got}", file.path.display(), file.nevra);
    if file.digest.is_none() && !package.has_own_digests() {
        bail!("{}: neither it nor the lock file has SHA-256 digests to check it with", file.path.display());
    }
    Ok(package)
}
