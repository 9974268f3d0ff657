//! U-Boot that counts in its environment.
//!
//! | file | says or does |
//! |---|---|
//! | `env` | the environment, read from where it lies |
//! | `flash` | what it means to write one on MTD |

mod env;
mod flash;

use super::detect::{FW_ENV, Scene, UBOOT_LIST, leads_to_list};
use super::family::{Asked, Family, Listed};
use super::{Armed, EXTLINUX, Try, apply, refuse};
use crate::error::{Error, Result};
use crate::sysroot::apply::sync_whole;
use crate::sysroot::space::same_file_system;
use crate::sysroot::{Locked, Sysroot};
use env::Stored;
use rootling_boot::loader::{Change, Counting, Promises, Step, Trial};
use rootling_boot::plan::{Plan, Step as DiskStep};
use rootling_boot::uboot::{self, Area, EXTLINUX_MENU, EnvConfig};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// Where U-Boot's own commands look for what to boot.
const UENV: &str = "boot/uEnv.txt";

/// Where its environment is; paths of plain files are below the sysroot. One that does not say so stays the loader.
struct UBoot(rootling_boot::Result<EnvConfig>);

impl UBoot {
    fn config(&self) -> Result<&EnvConfig> {
        self.0.as_ref().map_err(Error::refused)
    }
}

/// Its environment is where `etc/fw_env.config` says.
pub(super) fn open(scene: &Scene<'_>) -> Result<Arc<dyn Family>> {
    let config = config(scene)?;
    let areas = config.as_ref().ok().map(|config| [Some(&config.first), config.second.as_ref()]);
    for area in areas.into_iter().flatten().flatten() {
        if flash::is_flash(&area.device) {
            flash::check(&area.device)?;
        }
    }
    Ok(Arc::new(UBoot(config)))
}

/// Why the environment says nothing of a U-Boot that counts: never saved, or without a way to fall back.
///
/// A list that was made for U-Boot proves that it is in use, whatever became of its environment; so does one that is damaged,
/// and a configuration that cannot be read. Beside a list of extlinux, which proves the same of that, neither does.
pub(super) fn unused(scene: &Scene<'_>) -> Option<Error> {
    let sysroot = scene.sysroot;
    if leads_to_list(&sysroot.join(UENV)) || sysroot.join(UBOOT_LIST).exists() {
        return None;
    }
    let others = leads_to_list(&sysroot.join(EXTLINUX));
    let config = match config(scene).ok()? {
        Err(error) if others => return Some(refuse(error)),
        config => config.ok()?,
    };
    match Stored::read(sysroot, &config) {
        Ok(stored) => uboot::ready(&stored.env.vars).map_err(refuse).err(),
        Err(error) => (others || Stored::is_blank(sysroot, &config)).then_some(error),
    }
}

fn config(scene: &Scene<'_>) -> Result<rootling_boot::Result<EnvConfig>> {
    let fw_env = scene.root.join(FW_ENV);
    let text = match fs::read(&fw_env) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        read => read.map_err(Error::io("read", &fw_env))?,
    };
    let mut config = EnvConfig::parse(&String::from_utf8_lossy(&text));
    if let Ok(EnvConfig { first, second }) = &mut config {
        for area in [Some(first), second.as_mut()].into_iter().flatten() {
            area.device = follow(scene.sysroot, &area.device);
        }
    }
    Ok(config)
}

/// What a device or a file below the sysroot leads to: a rename over a link would leave what U-Boot reads as it was.
fn follow(sysroot: &Path, device: &str) -> String {
    let mut device = device.to_string();
    // as many links as Linux follows
    for _ in 0..40 {
        if device.starts_with("/dev/") {
            break;
        }
        device = device.trim_start_matches('/').to_string();
        let Ok(target) = fs::read_link(sysroot.join(&device)) else { break };
        device = Path::new(&device).with_file_name(target).to_string_lossy().into_owned();
    }
    device
}

impl Family for UBoot {
    fn promises(&self, sysroot: &Path) -> Result<Promises> {
        let stored = Stored::read(sysroot, self.config()?)?;
        let promises = uboot::promises(&stored.medium());
        Ok(match uboot::ready(&stored.env.vars) {
            Ok(()) => promises,
            Err(_) => Promises { loader: "u-boot without altbootcmd", counting: Counting::Never, ..promises },
        })
    }

