//! `init`.

use rootling_store::sysroot;

use super::Scene;
use crate::error::{Error, Result};

pub fn run(scene: &Scene<'_>, stateroot: Option<&str>) -> Result<()> {
    let path = &scene.global.sysroot;
    std::fs::create_dir_all(path).map_err(|error| Error::io(&path.display().to_string(), &error))?;
    sysroot::init(path)?;
    if let Some(name) = stateroot {
        sysroot::init_stateroot(path, name)?;
    }
    scene.screen.say(&format!("{} is a sysroot", path.display()));
    Ok(())
}
