//! The scenarios, step by step.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};

use super::stage::{BOOTS, Stage, TRIES, same};
use super::{Scenario, fat_env, full_disk, memory, take_over, watchdog};
use crate::machine::marker::Booted;

/// Seconds until a guest on trial whose device program does not start gives up.
const DEADLINE_S: u32 = 20;
/// Seconds from the start of the deadline to what the guest says of its boot, at most.
const STARTED_S: u32 = 5;
/// Cuts of the power before the update is let through.
const CUTS: u64 = 4;
/// An update takes about so long on an emulated machine.
const LONGEST_MS: u64 = 8000;

/// Plays one.
pub fn play(scenario: Scenario, stage: &mut Stage) -> Result<()> {
    stage.arrives(&stage.base.clone(), false)?;
    if scenario != Scenario::TakeOver {
        stage.name_server()?;
    }
    match scenario {
        Scenario::Upgrade => upgrade(stage),
        Scenario::Panic if !stage.path.loader.counts() => refused(stage, "panics"),
        Scenario::Panic => falls_back(stage, "panics", 0),
        Scenario::NoKernel => no_kernel(stage),
        Scenario::FailedCheck if !stage.path.loader.counts() => fails_uncounted(stage),
        Scenario::FailedCheck => falls_back(stage, "failed-check", 0),
        Scenario::DeadAgent if !stage.path.loader.counts() => refused(stage, "dead-agent"),
        Scenario::DeadAgent => dead_agent(stage),
        Scenario::Rollback => rollback(stage),
        Scenario::Chain => chain(stage),
        Scenario::PowerCut => power_cut(stage),
        Scenario::FullDisk => full_disk::play(stage),
        Scenario::Memory => memory::play(stage),
        Scenario::TakeOver => take_over::play(stage),
        Scenario::Watchdog => watchdog::play(stage),
        Scenario::FatEnv => fat_env::play(stage, false),
        Scenario::FatEnvRenamed => fat_env::play(stage, true),
    }
}

fn upgrade(stage: &mut Stage) -> Result<()> {
    let new = stage.publish("good-2")?;
    let command = stage.upgrade();
    stage.machine.expect(&command, 0)?;
    // what is written after the update was deployed comes along at shutdown
    stage.machine.expect("echo late >/etc/guest.late", 0)?;
    stage.proves_itself(&new)?;
    stage.machine.expect("grep -x late /etc/guest.late", 0)?;
    // and it stays
    stage.machine.reboot()?;
    stage.arrives(&new, false)?;
    stage.machine.expect("rootling upgrade", 77)?;
    Ok(())
}

/// The loader gives the update its tries, then boots what was confirmed, with no help of the update.
fn falls_back(stage: &mut Stage, name: &str, least_s: u32) -> Result<()> {
    let bad = stage.publish(name)?;
    stage.machine.expect(&format!("rootling upgrade --tries={TRIES}"), 0)?;
    is_given_up(stage, name, &bad, least_s)
}

/// GRUB boots the confirmed system at once where it cannot load what it tries, which is no try more.
fn no_kernel(stage: &mut Stage) -> Result<()> {
    // with another initramfs, so that its boot files are its own
    let bad = stage.publish("good-3")?;
    let command = stage.upgrade();
    stage.machine.expect(&command, 0)?;
    let first =
        "$(sed -n 's|^ *linux \\(/boot\\)\\?\\([^ ]*\\).*|/boot\\2|p' /boot/loader/grub.cfg | head -n 1)";
    stage.machine.expect(&format!("kernel={first}; test -s $kernel && echo junk >$kernel"), 0)?;
    stage.stays()?;
    stage.is_denied(&bad)
}

/// What was armed has its tries, each of them so many seconds at least, and is not tried again by itself.
pub fn is_given_up(stage: &mut Stage, name: &str, bad: &str, least_s: u32) -> Result<()> {
    stage.machine.reboot()?;
    for _ in 0..TRIES {
        match name {
            "panics" => stage.machine.panics()?,
            _ => {
                let booted = stage.machine.booted()?;
                same(&booted, bad, true)?;
                let took = stage.machine.gives_up()?.as_secs();
                ensure!(
                    took >= least_s.into(),
                    "{name}: expected a restart after {least_s} s at least, got {took} s"
                );
            }
        }
    }
    let base = stage.base.clone();
    stage.arrives(&base, false)?;
    stage.is_denied(bad)
}

