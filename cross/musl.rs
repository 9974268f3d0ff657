//! musl of other architectures, unpacked and not installed.
//!
//! `dpkg --add-architecture` would have apt look for every suite's index of that architecture, and drop a whole
//! suite where one is out of step. A private configuration with the main suite alone leaves the machine as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use super::targets::{Libc, TARGETS, Target};
use super::{source, zig};
use crate::archive;
use crate::run::{output, run};

/// apt's folder, and that of the source, are for one at a time.
static ONE: Mutex<()> = Mutex::new(());

/// The folder with `lib` and `include` of a target's musl: the machine's own, or fetched or built once.
pub fn fetch(target: &Target, folder: &Path) -> Result<PathBuf> {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let unpacked = if matches!(target.libc, Libc::Zig(_)) { "zig-pie/usr" } else { "root/usr" };
    let (installed, usr) = (Path::new("/usr"), folder.join(unpacked));
    let is_in = |usr: &Path| usr.join("lib").join(target.musl).join("libc.a").exists();
    match target.libc {
        // it knows whether what is there has its flags
        Libc::Source(_) => {
            let folder = folder.join("small");
            source::build(target, &folder)?;
            return Ok(folder.join("root/usr"));
        }
        _ if is_in(installed) => return Ok(installed.to_owned()),
        _ if is_in(&usr) => {}
        Libc::Debian(architecture) => unpack("musl-dev", architecture, folder)?,
        Libc::Zig(name) => zig::build(name, target.musl, &usr, folder)?,
    }
    Ok(usr)
}

/// Downloads a package of another architecture and unpacks it below `root` of the folder.
pub fn unpack(package: &str, debian: &str, folder: &Path) -> Result<()> {
    let config = configure(folder)?;
    let mut apt = Command::new("apt-get");
    run(apt.arg("-c").arg(&config).args(["-qq", "update"]))?;
    let mut apt = Command::new("apt-get");
    let wanted = format!("{package}:{debian}");
    run(apt.arg("-c").arg(&config).args(["-qq", "download", &wanted]).current_dir(folder))?;
    let (start, ending) = (format!("{package}_"), format!("_{debian}.deb"));
    let names = fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let deb = names.filter(|name| name.starts_with(&start) && name.ends_with(&ending)).max();
    let deb = deb.with_context(|| format!("{wanted}: nothing was downloaded"))?;
    output(Command::new("dpkg-deb").arg("-x").arg(folder.join(deb)).arg(folder.join("root"))).map(drop)
}

/// Downloads the source package of the release's main suite, without unpacking it.
pub fn download_source(package: &str, folder: &Path) -> Result<()> {
    let config = configure(folder)?;
    let list = folder.join("etc/sources.list");
    let text = fs::read_to_string(&list).with_context(|| format!("read {}", list.display()))?;
    fs::write(&list, text.replacen("deb ", "deb-src ", 1))?;
    let mut apt = Command::new("apt-get");
    run(apt.arg("-c").arg(&config).args(["-qq", "update"]))?;
    let mut apt = Command::new("apt-get");
    run(apt.arg("-c").arg(&config).args(["-qq", "source", "--download-only", package]).current_dir(folder))
}

fn configure(folder: &Path) -> Result<PathBuf> {
    for dir in ["lists/partial", "cache/archives/partial", "etc"] {
        fs::create_dir_all(folder.join(dir)).with_context(|| format!("create {}", folder.display()))?;
    }
    let list = folder.join("etc/sources.list");
    fs::write(&list, format!("deb {}\n", archive::suite("")?))?;
    let all = TARGETS.iter().filter_map(|target| match target.libc {
        Libc::Debian(architecture) | Libc::Source(architecture) => Some(format!("\"{architecture}\";")),
        Libc::Zig(_) => None,
    });
    let all: Vec<String> = all.collect();
    let at = folder.display();
    let text = format!(
        "Dir::Etc::SourceList \"{}\";\nDir::Etc::SourceParts \"-\";\nDir::State::Lists \"{at}/lists\";\n\
         Dir::Cache \"{at}/cache\";\nAPT::Architectures {{ {} }};\nAcquire::Languages \"none\";\n",
        list.display(),
        all.join(" ")
    );
    let config = folder.join("apt.conf");
    fs::write(&config, text)?;
    Ok(config)
}
