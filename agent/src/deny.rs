//! The deny list: commits that failed on this device and are not tried again by themselves.
//!
//! `var/lib/rootling/deny-list` of the stateroot, see `docs/formats/deny-list.md`. It is replaced whole, so that it is
//! there or there as it was; one that cannot be read is an error and never an empty list.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use rootling_boot::loader::Outcome;
use rootling_object::Checksum;
use rootling_store::fs::replace;
use rootling_store::sysroot::loader::BootState;
use rootling_store::sysroot::{Deployment, Sysroot};

use crate::device;
use crate::error::{Error, Result};
use crate::text::printable;

const FIRST: &str = "rootling deny list 1";
const WORD: &str = "failed";
/// Why what the loader fell back from is on the list.
pub const FELL_BACK: &str = "did not prove itself after a boot";

/// The list as it is on the disk.
#[derive(Debug)]
pub struct DenyList {
    path: PathBuf,
    lines: Vec<String>,
}

impl DenyList {
    /// Reads a stateroot's list; none yet is an empty one.
    pub fn open(sysroot: &Sysroot, stateroot: &str) -> Result<DenyList> {
        let var = sysroot.path().join("ostree/deploy").join(stateroot).join("var");
        let path = var.join("lib/rootling/deny-list");
        let place = path.display().to_string();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => format!("{FIRST}\n"),
            text => text.map_err(|error| Error::io(&place, &error))?,
        };
        let lines = parse(&text).map_err(|wrong| Error::corrupt(format_args!("{place}: {wrong}")))?;
        Ok(DenyList { path, lines })
    }

    /// Why a commit is on the list, if it is.
    pub fn reason(&self, commit: &Checksum) -> Option<&str> {
        let commit = commit.to_string();
        self.entries().find(|(checksum, _)| *checksum == commit).map(|(_, reason)| reason)
    }

    /// Checksums and reasons.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().filter_map(|line| entry(line))
    }

    /// Puts a commit on the list; durable once it returns.
    pub fn add(&mut self, commit: &str, reason: &str) -> Result<()> {
        let commit = commit.split('.').next().unwrap_or_default();
        self.lines.retain(|line| entry(line).is_none_or(|(checksum, _)| checksum != commit));
        self.lines.push(format!("{WORD} {commit} {}", printable(reason)));
        self.write()
    }

    /// Takes a commit off the list, because it proved itself.
    pub fn remove(&mut self, commit: &Checksum) -> Result<()> {
        if self.reason(commit).is_none() {
            return Ok(());
        }
        let commit = commit.to_string();
        self.lines.retain(|line| entry(line).is_none_or(|(checksum, _)| checksum != commit));
        self.write()
    }

    fn write(&self) -> Result<()> {
        let place = self.path.display().to_string();
        let folder = self.path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder).map_err(|error| Error::io(&place, &error))?;
        let text: String = self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        replace(&self.path, text.as_bytes())?;
        // the folder itself may be new
        Ok(rootling_store::fs::sync_file_system(folder)?)
    }
}

/// Puts what was armed on the deny list of its stateroot, unless what boots in its place is of the same commit: what failed
/// is how it was deployed.
pub fn denied(sysroot: &Sysroot, id: &str, why: &str) -> Result<()> {
    let tried = sysroot.deployments().iter().find(|deployment| deployment.name() == id);
    let stateroot = match tried {
        Some(tried) => tried.stateroot.clone(),
        None => device::stateroot(sysroot, None)?,
    };
    let commit = |name: &str| name.split('.').next().map(String::from);
    let next = sysroot.deployments().iter().map(Deployment::name).find(|name| name != id);
    match next.is_some_and(|next| commit(&next) == commit(id)) {
        true => Ok(()),
        false => DenyList::open(sysroot, &stateroot)?.add(id, why),
    }
}

/// What the loader fell back from goes on the deny list before a change of the deployments forgets it.
pub fn deny_fallen(sysroot: &Sysroot) {
    let state = sysroot.boot_state().ok().flatten();
    if let Some(BootState { armed: Some(armed), outcome: Outcome::FellBack, .. }) = state
        && let Err(error) = denied(sysroot, armed.id.as_str(), FELL_BACK)
    {
        rootling_store::warn!("{error}");
    }
}

/// The lines; a torn or foreign file is an error, a line of a later version is kept.
fn parse(text: &str) -> Result<Vec<String>, String> {
    let lines: Vec<String> = text.lines().map(String::from).collect();
    let first = lines.first().map(String::as_str).unwrap_or_default();
    if first != FIRST || !text.ends_with('\n') {
        return Err(format!("expected {FIRST:?} first and whole lines, got {first:?}"));
    }
    for line in lines.iter().filter(|line| line.split(' ').next() == Some(WORD)) {
        if entry(line).is_none_or(|(checksum, _)| Checksum::parse_hex(checksum).is_err()) {
            return Err(format!("expected failed CHECKSUM REASON, got {line:?}"));
        }
    }
    Ok(lines)
}

fn entry(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix(WORD)?.strip_prefix(' ')?;
    Some(rest.split_once(' ').unwrap_or((rest, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_list_is_never_an_empty_one() {
        let sum = "a".repeat(64);
        let good = format!("{FIRST}\nlater word\nfailed {sum} did not start\n");
        let lines = parse(&good).unwrap();
        assert_eq!(lines[1], "later word", "kept");
        assert_eq!(entry(&lines[2]), Some((sum.as_str(), "did not start")));
        for bad in ["", "\n", "rootling deny list 2\n", &good[..good.len() - 1], &good[..60]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse(&format!("{FIRST}\nfailed\n")).is_err());
        assert!(parse(&format!("{FIRST}\nfailed {}\n", &sum[1..])).is_err());
    }
}
