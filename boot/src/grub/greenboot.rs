//! GRUB as some distributions ship it: their grub.cfg counts `boot_counter` down while `boot_success` is 0.
//!
//! ```text
//! boot_success  1: proved; 0: not yet
//! boot_counter  tries left; when it is 0 or -1, the entry at place 1 boots, and it becomes -1
//! ```
//! That configuration counts whatever boots, so the order is the other way round than ours: counter first, list
//! second; the new system never boots without being counted. A cut between the two leaves the old system counted,
//! until its own `confirm`. Source: greenboot's `grub2/08_greenboot.cfg`.

use super::grubenv::GrubEnv;
use crate::Result;
use crate::loader::{Change, Counting, MAX_TRIES, Promises, Trial};
use crate::plan::Plan;

const COUNTER: &str = "boot_counter";
const SUCCESS: &str = "boot_success";

/// What GRUB promises with a configuration that counts for greenboot.
pub const PROMISES: Promises = Promises {
    loader: "grub with greenboot's counter",
    counting: Counting::UpTo(MAX_TRIES),
    torn: None,
    note: Some("boot_success has one owner: greenboot's own set-success unit has to be off"),
};

/// Counts from now on, then swaps in the list.
pub fn arm(path: &str, env: &GrubEnv, swap: Plan, tries: u32) -> Result<Change> {
    PROMISES.allow(tries, false)?;
    let mut change = Change::default();
    write(&mut change, path, env, "0", Some(tries))?;
    Ok(change.before(swap))
}

/// Stops counting.
pub fn confirm(path: &str, env: &GrubEnv) -> Result<Change> {
    let mut change = Change::default();
    write(&mut change, path, env, "1", None)?;
    Ok(change)
}

/// Makes the next boot fall back, then swaps the list back and stops counting.
pub fn fall_back(path: &str, env: &GrubEnv, swap: Plan) -> Result<Change> {
    let mut change = Change::default();
    write(&mut change, path, env, "0", Some(0))?;
    change = change.before(swap);
    write(&mut change, path, env, "1", None)?;
    Ok(change)
}

/// How it stands.
pub fn trial(env: &GrubEnv) -> Trial {
    let counter = env.get(COUNTER).and_then(|text| text.parse::<i32>().ok());
    match (env.get(SUCCESS).as_deref(), counter) {
        (Some("0"), Some(left)) => match u32::try_from(left) {
            Ok(left) if left > 0 => Trial::Left(left),
            _ => Trial::Spent,
        },
        _ => Trial::None,
    }
}

fn write(change: &mut Change, path: &str, env: &GrubEnv, success: &str, counter: Option<u32>) -> Result<()> {
    let mut env = env.clone();
    env.unset(COUNTER);
    env.unset(SUCCESS);
    if let Some(counter) = counter {
        env.set_first(COUNTER, &counter.to_string())?;
    }
    env.set_first(SUCCESS, success)?;
    change.overwrite(path, 0, env.encode()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_distribution_left() {
        for (success, counter, want) in [
            (None, None, Trial::None),
            (Some("1"), None, Trial::None),
            (Some("1"), Some("2"), Trial::None),
            (Some("0"), None, Trial::None),
            (Some("0"), Some("2"), Trial::Left(2)),
            (Some("0"), Some("0"), Trial::Spent),
            (Some("0"), Some("-1"), Trial::Spent),
            (Some("0"), Some("x"), Trial::None),
        ] {
            let mut env = GrubEnv::default();
            for (name, value) in [(SUCCESS, success), (COUNTER, counter)] {
                value.into_iter().for_each(|value| env.set(name, value).unwrap());
            }
            assert_eq!(trial(&env), want, "{success:?} {counter:?}");
        }
    }
}