/// The deadline of `rootling.init`, outside of the device program, ends each try; /etc carries it to the new system.
fn dead_agent(stage: &mut Stage) -> Result<()> {
    stage.machine.expect(&format!("echo DEADLINE={DEADLINE_S} >/etc/default/rootling"), 0)?;
    falls_back(stage, "dead-agent", DEADLINE_S - STARTED_S)
}

/// Without counting a trial is refused, and nothing changes.
fn refused(stage: &mut Stage, name: &str) -> Result<()> {
    stage.publish(name)?;
    stage.refuses(&format!("rootling upgrade --tries={TRIES}"), 1, "--tries=0", BOOTS)?;
    stage.stays()
}

/// Armed although nothing counts: the failed check itself takes the update off the menu.
fn fails_uncounted(stage: &mut Stage) -> Result<()> {
    let bad = stage.publish("failed-check")?;
    stage.machine.expect("rootling upgrade --tries=0", 0)?;
    stage.machine.expect("rootling boot arm --tries=1 --anyway", 0)?;
    stage.machine.reboot()?;
    let booted = stage.machine.booted()?;
    same(&booted, &bad, true)?;
    stage.machine.gives_up()?;
    let base = stage.base.clone();
    stage.arrives(&base, false)?;
    stage.is_denied(&bad)
}

fn rollback(stage: &mut Stage) -> Result<()> {
    let new = stage.publish("good-2")?;
    stage.updates_to(&new)?;
    stage.machine.expect("rootling rollback", 0)?;
    stage.stays()
}

/// Whatever moment the power goes at, the old or the new system boots, and the update gets there in the end.
fn power_cut(stage: &mut Stage) -> Result<()> {
    let new = stage.publish("good-2")?;
    for cut in 1..=CUTS {
        let moment = moment(cut);
        stage.machine.begin(&stage.upgrade())?;
        stage.machine.pass(moment)?;
        stage.machine.cut_power()?;
        let booted = stage.machine.booted()?;
        let is_new = survived(&booted, &stage.base, &new, stage.path.loader.counts())?;
        stage.machine.ready()?;
        let which = if is_new { "new" } else { "old" };
        stage.machine.measured(format!(
            "power cut {} ms into an upgrade: the {which} system boots",
            moment.as_millis()
        ));
        if is_new {
            stage.is_confirmed()?;
            stage.machine.reboot()?;
            return stage.arrives(&new, false);
        }
    }
    stage.updates_to(&new)
}

/// Whether the new system boots after a cut, which is a try where boots are counted; an error if neither does.
fn survived(booted: &Booted, old: &str, new: &str, counts: bool) -> Result<bool> {
    if booted.commit == new {
        return same(booted, new, counts).map(|()| true);
    }
    same(booted, old, false).with_context(|| format!("or {new}")).map(|()| false)
}

/// A random moment of an update; the first cuts come early, while there is most to interrupt.
fn moment(cut: u64) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(u64::from(now.subsec_micros()) % (LONGEST_MS * cut / CUTS))
}

fn chain(stage: &mut Stage) -> Result<()> {
    for name in ["good-2", "good-3"] {
        let new = stage.publish(name)?;
        stage.updates_to(&new)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_cut_the_new_system_is_a_try_and_the_old_one_is_none() {
        let booted = |commit: &str, on_trial| Booted {
            commit: commit.into(),
            deployment: format!("{commit}.0"),
            on_trial,
        };
        for (commit, on_trial, counts, want) in [
            ("new", true, true, Some(true)),
            ("new", false, false, Some(true)),
            ("old", false, true, Some(false)),
            ("new", false, true, None),
            ("old", true, true, None),
            ("other", false, true, None),
        ] {
            let got = survived(&booted(commit, on_trial), "old", "new", counts).ok();
            assert_eq!(got, want, "{commit} on trial: {on_trial}, counts: {counts}");
        }
    }
}
