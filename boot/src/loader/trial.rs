//! A trial: what is tried, how often it still is, and what a boot says about it.

use crate::Result;
use crate::entry::Entry;
use crate::error::Error;
use crate::kargs::KernelArgs;
use std::fmt;

/// The most tries that any loader here is asked for: one digit, for the ladders that count without arithmetic.
pub const MAX_TRIES: u32 = 9;

/// Seconds after which the kernel of a tried entry reboots when it panics; without it a panic is no failed try.
pub const PANIC_S: u32 = 10;

/// The argument of an entry on trial that outlasts no confirm: by it a deadline knows the boot of a try.
pub const TRIAL_ARG: &str = "rootling.trial";

/// The name of what is on trial: a deployment's `CHECKSUM.SERIAL`.
///
/// Only characters that mean nothing to GRUB, U-Boot or a FAT file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialId(String);

impl TrialId {
    /// Takes a deployment's name.
    pub fn parse(name: &str) -> Result<TrialId> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-' || b == b'_';
        if name.is_empty() || name.len() > 80 || !name.bytes().all(plain) {
            return Err(Error::malformed("trial", "1 to 80 of A-Z a-z 0-9 . - _", name));
        }
        Ok(TrialId(name.to_string()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a loader's state says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// Nothing is on trial.
    None,
    /// The next boot is a try, and so many are left, that one included.
    Left(u32),
    /// All tries are used up: the loader falls back, or has done so.
    Spent,
    /// Another program made it good before its checks: it is armed, and the loader counts no longer.
    Blessed,
}

/// What a boot proved, decided from facts and never from a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was armed.
    Nothing,
    /// The armed system runs: confirm it when its health checks pass.
    OnTrial,
    /// Another system than the armed one runs, and the loader has had a try: the armed one failed.
    FellBack,
    /// Another system runs, but the loader never tried the armed one or lost its state: arm again.
    NotTriedYet,
}

/// Compares the booted deployment with the armed one; `asked` is how many tries it was armed with.
pub fn outcome(booted: &str, armed: Option<&TrialId>, asked: u32, trial: Trial) -> Outcome {
    match (armed, trial) {
        (None, _) => Outcome::Nothing,
        (Some(armed), _) if armed.as_str() == booted => Outcome::OnTrial,
        (Some(_), Trial::None | Trial::Blessed) => Outcome::NotTriedYet,
        (Some(_), Trial::Left(left)) if left >= asked => Outcome::NotTriedYet,
        (Some(_), _) => Outcome::FellBack,
    }
}

/// The entry of what is on trial, in a list that a confirm writes anew without it.
pub fn tried_entry(entry: &Entry) -> Entry {
    with_args(entry, true)
}

/// An entry whose panic ends in a reboot, whether or not it is on trial.
pub fn rebooting_entry(entry: &Entry) -> Entry {
    with_args(entry, false)
}

fn with_args(entry: &Entry, is_tried: bool) -> Entry {
    let mut entry = entry.clone();
    let mut args = KernelArgs::parse(entry.get("options").unwrap_or_default());
    if is_tried {
        args.append_if_missing(TRIAL_ARG);
    }
    // of several the kernel takes the last, and 0 waits for ever
    if matches!(args.last("panic"), None | Some("" | "0")) {
        args.append(&format!("panic={PANIC_S}"));
    }
    entry.set("options", &args.to_string());
    entry
}

/// Takes what [`tried_entry`] added out of the arguments; answers whether there was anything.
pub fn remove_trial(args: &mut KernelArgs) -> bool {
    args.remove_with_next(TRIAL_ARG, &format!("panic={PANIC_S}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decides_from_facts() {
        let new = TrialId::parse("b.0").unwrap();
        for (booted, armed, trial, want) in [
            ("a.0", None, Trial::Spent, Outcome::Nothing),
            ("b.0", Some(&new), Trial::Left(2), Outcome::OnTrial),
            ("b.0", Some(&new), Trial::Spent, Outcome::OnTrial),
            ("a.0", Some(&new), Trial::Left(3), Outcome::NotTriedYet),
            ("a.0", Some(&new), Trial::Left(2), Outcome::FellBack),
            ("a.0", Some(&new), Trial::Spent, Outcome::FellBack),
            ("a.0", Some(&new), Trial::None, Outcome::NotTriedYet),
            ("a.0", Some(&new), Trial::Blessed, Outcome::NotTriedYet),
            ("b.0", Some(&new), Trial::Blessed, Outcome::OnTrial),
        ] {
            assert_eq!(outcome(booted, armed, 3, trial), want, "{booted} {armed:?} {trial:?}");
        }
    }

    #[test]
    fn names_mean_nothing_to_a_loader() {
        let long = "a".repeat(81);
        for bad in ["", "a b", "a;b", "$x", "a'", "a\n", "a=b", "a/b", &long] {
            assert!(TrialId::parse(bad).is_err(), "{bad:?}");
        }
        let real = format!("{}.0", "ab".repeat(32));
        assert_eq!(TrialId::parse(&real).unwrap().to_string(), real);
    }

    #[test]
    fn a_panic_ends_in_a_reboot_and_a_try_is_marked() {
        for (args, tried, rebooting) in [
            ("quiet", "quiet rootling.trial panic=10", "quiet panic=10"),
            ("panic=1 rw", "panic=1 rw rootling.trial", "panic=1 rw"),
            ("panic=-1", "panic=-1 rootling.trial", "panic=-1"),
            ("panic=0 rw", "panic=0 rw rootling.trial panic=10", "panic=0 rw panic=10"),
            ("panic=1 panic=0", "panic=1 panic=0 rootling.trial panic=10", "panic=1 panic=0 panic=10"),
            ("panic", "panic rootling.trial panic=10", "panic panic=10"),
        ] {
            let entry = Entry::parse(&format!("options {args}\n"));
            assert_eq!(tried_entry(&entry).get("options"), Some(tried));
            assert_eq!(rebooting_entry(&entry).get("options"), Some(rebooting));
            let mut read = KernelArgs::parse(tried);
            assert!(remove_trial(&mut read) && !remove_trial(&mut KernelArgs::parse(rebooting)));
            assert_eq!(read.to_string(), args);
        }
    }
}
