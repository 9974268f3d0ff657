//! Packages of any architecture in every version the archive offers, without touching the machine's own apt.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::archive;
use crate::run::output;

/// A private apt of one architecture.
#[derive(Debug)]
pub struct Apt {
    config: PathBuf,
    debs: PathBuf,
}

/// A package file that was fetched.
#[derive(Clone, Debug)]
pub struct Deb {
    /// Name and version, as apt writes it.
    pub name: String,
    /// Of the file, in hex, from the signed index.
    pub sha256: String,
    /// Where it lies.
    pub path: PathBuf,
}

impl Deb {
    /// The same if the file has its checksum.
    pub fn checked(self) -> Result<Deb> {
        let (sum, expected) = (output(Command::new("sha256sum").arg(&self.path))?, &self.sha256);
        ensure!(sum.starts_with(expected), "{}: expected SHA-256 {expected}, got {sum}", self.path.display());
        Ok(self)
    }
}

impl Apt {
    /// Reads the indexes of the machine's release with its updates and security updates, for another architecture.
    pub fn new(folder: &Path, arch: &str) -> Result<Apt> {
        let at = folder.join("apt").join(arch);
        let debs = folder.join("debs");
        for dir in [at.join("lists/partial"), at.join("cache/archives/partial"), debs.clone()] {
            fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        }
        fs::write(at.join("status"), "")?;
        fs::write(at.join("sources.list"), sources()?)?;
        let place = at.display();
        let config = at.join("apt.conf");
        fs::write(
            &config,
            format!(
                "Dir::Etc::SourceList \"{place}/sources.list\";\nDir::Etc::SourceParts \"-\";\n\
                 Dir::State \"{place}\";\nDir::State::Lists \"{place}/lists\";\nDir::State::status \"{place}/status\";\n\
                 Dir::Cache \"{place}/cache\";\nAPT::Architecture \"{arch}\";\n#clear APT::Architectures;\n\
                 APT::Architectures {{ \"{arch}\"; }};\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n\
                 Acquire::ForceHash \"SHA256\";\nAPT::Sandbox::User \"root\";\nAPT::Update::Error-Mode \"any\";\n"
            ),
        )?;
        let apt = Apt { config, debs };
        apt.run("apt-get", &["-qq", "update"])?;
        Ok(apt)
    }

    /// The versions of a package, lowest first.
    pub fn versions(&self, package: &str) -> Result<Vec<String>> {
        let text = self.run("apt-cache", &["madison", package])?;
        let mut found: Vec<String> =
            text.lines().filter_map(|line| Some(line.split('|').nth(1)?.trim().to_owned())).collect();
        found.sort_by(|one, other| compare(one, other));
        found.dedup();
        Ok(found)
    }

    /// The packages whose whole name starts and ends so.
    pub fn names(&self, start: &str, end: &str) -> Result<Vec<String>> {
        let text = self.run("apt-cache", &["pkgnames", start])?;
        Ok(text.lines().filter(|name| name.ends_with(end)).map(str::to_owned).collect())
    }

    /// The lowest and the highest version of a package, fetched.
    pub fn both(&self, package: &str) -> Result<[Deb; 2]> {
        let versions = self.versions(package)?;
        let [low, .., high] = versions.as_slice() else {
            bail!("{package}: expected two versions in the archive, got {versions:?}");
        };
        Ok([self.fetch(&format!("{package}={low}"))?, self.fetch(&format!("{package}={high}"))?])
    }

    /// A package, `NAME` or `NAME=VERSION`, fetched unless it is here.
    pub fn fetch(&self, wanted: &str) -> Result<Deb> {
        let text = self.run("apt-get", &["-q", "--print-uris", "download", wanted])?;
        let line = text.lines().find(|line| line.starts_with('\''));
        let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        let [_, name, _, sum] = words[..] else { bail!("{wanted}: apt names no file to download") };
        let sha256 = sum.strip_prefix("SHA256:").with_context(|| format!("{wanted}: no SHA256 but {sum}"))?;
        let deb =
            Deb { name: name.replace("%3a", ":"), sha256: sha256.to_owned(), path: self.debs.join(name) };
        if !deb.path.exists() {
            eprintln!("   fetching {}", deb.name);
            output(self.command("apt-get", &["-q", "download", wanted]).current_dir(&self.debs))?;
        }
        deb.checked()
    }

    /// Not where the packages lie: apt names no file that it finds there already.
    fn run(&self, program: &str, args: &[&str]) -> Result<String> {
        output(&mut self.command(program, args))
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.config).args(args).env("LC_ALL", "C");
        command.current_dir(self.config.with_file_name("cache"));
        command
    }
}

fn compare(one: &str, other: &str) -> Ordering {
    let holds = |relation| {
        let mut dpkg = Command::new("dpkg");
        output(dpkg.args(["--compare-versions", one, relation, other])).is_ok()
    };
    match (one == other, holds("lt")) {
        (true, _) => Ordering::Equal,
        (_, true) => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// The machine's own sources of its release, as lines for apt.
fn sources() -> Result<String> {
    let lines = ["", "-updates", "-security"].map(archive::suite);
    lines.into_iter().map(|line| Ok(format!("deb {}\n", line?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_debians_order() {
        for (low, high) in [("1.0~rc1", "1.0"), ("2.36-9+deb12u7", "2.36-9+deb12u14"), ("9", "1:1")] {
            assert_eq!(compare(low, high), Ordering::Less);
            assert_eq!(compare(high, low), Ordering::Greater);
            assert_eq!(compare(low, low), Ordering::Equal);
        }
    }
}
