//! `config-diff`.

use rootling_store::sysroot::etc::ChangeKind;

use super::Scene;
use crate::device;
use crate::error::Result;
use crate::text::printable;

/// One line for each change, as `ostree admin config-diff` prints it.
pub fn run(scene: &Scene<'_>, os: Option<&str>) -> Result<()> {
    let sysroot = device::look(&scene.global.sysroot)?;
    let stateroot = device::stateroot(&sysroot, os)?;
    for change in sysroot.config_diff(device::present(&sysroot, &stateroot)?)? {
        let letter = match change.kind {
            ChangeKind::Modified => 'M',
            ChangeKind::Removed => 'D',
            ChangeKind::Added => 'A',
        };
        scene.screen.say(&format!("{letter}    {}", printable(&change.path.display().to_string())));
    }
    Ok(())
}
