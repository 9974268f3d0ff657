//! One file per command.

mod adopt;
mod boot;
mod config_diff;
mod db;
mod deploy;
pub mod finalize;
mod fsck;
mod init;
mod kargs;
mod pull;
mod remotes;
mod rollback;
mod status;
mod version;

use std::path::PathBuf;

use rootling_object::Refspec;

use crate::cli::meant::Until;
use crate::cli::{Command, Global, Meant, help};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::progress::Screen;
use crate::pull::open::Patience;
use crate::upgrade::{self, Wanted};

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
        Command::Version => screen.say(version::TEXT),
        Command::Init { stateroot } => init::run(&scene, stateroot.as_deref())?,
        Command::RemoteAdd(wanted) => remotes::add(&scene, wanted)?,
        Command::RemoteList { urls } => remotes::list(&scene, *urls)?,
        Command::RemoteDelete { name, if_exists } => remotes::delete(&scene, name, *if_exists)?,
        Command::Pull { source, refs, allow_downgrade, remote, deltas } => {
            let (allow_downgrade, remote, deltas) = (*allow_downgrade, remote.as_deref(), *deltas);
            return pull::run(&scene, &pull::Wanted { source, refs, allow_downgrade, remote, deltas });
        }
        Command::Deploy { os, rev, kargs, tries, reboot } => {
            return deploy::run(&scene, os.as_deref(), rev, kargs, *tries, *reboot);
        }
        Command::Upgrade { os, until, allow_downgrade, tries, retry_failed, deltas } => {
            let (os, until, allow_downgrade) = (os.as_deref(), *until, *allow_downgrade);
            let (tries, retry_failed, deltas) = (*tries, *retry_failed, *deltas);
            let wanted = Wanted { os, switch_to: None, until, allow_downgrade, tries, retry_failed, deltas };
            return upgrade::upgrade(&scene, &wanted);
        }
        Command::Switch { os, refspec, tries, retry_failed, reboot, deltas } => {
            let switch_to = Refspec::parse(refspec).map_err(|error| Error::usage(format_args!("{error}")))?;
            let until = if *reboot { Until::Reboot } else { Until::Deploy };
            let (os, switch_to) = (os.as_deref(), Some(switch_to));
            let (tries, retry_failed, deltas) = (*tries, *retry_failed, *deltas);
            let wanted = Wanted { os, switch_to, until, allow_downgrade: false, tries, retry_failed, deltas };
            return upgrade::upgrade(&scene, &wanted);
        }
        Command::Rollback { os, reboot } => return rollback::rollback(&scene, os.as_deref(), *reboot),
        Command::Status { json } => status::run(&scene, *json)?,
        Command::Finalize => return finalize::run(&scene),
        Command::Adopt => adopt::run(&scene)?,
        Command::Boot(what) => return boot::run(&scene, what),
        Command::DbDiff { os, from, to, json } => {
            db::diff(&scene, os.as_deref(), from.as_deref(), to.as_deref(), *json)?;
        }
        Command::DbList { os, rev } => db::list(&scene, os.as_deref(), rev.as_deref())?,
        Command::Cleanup { os, pending, rollback } => {
            return rollback::cleanup(&scene, os.as_deref(), *pending, *rollback);
        }
        Command::Pin { index, unpin } => return rollback::pin(&scene, *index, *unpin),
        Command::Kargs { os, edits, reboot } => return kargs::run(&scene, os.as_deref(), edits, *reboot),
        Command::Fsck { repair } => return fsck::run(&scene, *repair),
        Command::ConfigDiff { os } => config_diff::run(&scene, os.as_deref())?,
    }
    Ok(Exit::Ok)
}
