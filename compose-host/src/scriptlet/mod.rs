//! Scriptlets: which run, when, and how.
//!
//! As rpm-ostree does it: the files of all packages are there already; then every %pre, then every %post, then every
//! %posttrans, each in transaction order, each with `$1` = 1. What belongs to a removal or to rpm's own process never
//! runs (%preun, %postun, %pretrans, %verifyscript, %filetriggerin). Lua, triggers and macro expansion at install time
//! are refused by name, unless [`ignore`] knows that a compose does without them.

mod ignore;

use crate::root::Root;
use crate::rpmfile::Package;
use crate::rpmfile::script::{self, Phase, Scriptlet};
use crate::sandbox::Sandbox;
use crate::unpack::Unpacked;
use anyhow::{Context as _, Result, bail};
use std::collections::HashSet;
use std::path::Path;

/// Flags whose scripts rpm rewrites before it runs them.
const REWRITTEN: u64 = 1 << 0 | 1 << 1;
const SYSUSERS: &str = "usr/bin/systemd-sysusers";

/// Runs every %pre, gives files their owners, then every %post and every %posttrans, in transaction order.
///
/// Must be called even when no package has a scriptlet: owners by name are only known after %pre. Returns how many ran.
pub fn run_all(root: &Path, unpacked: &mut Unpacked, timestamp: u64) -> Result<usize> {
    refuse_unsupported(&unpacked.packages)?;
    let tree = Root::open(root)?;
    let sandbox = Sandbox::new(&tree, timestamp)?;
    let mut count = run_phase(&sandbox, &unpacked.packages, Phase::Pre)?;
    give_owners(&tree, &sandbox, unpacked)?;
    count += run_phase(&sandbox, &unpacked.packages, Phase::Post)?;
    count += run_phase(&sandbox, &unpacked.packages, Phase::PostTrans)?;
    Ok(count)
}

fn give_owners(tree: &Root, sandbox: &Sandbox<'_>, unpacked: &mut Unpacked) -> Result<()> {
    if !unpacked.owners.unknown(tree)?.is_empty() && tree.exists(SYSUSERS)? {
        sandbox.run(&["/usr/bin/systemd-sysusers"])?.check("systemd-sysusers")?;
    }
    unpacked.owners.apply(tree, &mut unpacked.warnings)
}

fn run_phase(sandbox: &Sandbox<'_>, packages: &[Package], phase: Phase) -> Result<usize> {
    let mut count = 0;
    for package in packages {
        let Some(scriptlet) = script::scriptlet(&package.header, phase) else { continue };
        if ignore::ignored(&package.nevra.name, phase.name()) {
            continue;
        }
        run(sandbox, &scriptlet).with_context(|| format!("package {}", package.nevra))?;
        count += 1;
    }
    Ok(count)
}

fn run(sandbox: &Sandbox<'_>, scriptlet: &Scriptlet) -> Result<()> {
    let program: Vec<&str> = scriptlet.program.iter().map(String::as_str).collect();
    let ended = if scriptlet.body.is_empty() {
        sandbox.run(&program)?
    } else {
        sandbox.run_script(&program, &scriptlet.body, &["1"])?
    };
    ended.check(&format!("%{} scriptlet", scriptlet.phase.name()))
}

fn refuse_unsupported(packages: &[Package]) -> Result<()> {
    let names: HashSet<&str> = packages.iter().map(|package| package.nevra.name.as_str()).collect();
    for package in packages {
        let name = &package.nevra.name;
        for phase in [Phase::Pre, Phase::Post, Phase::PostTrans] {
            let Some(scriptlet) = script::scriptlet(&package.header, phase) else { continue };
            if ignore::ignored(name, phase.name()) {
                continue;
            }
            if scriptlet.program.first().is_some_and(|program| program == "<lua>") {
                bail!(
                    "package {}: %{} is a <lua> scriptlet, which is not supported yet",
                    package.nevra,
                    phase.name()
                );
            }
            if scriptlet.flags & REWRITTEN != 0 {
                bail!(
                    "package {}: %{} expands macros at install time, which is not supported",
                    package.nevra,
                    phase.name()
                );
            }
        }
        for target in script::triggers(&package.header) {
            if names.contains(target.as_str()) && !ignore::ignored(name, "triggerin") {
                bail!("package {}: %triggerin on {target}: triggers are not supported yet", package.nevra);
            }
        }
        let path = script::trans_file_triggers(&package.header).into_iter().next();
        if let Some(path) = path.filter(|_| !ignore::ignored(name, "transfiletriggerin")) {
            bail!("package {}: %transfiletriggerin on {path}: triggers are not supported yet", package.nevra);
        }
    }
    Ok(())
}
