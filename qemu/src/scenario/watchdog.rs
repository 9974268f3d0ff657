//! A watchdog that `rootling-prepare-root` starts: it ends the tries of an update in which nothing else acts, and a good
//! update lets it go.

use anyhow::Result;

use super::stage::{Stage, TRIES};
use super::steps::is_given_up;

/// Seconds until the machine is reset: not the driver's own 30, and more than the kernel and the checks of a good update
/// take on an emulated machine.
const RESET_S: u32 = 60;
/// Seconds from the start of the watchdog to what the guest says of its boot, at most.
const STARTED_S: u32 = 20;
/// Seconds until the deadline outside of the device program, which is to come too late.
const DEADLINE_S: u32 = 3600;

/// Plays it.
pub fn play(stage: &mut Stage) -> Result<()> {
    stage.machine.expect(&format!("echo DEADLINE={DEADLINE_S} >/etc/default/rootling"), 0)?;
    let bad = stage.publish("watched-dead")?;
    arm(stage)?;
    is_given_up(stage, "watched-dead", &bad, RESET_S - STARTED_S)?;

    let good = stage.publish("watched")?;
    arm(stage)?;
    stage.proves_itself(&good)?;
    // let go: else this would be the last of it
    stage.machine.expect("grep -x 'i6300ESB timer' /sys/class/watchdog/watchdog0/identity", 0)?;
    stage.machine.expect(&format!("grep -x {RESET_S} /sys/class/watchdog/watchdog0/timeout"), 0)?;
    stage.machine.expect(&format!("sleep {}", RESET_S + STARTED_S), 0)?;
    stage.machine.reboot()?;
    stage.arrives(&good, false)?;
    stage.machine.expect(&format!("sleep {}", RESET_S + STARTED_S), 0).map(drop)
}

/// Deploys what is published, with the argument that starts the watchdog.
fn arm(stage: &mut Stage) -> Result<()> {
    let name = stage.repo.name().to_owned();
    stage.machine.expect(&format!("rootling pull origin {name}"), 0)?;
    let karg = format!("--karg=rootling.watchdog={RESET_S}");
    stage.machine.expect(&format!("rootling deploy origin:{name} {karg} --tries={TRIES}"), 0).map(drop)
}
