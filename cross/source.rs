//! musl compiled from Debian's source, for size: Debian's own library is for speed and has 13 KB more in it.
//!
//! The stack protector of Debian's build stays: the resolver reads what the network says. What is needed is installed below a draft and
//! takes its place at once.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context, Result};

use super::musl;
use super::targets::Target;
use crate::run::output;

/// A section for each function and each constant: the linker leaves out what nothing names, and brings the same together. It may lie
/// anywhere, in programs that do not too: to have it once costs them 600 bytes, of the 1,024 that `-Oz` saves beside `-Os`.
const FLAGS: &str = "-Oz -fstack-protector-strong -ffunction-sections -fdata-sections -fpie";

/// Puts the library and its headers below `root/usr` of the folder, once for these flags.
pub fn build(target: &Target, folder: &Path) -> Result<()> {
    let (root, draft, source) = (folder.join("root"), folder.join("draft"), folder.join("source"));
    if fs::read_to_string(root.join("flags")).is_ok_and(|flags| flags == FLAGS) {
        return Ok(());
    }
    for old in [&root, &draft, &source] {
        if old.exists() {
            fs::remove_dir_all(old).with_context(|| format!("remove {}", old.display()))?;
        }
    }
    musl::download_source("musl", folder)?;
    let names = fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let description = names.filter(|name| name.starts_with("musl_") && name.ends_with(".dsc")).max();
    let description = description.context("musl: no source was downloaded")?;
    let mut unpack = Command::new("dpkg-source");
    unpack.args(["--no-check", "-x"]).arg(folder.join(description)).arg(&source);
    output(&mut unpack)?;
    let mut configure = Command::new("./configure");
    configure.args(["--disable-shared", "--disable-gcc-wrapper", "--prefix=/usr"]);
    configure.arg(format!("--libdir=/usr/lib/{}", target.musl));
    configure.arg(format!("--includedir=/usr/include/{}", target.musl));
    output(configure.env("CC", target.cc.0).env("CFLAGS", FLAGS).current_dir(&source))?;
    let mut make = Command::new("make");
    make.arg(format!("-j{}", available_parallelism().map_or(1, usize::from)));
    make.arg(format!("DESTDIR={}", draft.display())).args(["install-libs", "install-headers"]);
    output(make.current_dir(&source))?;
    fs::write(draft.join("flags"), FLAGS).context("flags")?;
    fs::rename(&draft, &root).with_context(|| format!("rename {}", draft.display()))?;
    fs::remove_dir_all(&source).with_context(|| format!("remove {}", source.display()))
}
