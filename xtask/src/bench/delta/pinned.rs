//! Packages by file name and checksum, for an archive whose index of an architecture is not the one that was signed: apt takes none of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::debian::Deb;
use crate::archive;
use crate::run::output;

/// SHA-256 and place in the archive, the lower version of each package before the higher.
const ARMHF: &str = include_str!("armhf.txt");

/// Whether packages of an architecture are known so.
pub fn knows(arch: &str) -> bool {
    arch == "armhf"
}

/// The lower and the higher version of a package for armhf, fetched.
pub fn both(folder: &Path, package: &str) -> Result<[Deb; 2]> {
    let [low, high] = lines(package)?;
    Ok([fetch(folder, low)?, fetch(folder, high)?])
}

fn lines(package: &str) -> Result<[(&'static str, &'static str); 2]> {
    let all = ARMHF.lines().filter_map(|line| line.split_once(' '));
    let of_it = all.filter(|(_, path)| name(path).split('_').next() == Some(package));
    let found: Vec<_> = of_it.collect();
    found.try_into().ok().with_context(|| format!("armhf.txt: expected two lines of {package}, got others"))
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn fetch(folder: &Path, (sha256, path): (&str, &str)) -> Result<Deb> {
    let debs = folder.join("debs");
    fs::create_dir_all(&debs).with_context(|| format!("create {}", debs.display()))?;
    let deb = Deb { name: name(path).to_owned(), sha256: sha256.to_owned(), path: debs.join(name(path)) };
    if deb.path.exists() {
        return deb.checked();
    }
    eprintln!("   fetching {}", deb.name);
    let suite = archive::suite(if path.starts_with("pool/updates/") { "-security" } else { "" })?;
    let site = suite.split(' ').next().unwrap_or_default();
    let part = Deb { path: debs.join(format!("{}.part", deb.name)), ..deb.clone() };
    let mut curl = Command::new("curl");
    curl.args(["-fsSL", "--retry", "3", "-o"]).arg(&part.path).arg(format!("{site}/{path}"));
    output(&mut curl)?;
    let part = part.checked()?;
    fs::rename(&part.path, &deb.path).with_context(|| format!("rename {}", part.path.display()))?;
    Ok(deb)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::delta::corpus::{ALL, Content};

    #[test]
    fn each_package_of_the_corpus_has_two_versions() {
        let corpus = ALL.iter().find(|corpus| knows(corpus.arch)).unwrap();
        let Content::Packages(packages) = corpus.content else { panic!("{:?}", corpus.content) };
        for package in packages {
            let [(low, old), (high, new)] = lines(package).unwrap();
            assert!(low.len() == 64 && high.len() == 64 && low != high, "{package}");
            assert!(old.ends_with(".deb") && new.ends_with(".deb") && name(old) != name(new), "{package}");
        }
        let error = lines("cur").unwrap_err().to_string();
        assert_eq!(error, "armhf.txt: expected two lines of cur, got others");
    }
}