    fn trial(&self, sysroot: &Sysroot, _: &Armed) -> Result<Trial> {
        Ok(uboot::trial(&Stored::read(&sysroot.path, self.config()?)?.env))
    }

    fn reach(&self, sysroot: &Path) -> Result<()> {
        Stored::reach(sysroot, self.config()?)
    }

    fn files(&self, list: &mut Listed<'_>) -> Result<Vec<(&'static str, String)>> {
        if let (Try::FallBack, Some(first)) = (list.what, list.entries.first().cloned()) {
            // until the counting ends, altbootcmd boots what is second
            list.entries.insert(1, first);
        }
        let own = list.first.as_ref().map(|first| first.join("usr/lib/ostree-boot/uEnv.txt"));
        let own = own.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let is_tried = list.trial.is_some();
        let mut files = vec![(uboot::UENV, uboot::uenv(&list.entries, is_tried, &own).map_err(refuse)?)];
        if list.sysroot.join(EXTLINUX).is_symlink() {
            files.push((EXTLINUX_MENU, uboot::extlinux(&list.entries, is_tried, 5)));
        }
        Ok(files)
    }

    fn change(&self, sysroot: &Locked, asked: &Asked<'_>, plan: Plan) -> Result<Change> {
        if asked.what == Try::Keep {
            // a list that ends no trial asks nothing of the environment
            return Ok(plan.into());
        }
        let stored = self.config().and_then(|config| Stored::read(&sysroot.path, config));
        let stored = match (stored, asked.what) {
            (Ok(stored), _) => stored,
            (Err(error), Try::Arm { .. }) => return Err(error),
            // the board's variables are lost, and nobody here knows them; the list says what boots without it
            (Err(_), _) => return Ok(plan.into()),
        };
        let (env, medium) = (&stored.env, stored.medium());
        let changed = match asked.what {
            Try::Arm { tries, anyway } => uboot::arm(env, &medium, plan, tries, anyway),
            Try::FallBack => uboot::fall_back(env, &medium).map(|change| change.before(plan)),
            _ => uboot::confirm(env, &medium).map(|change| change.before(plan)),
        };
        changed.map_err(refuse)
    }

    fn settle(&self, sysroot: &Locked) -> Result<bool> {
        if Armed::read(&sysroot.path)?.is_some() {
            return Ok(false);
        }
        match self.config().and_then(|config| Stored::read(&sysroot.path, config)) {
            // nothing is on trial, so nobody needs it now
            Err(error) => crate::warn!("whether U-Boot counts is not known: {error}"),
            Ok(stored) if uboot::trial(&stored.env) == Trial::None => {}
            Ok(stored) => {
                sysroot.apply(&uboot::confirm(&stored.env, &stored.medium()).map_err(refuse)?)?;
            }
        }
        Ok(false)
    }

    fn install(&self, sysroot: &mut Locked, _: u32) -> Result<()> {
        uboot::ready(&Stored::read(&sysroot.path, self.config()?)?.env.vars).map_err(refuse)?;
        sysroot.take_into_use("boot", &Change::link("loader/uEnv.txt", UENV))
    }

    fn apply(&self, sysroot: &Path, step: &Step) -> Result<()> {
        if let Step::Overwrite { path, offset, bytes } = step {
            let path = sysroot.join(path);
            if flash::overwrite(&apply::open(&path)?, &path, *offset, bytes)? {
                // a character device, which knows no sync: a write is durable when it returns
                return Ok(());
            }
        }
        apply::apply(sysroot, step)?;
        if let (Step::Disk(DiskStep::Sync), Ok(EnvConfig { first: Area { device, .. }, .. })) =
            (step, &self.0)
            && let Some(folder) = Path::new(device).parent()
            && !device.starts_with('/')
        {
            // it may be on a file system of its own, which nothing else of this program is on
            let folder = sysroot.join(folder);
            if folder.is_dir() && !same_file_system(&folder, &sysroot.join("boot"))? {
                sync_whole(&folder)?;
            }
        }
        Ok(())
    }

    fn own_files(&self) -> &'static [&'static str] {
        &["uEnv.txt", "extlinux/extlinux.conf", "loader/uEnv.txt", "loader/extlinux.conf"]
    }
}
