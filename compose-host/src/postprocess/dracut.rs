//! `initramfs: dracut`: an initramfs by the tree's own dracut, in the sandbox.
//!
//! Called as rpm-ostree calls it: for every machine and not for this one, with OSTree's module where dracut has it, and without
//! device nodes, which the sandbox may not make.

use super::kernel::MODULES;
use crate::root::Root;
use crate::sandbox::Sandbox;
use anyhow::{Context as _, Result, ensure};
use rustix::fs::FileType;

const PROGRAMS: [&str; 2] = ["usr/bin/dracut", "usr/sbin/dracut"];
const DRACUT_MODULES: &str = "usr/lib/dracut/modules.d";

/// Makes `initramfs.img` of kernel `version`, 0644; `args` come after dracut's other arguments.
pub fn make(tree: &Root, version: &str, args: &[String], timestamp: u64) -> Result<()> {
    let program = PROGRAMS.into_iter().find(|path| tree.exists(path).unwrap_or(false));
    let program = program.with_context(|| {
        format!(
            "initramfs: dracut, expected {} in the tree, got no such file: no package brings it",
            PROGRAMS.join(" or ")
        )
    })?;
    let image = format!("{MODULES}/{version}/initramfs.img");
    // what a package or a script made must not be taken for dracut's
    tree.remove(&image)?;
    let (program, file) = (format!("/{program}"), format!("/{image}"));
    let mut words = vec![program.as_str(), "--reproducible", "-v", "--no-hostonly", "--kver", version];
    if has_ostree(tree)? {
        words.extend(["--add", "ostree"]);
    }
    // the other one is the tree's /var/tmp
    words.extend(["--tmpdir", "/tmp", "-f", &file]);
    words.extend(args.iter().map(String::as_str));
    Sandbox::new(tree, timestamp)?.with("DRACUT_NO_MKNOD", "1").run(&words)?.check("dracut")?;
    let stat = tree.place(&image)?.and_then(|place| place.stat().transpose()).transpose()?;
    let made = stat.is_some_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_size > 0
    });
    ensure!(made, "dracut: exit status 0, expected that it made the file {image}, got none");
    tree.chmod(&image, 0o644)
}

/// Whether dracut has the module `ostree`: a folder with two digits before its name.
fn has_ostree(tree: &Root) -> Result<bool> {
    let names = tree.list(DRACUT_MODULES)?;
    Ok(names.iter().any(|(name, _)| name.trim_start_matches(|c: char| c.is_ascii_digit()) == "ostree"))
}
