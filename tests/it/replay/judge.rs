//! Whether a device survives with one state of its disk.

use super::disk::Layout;
use super::etc;
use super::loader::choose;
use super::scene::{Op, Scene, boot};
use crate::bootcheck::{self, Bootable};
use crate::common::device::{outcome, rootling};
use rootling_tests::writes::states::State;
use std::fs;
use std::path::Path;

/// What the disk had before the operation, and after it.
pub struct Lists {
    pub old: Vec<(String, String)>,
    pub new: Vec<(String, String)>,
}

/// Commits and kernel arguments, as far as a list is told apart by them.
pub fn list(boots: &[Bootable]) -> Vec<(String, String)> {
    boots.iter().map(|boot| (boot.commit.clone(), boot.options.clone())).collect()
}

/// Judges a state in a folder of its own; whether what is chosen is the operation's. `goes_on`: also what follows.
pub fn judge(
    scene: &Scene,
    layout: &Layout,
    lists: &Lists,
    state: &State,
    folder: &Path,
    goes_on: bool,
) -> Result<bool, String> {
    let at = folder.join("mounted");
    layout.save(&state.image, folder);
    let (disk, boot) = layout.boot_disk(folder);
    let choice = choose(scene.loader, &disk, boot)?;
    let mounted = layout.mount(folder, &at)?;

    let boots = bootcheck::check(&at)?;
    let mut carried = false;
    for boot in &boots {
        let rounds = scene.rounds(scene.version(&boot.commit)?);
        carried |= etc::judge(&at.join(&boot.path), rounds.clone())? > *rounds.start();
    }
    let found = list(&boots);
    if found != lists.old && found != lists.new {
        return Err(format!("neither the old list nor the new one: {boots:#?}"));
    }
    let (commit, is_listed) = deployment(scene, layout, &at, &boots, &choice.options)?;
    let fallback = choice.fallback.as_deref().map(|options| deployment(scene, layout, &at, &boots, options));
    let fallback = fallback.transpose()?.map(|(commit, _)| commit);
    let done = if scene.op == Op::Finalize { carried } else { found == lists.new };
    let is_new = scene.allows(&commit, choice.counted, fallback.as_deref(), done)?;
    if state.is_done && !(is_new && done) {
        return Err(format!("the agent was done, as mounted: {done}, and the loader chooses {choice:?}"));
    }

    if goes_on && is_listed {
        go_on(scene, &at, &commit)?;
    }
    drop(mounted);
    layout.check(folder)?;
    Ok(is_new)
}

/// The commit of the deployment that kernel arguments lead to, which is whole, and whether it is on the list.
fn deployment(
    scene: &Scene,
    layout: &Layout,
    at: &Path,
    boots: &[Bootable],
    options: &str,
) -> Result<(String, bool), String> {
    let link = options.split(' ').find_map(|word| word.strip_prefix("ostree=/")).unwrap_or_default();
    let tree = at.join(link).canonicalize().map_err(|e| format!("the loader's choice {link}: {e}"))?;
    let is_tree = |boot: &&Bootable| at.join(&boot.path).canonicalize().is_ok_and(|path| path == tree);
    if let Some(listed) = boots.iter().find(is_tree) {
        return Ok((listed.commit.clone(), true));
    }
    let name = tree.file_name().unwrap_or_default().to_string_lossy();
    let commit = name.split('.').next().unwrap_or_default();
    // mounted by an older copy of the superblock than GRUB saw: whole all the same
    bootcheck::check_tree(at, &tree, commit)?;
    etc::judge(&tree, scene.rounds(scene.version(commit)?))?;
    match layout.kind.several_superblocks {
        true => Ok((commit.to_owned(), false)),
        false => Err(format!("{link} is on no list")),
    }
}

/// The device boots what was chosen, is content with it, and takes the next update.
fn go_on(scene: &Scene, at: &Path, chosen: &str) -> Result<(), String> {
    let agent = |args: &[&str], codes: &[i32]| {
        let (code, said) = outcome(&mut rootling(at, args));
        match code.is_some_and(|code| codes.contains(&code)) {
            true => Ok(()),
            false => Err(format!("rootling {args:?}: {code:?} {said}")),
        }
    };
    agent(&["fsck"], &[0])?;
    other_boot(at);
    boot(at, chosen);
    agent(&["boot", "confirm"], &[0])?;
    agent(&["upgrade"], &[0, 77])?;
    let boots = bootcheck::check(at)?;
    let [.., last] = &scene.versions;
    if &boots[0].commit != last {
        return Err(format!("after the next upgrade: {boots:#?}"));
    }
    let rounds = scene.rounds(scene.version(chosen)?);
    etc::judge(&at.join(&boots[0].path), rounds).map_err(|why| format!("after the next upgrade: {why}"))?;
    agent(&["fsck"], &[0])
}

/// After a cut the kernel has another boot id; here it has the same, so what the agent names by it gets another. Nor is
/// what it noted in `/run` there.
fn other_boot(at: &Path) {
    let _ = fs::remove_dir_all(at.join("run/rootling"));
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for entry in fs::read_dir(at.join("ostree/repo/tmp")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let other = name.replace(id.trim(), "00000000-0000-0000-0000-000000000000");
        fs::rename(&path, path.with_file_name(other)).unwrap();
    }
}
