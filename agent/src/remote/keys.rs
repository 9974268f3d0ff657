//! Which keys may sign for a remote: its own, or the system's; never one that the system has revoked.
//!
//! As ostree-sign(1): keys named by the remote replace those of the system. System keys are the lines of
//! `trusted.ed25519` and of every file in `trusted.ed25519.d`, in `etc/ostree` and `usr/share/ostree`;
//! `revoked.ed25519` and `revoked.ed25519.d` take keys away, wherever they came from.

use std::fs;
use std::path::{Path, PathBuf};

use rootling_store::fs as store;
use rootling_trust::{Keyring, Policy, PublicKey};

use super::{KeySource, Remote};
use crate::error::{Error, Result};

const FOLDERS: [&str; 2] = ["etc/ostree", "usr/share/ostree"];

/// What commits of `remote` need.
pub fn commit_policy(remote: &Remote, sysroot: &Path) -> Result<Policy> {
    policy(remote, sysroot, remote.signed)
}

/// What the summary of `remote` needs.
pub fn summary_policy(remote: &Remote, sysroot: &Path) -> Result<Policy> {
    policy(remote, sysroot, remote.summary_signed)
}

fn policy(remote: &Remote, sysroot: &Path, signed: bool) -> Result<Policy> {
    if !signed {
        return Ok(Policy::Unsigned { remote: remote.name.clone() });
    }
    let mut keyring = Keyring::default();
    for source in &remote.keys {
        own(&mut keyring, source)?;
    }
    if remote.keys.is_empty() {
        for path in files(sysroot, "trusted.ed25519")? {
            keyring.trust_lines(&read(&path)?).map_err(|error| bad(&path, &error))?;
        }
    }
    for path in files(sysroot, "revoked.ed25519")? {
        keyring.revoke_lines(&read(&path)?).map_err(|error| bad(&path, &error))?;
    }
    if keyring.usable().next().is_none() {
        return Err(Error::untrusted(format_args!(
            "remote {:?}: expected a key to verify commits with, got none: set verification-ed25519-key, \
             or put one into {}/trusted.ed25519, or set sign-verify=false to accept unsigned commits",
            remote.name,
            sysroot.join(FOLDERS[0]).display()
        )));
    }
    Ok(Policy::Keys(keyring))
}

fn own(keyring: &mut Keyring, source: &KeySource) -> Result<()> {
    match source {
        KeySource::Inline(text) => {
            let key = PublicKey::parse_base64(text)
                .map_err(|error| Error::refused(format_args!("verification-ed25519-key: {error}")))?;
            keyring.trust(key);
        }
        KeySource::File(path) => {
            let path = Path::new(path);
            keyring.trust_lines(&read(path)?).map_err(|error| bad(path, &error))?;
        }
    }
    Ok(())
}

/// `NAME` and the files of `NAME.d`, in each folder that has them.
fn files(sysroot: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let single = sysroot.join(folder).join(name);
        if single.is_file() {
            found.push(single);
        }
        found.extend(store::paths(&sysroot.join(folder).join(format!("{name}.d")))?);
    }
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| Error::io(&path.display().to_string(), &error))
}

fn bad(path: &Path, error: &rootling_trust::Error) -> Error {
    Error::refused(format_args!("{}: {error}", path.display()))
}
