//! Where this machine has Debian's packages from.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::output;

/// Address, suite and component as in a line for apt, of the main component of the machine's release: `""` for the release itself,
/// `"-updates"`, `"-security"`.
pub fn suite(ending: &str) -> Result<String> {
    let wanted = format!(" {}{ending} main", codename()?);
    let mut apt = Command::new("apt-get");
    apt.args(["indextargets", "--format", "$(SITE) $(CODENAME) $(COMPONENT)", "Created-By: Packages"]);
    let targets = output(&mut apt)?;
    let line = targets.lines().find(|line| line.ends_with(&wanted));
    let line =
        line.with_context(|| format!("apt-get indextargets: expected a source of{wanted}, got none"))?;
    Ok(line.to_owned())
}

fn codename() -> Result<String> {
    let release = fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(codename.context("/etc/os-release: expected VERSION_CODENAME, got none")?.to_owned())
}
