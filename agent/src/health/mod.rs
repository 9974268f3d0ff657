//! Health checks: programs in folders, as greenboot lays them out.
//!
//! ```text
//! etc/greenboot/check/required.d, usr/lib/greenboot/check/required.d, etc/rootling/check.d    all have to pass
//! etc/greenboot/check/wanted.d, usr/lib/greenboot/check/wanted.d                              told if they fail
//! ```
//! Each runs in a process group of its own, which is killed as a whole when its time is up. A file whose name ends in `.sh`
//! is run by bash, as greenboot does, or by `sh` where there is none; another one is passed over unless it is executable.

mod run;
mod watchdog;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rootling_store::fs as store;

use crate::error::{Error, Result};
use crate::progress::Screen;
use crate::settings::Settings;
use run::run;
pub use watchdog::{Watchdog, is_asked, is_started_at_boot};

const REQUIRED: [&str; 3] =
    ["etc/greenboot/check/required.d", "usr/lib/greenboot/check/required.d", "etc/rootling/check.d"];
const WANTED: [&str; 2] = ["etc/greenboot/check/wanted.d", "usr/lib/greenboot/check/wanted.d"];

/// Runs all checks below the running root, and keeps the watchdog meanwhile; an error names the required ones that failed.
pub fn check(root: &Path, settings: &Settings, watchdog: &mut Watchdog, screen: &Screen) -> Result<()> {
    let end = Instant::now() + settings.deadline;
    let mut failed = Vec::new();
    for (folder, required) in REQUIRED.map(|f| (f, true)).into_iter().chain(WANTED.map(|f| (f, false))) {
        let programs = match programs(&root.join(folder)) {
            Err(error) if !required => {
                screen.say(&format!("wanted only, failed: {error}"));
                continue;
            }
            programs => programs?,
        };
        for program in programs {
            let name = program.display().to_string();
            let patience = settings.check.min(end.saturating_duration_since(Instant::now()));
            let why = run(&program, patience, &mut || watchdog.keep());
            match (&why, required) {
                (None, _) => screen.say(&format!("passed: {name}")),
                (Some(why), true) => failed.push(format!("{name} {why}")),
                (Some(why), false) => screen.say(&format!("wanted only, failed: {name} {why}")),
            }
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Error::refused(format_args!("health: {}", failed.join("; ")))),
    }
}

/// The files of a folder in the order of their names; none if there is no folder.
fn programs(folder: &Path) -> Result<Vec<PathBuf>> {
    if folder.is_symlink() && !folder.is_dir() {
        return Err(Error::refused(format_args!(
            "{}: expected a folder, got a link to none",
            folder.display()
        )));
    }
    let mut found = store::paths(folder)?;
    // a link to nothing is a check that cannot pass, and is run as one
    found.retain(|path| {
        fs::metadata(path)
            .map_or(true, |m| m.is_file() && (is_script(path) || m.permissions().mode() & 0o111 != 0))
    });
    Ok(found)
}

fn is_script(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "sh")
}
