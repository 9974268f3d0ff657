//! One file per command.

mod pull;
mod remotes;
mod version;

use std::path::PathBuf;

use crate::cli::{Command, Global, Meant, help};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::progress::Screen;
use crate::pull::open::Patience;

/// Where a command works and where it speaks.
#[derive(Debug)]
pub struct Scene<'a> {
    /// Flags that hold for every command.
    pub global: &'a Global,
    /// Where results and progress go.
    pub screen: &'a Screen,
    /// How patiently the network is used.
    pub patience: Patience,
}

impl Scene<'_> {
    /// The repository the command works on.
    pub fn repo_path(&self) -> PathBuf {
        self.global.repo.clone().unwrap_or_else(|| self.global.sysroot.join("ostree/repo"))
    }
}

/// Carries out what was meant.
pub fn run(meant: &Meant, screen: &Screen) -> Result<Exit> {
    let scene = Scene { global: &meant.global, screen, patience: Patience::default() };
    match &meant.command {
        Command::Help(spec) => screen.say(help::text(*spec).trim_end()),
        Command::Version => screen.say(&version::text()),
        Command::RemoteAdd(wanted) => remotes::add(&scene, wanted)?,
        Command::RemoteList { urls } => remotes::list(&scene, *urls)?,
        Command::RemoteDelete { name, if_exists } => remotes::delete(&scene, name, *if_exists)?,
        Command::Pull { source, refs, allow_downgrade, remote } => {
            let (allow_downgrade, remote) = (*allow_downgrade, remote.as_deref());
            return pull::run(&scene, &pull::Wanted { source, refs, allow_downgrade, remote });
        }
        other => return Err(Error::Bug(format!("not there yet: {other:?}"))),
    }
    Ok(Exit::Ok)
}
