//! The plans of GRUB: every change is one write over the environment block in place.
//!
//! ```text
//! arm        the list with its trial is made ready (crate::plan), rootling_try=ID:TRIES, THEN the list is swapped in
//! confirm    likewise: rootling_try=ID:good, THEN the same list without a trial in its menu
//! fall back  likewise: rootling_try=ID:0, THEN the list is swapped back
//! ```
//! Between the two steps of arming the confirmed entry boots: the menu has no trial yet, and what the environment said of
//! an earlier one with the same name is gone. The variable stands first in the block, so the first sector, written as one, holds all of it.

use super::grubenv::GrubEnv;
use crate::Result;
use crate::loader::{Change, Counting, MAX_TRIES, Promises, Trial, TrialId};
use crate::plan::Plan;

/// Where the configuration is, below the sysroot.
pub const CONFIG: &str = "boot/grub/grub.cfg";
/// Where the environment block is, below the sysroot.
pub const ENV: &str = "boot/grub/grubenv";
/// The menu's name in a loader folder.
pub const MENU: &str = "grub.cfg";

const TRY: &str = "rootling_try";
const GOOD: &str = "good";

/// What GRUB promises with the configuration of this crate.
pub const PROMISES: Promises = Promises {
    loader: "grub",
    counting: Counting::UpTo(MAX_TRIES),
    torn: None,
    note: Some("grubenv has to be a plain file on a disk that GRUB can write: no btrfs, LVM or RAID"),
};

/// Takes GRUB into use: a new environment and the configuration; what boots changes with the last rename.
pub fn install(timeout_s: u32) -> Result<Change> {
    let mut change = new_env()?;
    change.replace(CONFIG, super::config(timeout_s).into_bytes());
    Ok(change)
}

/// A new environment in the place of one that is lost.
pub fn new_env() -> Result<Change> {
    let mut change = Change::default();
    change.replace(ENV, GrubEnv::default().encode()?);
    Ok(change)
}

/// Puts the first entry of a list on trial; `swap` swaps in the list, whose menu names the trial.
pub fn arm(env: &GrubEnv, swap: Plan, new: &TrialId, tries: u32) -> Result<Change> {
    PROMISES.allow(tries, false)?;
    let mut change = Change::default();
    // a full block that has no room for the end of the trial would never be confirmed
    write(&mut change, env, new, GOOD)?;
    change.steps.clear();
    write(&mut change, env, new, &tries.to_string())?;
    Ok(change.before(swap))
}

/// Makes the entry on trial the one that boots from now on; `swap` swaps in the same list without a trial.
///
/// After that the environment does not matter until the next trial.
pub fn confirm(env: &GrubEnv, new: &TrialId, swap: Plan) -> Result<Change> {
    let mut change = Change::default();
    write(&mut change, env, new, GOOD)?;
    Ok(change.before(swap))
}

/// Ends the trial: the confirmed entry boots from now on, before and after `swap` takes the new one off the list.
pub fn fall_back(env: &GrubEnv, new: &TrialId, swap: Plan) -> Result<Change> {
    let mut change = Change::default();
    write(&mut change, env, new, "0")?;
    Ok(change.before(swap))
}

/// How it stands with a trial.
pub fn trial(env: &GrubEnv, new: &TrialId) -> Trial {
    let value = env.get(TRY).unwrap_or_default();
    match value.strip_prefix(new.as_str()).and_then(|rest| rest.strip_prefix(':')) {
        Some(GOOD) | None => Trial::None,
        Some(left) => match left.parse() {
            Ok(0) | Err(_) => Trial::Spent,
            Ok(left) => Trial::Left(left),
        },
    }
}

fn write(change: &mut Change, env: &GrubEnv, new: &TrialId, state: &str) -> Result<()> {
    let mut env = env.clone();
    env.set_first(TRY, &format!("{new}:{state}"))?;
    change.overwrite(ENV, 0, env.encode()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::loader::Step;
    use crate::plan::BootVersion;

    fn written(change: &Change) -> GrubEnv {
        let bytes = change.steps.iter().find_map(|s| match s {
            Step::Overwrite { path, offset: 0, bytes } if path == ENV => Some(bytes),
            _ => None,
        });
        GrubEnv::decode(bytes.unwrap()).unwrap()
    }

    fn nothing() -> Plan {
        Plan { steps: Vec::new(), after: BootVersion::default(), is_swap: true }
    }

    #[test]
    fn each_verb_is_read_back() {
        let (env, new) = (GrubEnv::default(), TrialId::parse("b.0").unwrap());
        assert_eq!(trial(&env, &new), Trial::None);
        let armed = written(&arm(&env, nothing(), &new, 3).unwrap());
        assert_eq!(trial(&armed, &new), Trial::Left(3));
        assert_eq!(trial(&armed, &TrialId::parse("c.0").unwrap()), Trial::None);
        assert_eq!(trial(&written(&confirm(&armed, &new, nothing()).unwrap()), &new), Trial::None);
        assert_eq!(trial(&written(&fall_back(&armed, &new, nothing()).unwrap()), &new), Trial::Spent);
        assert!(matches!(arm(&env, nothing(), &new, 10), Err(Error::Promise { .. })));
    }

    #[test]
    fn what_could_never_be_confirmed_is_not_armed() {
        let (mut env, new) = (GrubEnv::default(), TrialId::parse("b.0").unwrap());
        let free = env.encode().unwrap().iter().rev().take_while(|b| **b == b'#').count();
        let rest = "a=\n".len() + format!("{TRY}={new}:3\n").len();
        env.set("a", &"x".repeat(free - rest)).unwrap();
        assert_eq!(arm(&env, nothing(), &new, 3).unwrap_err(), confirm(&env, &new, nothing()).unwrap_err());
    }

    #[test]
    fn the_state_is_in_the_first_sector_of_a_full_block() {
        let mut env = GrubEnv::default();
        env.set("saved_entry", &"x".repeat(700)).unwrap();
        let new = TrialId::parse(&format!("{}.0", "ab".repeat(32))).unwrap();
        let bytes = written(&arm(&env, nothing(), &new, 3).unwrap()).encode().unwrap();
        let needle = format!("{TRY}={new}:3\n");
        let at = bytes.windows(needle.len()).position(|w| w == needle.as_bytes()).unwrap();
        assert!(at + needle.len() <= 512, "ends at {}", at + needle.len());
    }
}
