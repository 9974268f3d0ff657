//! An update for which there is no room: refused with the reason, and after room was made it works.

use anyhow::Result;

use super::stage::{BOOTS, Stage};
use crate::path::Loader;

/// The exit code of the device program.
const NO_SPACE: i32 = 5;
/// The one of `boot.0` and `boot.1` by which the guest was booted, and the folder that it is a link to.
const BOOTED_BY: &str = r"$(sed 's|.*ostree=\(/ostree/boot\.[01]\).*|/sysroot\1|' /proc/cmdline)*";
/// Of /boot where it is a partition: the list that boots, and all else but what is left of the one before.
const LIST: &str = "/boot/loader /boot/loader/ $(ls -d /boot/* | grep -v ^/boot/loader)";

/// Plays it: the root up to what only root may use, the root up to the last block with no reserve of the repo, and
/// the partition where kernels lie: the FAT one or that of /boot.
pub fn play(stage: &mut Stage) -> Result<()> {
    // with another initramfs, so that there is something to write
    let new = stage.publish("good-3")?;
    let upgrade = stage.upgrade();
    fill(stage, "/sysroot/filler", "$(($(df -k /sysroot | awk 'END{print $4}') - 1024))k")?;
    stage.refuses(&upgrade, NO_SPACE, "no space on", BOOTS)?;
    let config = "/sysroot/ostree/repo/config";
    stage.machine.expect(
        &format!("cp {config} /run/config; sed -i '/^.core.$/amin-free-space-percent=0' {config}"),
        0,
    )?;
    stage.machine.expect("dd if=/dev/zero of=/sysroot/more bs=4k 2>/dev/null; sync", 0)?;
    stage.refuses(&upgrade, NO_SPACE, "no space on", BOOTS)?;
    stage.stays()?;
    stage.machine.expect(&format!("rm /sysroot/filler /sysroot/more; sed -i /^min-free/d {config}"), 0)?;
    let partition = match stage.path.loader {
        Loader::SystemdBoot => Some("/efi"),
        _ => stage.has_boot.then_some("/boot"),
    };
    if let Some(partition) = partition {
        let filler = format!("{partition}/filler");
        stage.machine.expect(&format!("dd if=/dev/zero of={filler} bs=64k 2>/dev/null; sync"), 0)?;
        // found after the fetch, which the remote's ref names, and after what nothing boots by was cleared away
        let boots =
            BOOTS.replace("repo/refs", "repo/refs/heads").replace("/sysroot/ostree/boot.*", BOOTED_BY);
        let boots = match partition {
            "/boot" => boots.replacen("/boot", LIST, 1),
            _ => boots,
        };
        stage.refuses(&upgrade, NO_SPACE, &format!("no space on {partition}"), &boots)?;
        stage.stays()?;
        stage.machine.expect(&format!("rm {filler}"), 0)?;
    }
    stage.updates_to(&new)
}

fn fill(stage: &mut Stage, file: &str, length: &str) -> Result<()> {
    stage.machine.expect(&format!("busybox fallocate -l {length} {file} && sync"), 0).map(drop)
}
