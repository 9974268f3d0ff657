//! A device that libostree made: what stands in the way is named, nothing is written before, then it updates.

use anyhow::Result;

use super::stage::{BOOTS, Stage};

/// Everything that a device keeps.
const ALL: &str = "/boot /sysroot/boot /sysroot/ostree /efi";
const CONFIG: &str = "/sysroot/ostree/repo/config";
const STAGED: &str = "/run/ostree/staged-deployment";

/// Plays it.
pub fn play(stage: &mut Stage) -> Result<()> {
    stage.machine.expect(&format!("cp {CONFIG} /run/config"), 0)?;
    let back = format!("cp /run/config {CONFIG}; rm -f {STAGED}");
    for (obstacle, reason) in [
        (format!("sed -i s/^gpg-verify=false/gpg-verify=true/ {CONFIG}"), "gpg-verify"),
        (format!("printf '[ex-integrity]\\ncomposefs=yes\\n' >>{CONFIG}"), "composefs"),
        (format!("mkdir -p /run/ostree; : >{STAGED}"), "staged deployment"),
    ] {
        stage.machine.expect(&obstacle, 0)?;
        stage.refuses("rootling adopt --check", 1, reason, ALL)?;
        stage.machine.expect(&back, 0)?;
    }
    stage.changes_nothing("rootling adopt --check", 0, ALL)?;
    stage.machine.expect(&format!("sed -i 's|^url=.*|url={}|' {CONFIG}", stage.url), 0)?;
    // the menu is grub-mkconfig's, which nothing but --force replaces
    stage.refuses("rootling boot install grub", 1, "--force", BOOTS)?;
    stage.machine.expect("rootling boot install grub --force", 0)?;
    let new = stage.publish("good-2")?;
    stage.updates_to(&new)?;
    stage.machine.reboot()?;
    stage.arrives(&new, false)?;
    // what libostree deployed is still there to go back to
    stage.machine.expect("rootling rollback", 0)?;
    stage.stays()
}
