//! `pull`.

use std::path::Path;

use rootling_store::Repo;

use super::Scene;
use crate::error::Result;
use crate::exit::Exit;
use crate::pull::admit::Rules;
use crate::pull::delta::Mode;
use crate::pull::{Pull, Pulled, open};
use crate::text::size;

/// What was typed after `pull`.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// A remote's name, or a path if it holds a slash.
    pub source: &'a str,
    /// Refs; none means the remote's branches.
    pub refs: &'a [String],
    /// Accept older commits.
    pub allow_downgrade: bool,
    /// The remote that refs of a path belong to.
    pub remote: Option<&'a str>,
    /// Whether static deltas are used.
    pub deltas: Mode,
}

/// Fetches every ref, and says so.
pub fn run(scene: &Scene<'_>, wanted: &Wanted<'_>) -> Result<Exit> {
    let repo = Repo::open(&scene.repo_path())?;
    let sysroot = &scene.global.sysroot;
    let rules = Rules { allow_downgrade: wanted.allow_downgrade, ..Rules::default() };
    let (mut pull, refs) = if wanted.source.contains('/') {
        let from = Path::new(wanted.source);
        let pull = open::path(&repo, sysroot, from, wanted.remote, rules, scene.screen)?;
        (pull, open::wanted(None, wanted.refs)?)
    } else {
        let (remote, pull) =
            open::remote(&repo, sysroot, wanted.source, rules, &scene.patience, scene.screen)?;
        let refs = open::wanted(Some(&remote), wanted.refs)?;
        (pull, refs)
    };
    pull.deltas = wanted.deltas;
    let mut changed = false;
    for name in &refs {
        changed |= one(scene, &pull, name)?.changed;
    }
    Ok(if changed { Exit::Ok } else { Exit::Unchanged })
}

fn one(scene: &Scene<'_>, pull: &Pull<'_>, name: &rootling_object::RefName) -> Result<Pulled> {
    scene.screen.phase(&format!("fetching {}", pull.refspec(name)));
    let pulled = pull.fetch(name)?;
    let what = format!("{} {}", pulled.refspec, pulled.commit.checksum());
    scene.screen.say(&match pulled.changed {
        true => format!("{what}\n{} objects, {} fetched", pulled.fetched, size(pulled.bytes)),
        false => format!("{what} (unchanged)"),
    });
    Ok(pulled)
}
