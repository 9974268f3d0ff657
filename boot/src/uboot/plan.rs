//! The plans of U-Boot: the environment counts, the list is swapped with the loader link.
//!
//! ```text
//! arm        the list made ready (crate::plan), environment: bootcount=0 bootlimit=TRIES upgrade_available=1, THEN the list swapped in
//! confirm    likewise, environment: upgrade_available=0 bootcount=0
//! fall back  environment: the tries used up, the list swapped back, THEN upgrade_available=0
//!            without altbootcmd: upgrade_available=0, THEN the list
//! ```
//! U-Boot counts whatever boots, so the counter comes first: the new system never boots without it. A cut between
//! the two leaves the old system counted until its own `confirm`.
//!
//! Where the environment lies decides what a cut during its writing does: two copies, and a file replaced by
//! rename, are old or new; one copy on a raw device may be neither, and U-Boot then runs its built-in commands.

use super::bootcount;
use super::config::{Area, EnvConfig, Start};
use super::env::{Chosen, Environment, Flags};
use super::vars::Vars;
use crate::Result;
use crate::error::Error;
use crate::loader::{Change, Counting, MAX_TRIES, Promises, Step, Trial};
use crate::plan::{Plan, Step as DiskStep};

/// What extlinux.conf alone promises.
pub const EXTLINUX_PROMISES: Promises = Promises {
    loader: "extlinux.conf alone",
    counting: Counting::Never,
    torn: None,
    note: Some("with bootcount and altbootcmd in U-Boot it would fall back"),
};

/// Where an environment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium<'a> {
    /// A file, at its path below the sysroot: replaced by rename.
    File(&'a str),
    /// One or two raw areas of devices of these lengths.
    Raw {
        /// Where they are.
        config: &'a EnvConfig,
        /// Length of the first device in bytes, and of the second.
        lengths: (u64, u64),
        /// How two copies are told apart.
        flags: Flags,
    },
}

/// What U-Boot promises with its environment there.
pub fn promises(medium: &Medium) -> Promises {
    let torn = match medium {
        Medium::Raw { config, .. } if config.second.is_none() => {
            Some("the environment has one copy on a raw device")
        }
        _ => None,
    };
    Promises {
        loader: "u-boot",
        counting: Counting::UpTo(MAX_TRIES),
        torn,
        note: Some("needs BOOTCOUNT_ENV in U-Boot, and an altbootcmd that boots the second deployment"),
    }
}

/// Counts from now on, then swaps in the list; `anyway` where the medium is not safe.
pub fn arm(env: &Environment, medium: &Medium, swap: Plan, tries: u32, anyway: bool) -> Result<Change> {
    promises(medium).allow(tries, anyway)?;
    bootcount::ready(&env.vars)?;
    let mut vars = env.vars.clone();
    bootcount::count_from_now(&mut vars, tries)?;
    let mut change = Change::default();
    write(&mut change, env, medium, &vars)?;
    Ok(change.before(swap))
}

/// Stops counting.
pub fn confirm(env: &Environment, medium: &Medium) -> Result<Change> {
    let mut vars = env.vars.clone();
    bootcount::stop(&mut vars)?;
    let mut change = Change::default();
    write(&mut change, env, medium, &vars)?;
    Ok(change)
}

/// Has the next boot take the second deployment.
///
/// Once the list is swapped back as well, `confirm` of the environment as it is then stops the counting. One that has lost its
/// `altbootcmd` stops it at once: U-Boot would wait at its prompt.
pub fn fall_back(env: &Environment, medium: &Medium) -> Result<Change> {
    if bootcount::ready(&env.vars).is_err() {
        return confirm(env, medium);
    }
    let mut vars = env.vars.clone();
    bootcount::use_up(&mut vars)?;
    let mut change = Change::default();
    write(&mut change, env, medium, &vars)?;
    Ok(change)
}

/// How it stands.
pub fn trial(env: &Environment) -> Trial {
    bootcount::trial(&env.vars)
}

fn write(change: &mut Change, env: &Environment, medium: &Medium, vars: &Vars) -> Result<()> {
    match medium {
        Medium::File(path) => {
            if env.chosen != Chosen::Only {
                return Err(Error::malformed("u-boot environment", "one copy in a file", "two copies"));
            }
            change.replace(path, env.encode(vars, Flags::Increment)?);
        }
        Medium::Raw { config, lengths, flags } => raw(change, env, config, *lengths, *flags, vars)?,
    }
    Ok(())
}

fn raw(
    change: &mut Change,
    env: &Environment,
    config: &EnvConfig,
    lengths: (u64, u64),
    flags: Flags,
    vars: &Vars,
) -> Result<()> {
    let copy = env.encode(vars, flags)?;
    let no_second = || Error::malformed("fw_env.config", "a line for each copy", "one line");
    let (area, length, used) = match (env.chosen, &config.second) {
        (Chosen::Only, None) => (&config.first, lengths.0, None),
        (Chosen::First, Some(second)) => (second, lengths.1, Some((&config.first, lengths.0))),
        (Chosen::Second, Some(second)) => (&config.first, lengths.0, Some((second, lengths.1))),
        _ => return Err(no_second()),
    };
    change.overwrite(&area.device, offset(area, length)?, copy);
    if let (Flags::Boolean, Some((old, length))) = (flags, used) {
        // on NOR the copy in use until now is marked as obsolete, a write that needs no erasing
        let at = offset(old, length)?.checked_add(4);
        let at = at.ok_or_else(|| {
            Error::malformed("fw_env.config", "an offset on the device", old.device.clone())
        })?;
        change.steps.push(Step::Overwrite { path: old.device.clone(), offset: at, bytes: vec![0] });
        change.disk(DiskStep::Sync);
    }
    Ok(())
}

/// Where an area begins on a device of this length; it has to lie on it as a whole.
fn offset(area: &Area, length: u64) -> Result<u64> {
    let start = match area.start {
        Start::FromStart(offset) => Some(offset),
        Start::FromEnd(back) => length.checked_sub(back),
    };
    let size = u64::try_from(area.size).unwrap_or(u64::MAX);
    let fits = |start: &u64| start.checked_add(size).is_some_and(|end| end <= length);
    start.filter(fits).ok_or_else(|| {
        let got = format!("{:?} and {size} bytes on {} of {length}", area.start, area.device);
        Error::malformed("fw_env.config", "an area on the device", got)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> EnvConfig {
        EnvConfig::parse(text).unwrap()
    }

    #[test]
    fn refuses_one_raw_copy_unless_told_so() {
        let config = config("/dev/mtd0 0 0x100\n");
        let medium = Medium::Raw { config: &config, lengths: (4096, 0), flags: Flags::Increment };
        assert!(
            promises(&medium).allow(3, false).unwrap_err().to_string().contains("one copy on a raw device")
        );
        assert!(promises(&medium).allow(3, true).is_ok());
        assert!(promises(&Medium::File("boot/uboot.env")).allow(3, false).is_ok());
    }

    #[test]
    fn an_area_lies_on_its_device() {
        for (text, length, want) in [
            ("/d 0x10 0x100\n", 0x110, Some(0x10)),
            ("/d 0x10 0x100\n", 0x10f, None),
            ("/d -0x100 0x100\n", 0x1000, Some(0xf00)),
            ("/d -0x80 0x100\n", 0x1000, None),
            ("/d -0x2000 0x100\n", 0x1000, None),
            ("/d 0xffffffffffffffff 0x100\n", u64::MAX, None),
        ] {
            assert_eq!(offset(&config(text).first, length).ok(), want, "{text}");
        }
    }
}
