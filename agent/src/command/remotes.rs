//! `remote add`, `remote list`, `remote delete`.

use super::Scene;
use crate::cli::meant::RemoteAdd;
use crate::error::Result;
use crate::remote::{edit, read};
use crate::text::printable;

pub fn add(scene: &Scene<'_>, wanted: &RemoteAdd) -> Result<()> {
    edit::add(&scene.repo_path(), &scene.global.sysroot, wanted)
}

pub fn list(scene: &Scene<'_>, urls: bool) -> Result<()> {
    for source in read::sources(&scene.repo_path(), &scene.global.sysroot)? {
        for name in source.names() {
            let url = source.keyfile.get(&format!("remote \"{name}\""), "url").unwrap_or("(no url)");
            let line = if urls { format!("{name}  {url}") } else { name };
            scene.screen.say(&printable(&line));
        }
    }
    Ok(())
}

pub fn delete(scene: &Scene<'_>, name: &str, if_exists: bool) -> Result<()> {
    edit::delete(&scene.repo_path(), &scene.global.sysroot, name, if_exists)
}
