//! The variables by which U-Boot counts boots.
//!
//! ```text
//! upgrade_available  1: count (BOOTCOUNT_ENV saves only then); 0: do not
//! bootcount          boots since it was last cleared; U-Boot adds one before each boot
//! bootlimit          with bootcount above it, altbootcmd runs instead of bootcmd
//! altbootcmd         has to boot the second deployment of uEnv.txt, the confirmed one
//! ```
//! So with a limit of N the new system has N tries. Source: U-Boot 2023.01 `drivers/bootcount`.

use super::vars::Vars;
use crate::Result;
use crate::error::Error;
use crate::loader::Trial;

const AVAILABLE: &str = "upgrade_available";
const COUNT: &str = "bootcount";
const LIMIT: &str = "bootlimit";
const ALT: &str = "altbootcmd";

/// Whether U-Boot on this device would ever fall back: an error that says what is missing.
pub fn ready(vars: &Vars) -> Result<()> {
    match vars.get(ALT) {
        Some(command) if !command.trim().is_empty() => Ok(()),
        other => Err(Error::malformed(
            "u-boot altbootcmd",
            "a command that boots the second deployment",
            other.unwrap_or("none"),
        )),
    }
}

pub(super) fn count_from_now(vars: &mut Vars, tries: u32) -> Result<()> {
    vars.set(COUNT, "0")?;
    vars.set(LIMIT, &tries.to_string())?;
    vars.set(AVAILABLE, "1")
}

pub(super) fn stop(vars: &mut Vars) -> Result<()> {
    vars.set(COUNT, "0")?;
    vars.set(AVAILABLE, "0")
}

/// More boots counted than there may be, so that the next one is altbootcmd's.
pub(super) fn use_up(vars: &mut Vars) -> Result<()> {
    let limit = vars.number(LIMIT).unwrap_or(1).max(1);
    vars.set(LIMIT, &limit.to_string())?;
    vars.set(COUNT, &limit.saturating_add(1).to_string())?;
    vars.set(AVAILABLE, "1")
}

pub(super) fn trial(vars: &Vars) -> Trial {
    if vars.number(AVAILABLE).unwrap_or(0) == 0 {
        return Trial::None;
    }
    let (count, limit) = (vars.number(COUNT).unwrap_or(0), vars.number(LIMIT).unwrap_or(0));
    match limit.saturating_sub(count) {
        // without a limit U-Boot counts and never acts on it
        _ if limit == 0 => Trial::None,
        0 => Trial::Spent,
        left => Trial::Left(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_u_boot_left() {
        for (text, want) in [
            ("", Trial::None),
            ("upgrade_available=0\0bootcount=2\0bootlimit=3\0", Trial::None),
            ("upgrade_available=1\0bootlimit=3\0", Trial::Left(3)),
            ("upgrade_available=1\0bootcount=1\0bootlimit=3\0", Trial::Left(2)),
            ("upgrade_available=1\0bootcount=3\0bootlimit=3\0", Trial::Spent),
            ("upgrade_available=1\0bootcount=4\0bootlimit=3\0", Trial::Spent),
            ("upgrade_available=1\0bootcount=9\0", Trial::None),
            ("upgrade_available=1\0bootcount=x\0bootlimit=2\0", Trial::Left(2)),
        ] {
            let vars = Vars::decode(format!("{text}\0").as_bytes()).unwrap();
            assert_eq!(trial(&vars), want, "{text:?}");
        }
    }

    #[test]
    fn asks_for_a_way_back() {
        for (data, good) in
            [(&b"\0"[..], false), (b"altbootcmd= \0\0", false), (b"altbootcmd=run x\0\0", true)]
        {
            assert_eq!(ready(&Vars::decode(data).unwrap()).is_ok(), good);
        }
    }
}
