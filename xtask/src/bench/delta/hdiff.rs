//! HDiffPatch, built from the source package of its Python binding: Debian has no package of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{output, run};

/// The release of the binding; it brings HDiffPatch's own sources with it.
const RELEASE: &str = "2.6.0";
/// Of its source package, from the package index.
const SHA256: &str = "9f0d05ee1784a8223df4ca806c47c4fc0dc2048aabd24e8694730e55a39aa5a6";

/// The two programs.
#[derive(Debug)]
pub struct Hdiff {
    /// Makes.
    pub hdiffz: PathBuf,
    /// Applies.
    pub hpatchz: PathBuf,
}

/// Fetches and builds them once.
pub fn get(folder: &Path) -> Result<Hdiff> {
    let source = folder.join(format!("hdiffpatch-{RELEASE}/hdiffpatch/_c_src/HDiffPatch"));
    let tool = Hdiff { hdiffz: source.join("hdiffz"), hpatchz: source.join("hpatchz") };
    if tool.hdiffz.exists() && tool.hpatchz.exists() {
        return Ok(tool);
    }
    fs::create_dir_all(folder)?;
    let name = format!("hdiffpatch-{RELEASE}.tar.gz");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]);
    let wanted = format!("hdiffpatch=={RELEASE} --hash=sha256:{SHA256}\n");
    fs::write(folder.join("requirements.txt"), wanted)?;
    run(pip.args(["--require-hashes", "-r", "requirements.txt"]).current_dir(folder))?;
    output(Command::new("tar").args(["-xzf", &name]).current_dir(folder))?;
    let only = ["ZLIB", "LDEF", "ZSTD", "MD5", "XXH", "VCD", "BSD", "BZIP2"].map(|part| format!("{part}=0"));
    let mut make = Command::new("make");
    make.arg("-s").args(only).args(["hdiffz", "hpatchz"]).current_dir(&source);
    output(&mut make).context("build HDiffPatch; it needs make and g++")?;
    Ok(tool)
}

impl Hdiff {
    /// Its own version.
    pub fn version(&self) -> Result<String> {
        let said = Command::new(&self.hdiffz).arg("-v").output()?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        Ok(said.lines().next().unwrap_or_default().replace("HDiffPatch::hdiffz v", ""))
    }
}
