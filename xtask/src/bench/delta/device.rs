//! The device program at work: its memory, alone and in a narrow cgroup, and the instructions it takes.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::cgroup::Cgroup;
use super::repo::{PULL, Published, rootling};
use crate::measure::successful;
use crate::run::line;

/// The group's bytes.
pub const GROUP: u64 = 16 << 20;

/// What an upgrade by delta takes on the device.
#[derive(Clone, Copy, Debug)]
pub struct Device {
    /// Peak RSS of `rootling upgrade`, in bytes.
    pub upgrade_rss: u64,
    /// Peak of the group in which it ran again, page cache and all.
    pub group_peak: u64,
    /// Of the kernel's interface.
    pub group_version: u8,
    /// Instructions of fetch, decode, verify and write.
    pub instructions: u64,
}

/// Upgrades three copies of the device.
pub fn measure(published: &Published<'_>, agent: &Path) -> Result<Device> {
    const UPGRADE: [&str; 2] = ["upgrade", "--require-delta"];
    let device = published.device_copy()?;
    let upgrade_rss = successful(rootling(agent, &device).args(UPGRADE))?.used.peak_rss;
    let device = published.device_copy()?;
    let group = Cgroup::new(GROUP)?;
    let mut upgrade = rootling(agent, &device);
    successful(&mut group.inside(upgrade.args(UPGRADE))).context("in a cgroup of 16 MiB")?;
    let (group_peak, group_version) = (group.peak()?, group.version());
    successful(rootling(agent, &device).arg("fsck")).context("after the upgrade in a cgroup")?;
    let device = published.device_copy()?;
    let mut pull = rootling(agent, &device);
    let instructions = instructions(pull.args(PULL))?;
    Ok(Device { upgrade_rss, group_peak, group_version, instructions })
}

/// As valgrind's callgrind counts them; virtual machines often have no counters for perf.
fn instructions(command: &Command) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    let said = successful(valgrind.arg(command.get_program()).args(command.get_args()))?.stderr;
    collected(&said).with_context(|| format!("{}: expected \"Collected\", got {said}", line(command)))
}

fn collected(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    #[test]
    fn valgrinds_count_is_found() {
        assert_eq!(super::collected("==1== Events    : Ir\n==1== Collected : 123456\n"), Some(123_456));
        assert_eq!(super::collected("==1== nothing\n"), None);
    }
}
