//! From an installed root to a tree fit for a commit, in fixed steps.
//!
//! Until [`etc`] the tree looks like a running system (`/etc`, `/var`); after [`toplevel`] it looks as OSTree wants it:
//! `/usr/etc`, an empty `/var`, links for the rest. Each step is a file here and reads the tree as the steps before it
//! left it. Nothing here depends on the clock, the host's files or the order of a directory's entries.

mod accounts;
mod cleanup;
mod compressed;
mod dracut;
mod etc;
mod files;
mod kernel;
mod ldconfig;
mod machine_id;
mod scripts;
mod target;
mod toplevel;
mod units;
mod var;

use crate::initramfs;
use crate::root::Root;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

pub use compressed::Kind as Compressed;

/// The manifest's part in it.
#[derive(Clone, Debug)]
pub struct Options {
    /// `units`: to enable.
    pub units: Vec<String>,
    /// `default-target`.
    pub default_target: Option<String>,
    /// `add-files`: source (absolute, on the host) and destination (absolute, in the tree).
    pub add_files: Vec<(PathBuf, String)>,
    /// `remove-files`: relative to the tree's top.
    pub remove_files: Vec<String>,
    /// `uncompress`.
    pub uncompress: Vec<Compressed>,
    /// `tmp-is-dir`.
    pub tmp_is_dir: bool,
    /// `no-initramfs`.
    pub no_initramfs: bool,
    /// `initramfs`.
    pub initramfs: Option<initramfs::Maker>,
    /// `machineid-compat`, true unless the treefile says otherwise.
    pub machineid_compat: bool,
    /// `postprocess`: inline scripts, in order.
    pub scripts: Vec<String>,
    /// SOURCE_DATE_EPOCH for scripts.
    pub timestamp: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            units: Vec::new(),
            default_target: None,
            add_files: Vec::new(),
            remove_files: Vec::new(),
            uncompress: Vec::new(),
            tmp_is_dir: false,
            no_initramfs: false,
            initramfs: None,
            machineid_compat: true,
            scripts: Vec::new(),
            timestamp: 0,
        }
    }
}

/// What the commit needs to know of the tree.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Version of the only kernel: `ostree.linux`, and then `ostree.bootable` is true. None in a tree without one.
    pub kernel: Option<String>,
    /// What a person should know, one line each.
    pub warnings: Vec<String>,
}

type Step = fn(&Root, &Options, &mut Outcome) -> Result<()>;

const STEPS: [(&str, Step); 14] = [
    ("ldconfig", ldconfig::apply),
    ("units", units::apply),
    ("default-target", target::apply),
    ("remove-files", files::remove),
    ("add-files", files::add),
    ("postprocess scripts", scripts::apply),
    ("compressed files", compressed::apply),
    ("kernel", kernel::apply),
    ("machine-id", machine_id::apply),
    ("cleanup", cleanup::apply),
    ("toplevel", toplevel::apply),
    ("var", var::apply),
    ("accounts", accounts::apply),
    ("etc", etc::apply),
];

/// Runs all steps on `root`.
pub fn run(root: &Path, options: &Options) -> Result<Outcome> {
    let tree = Root::open(root)?;
    let mut outcome = Outcome::default();
    for (name, step) in STEPS {
        step(&tree, options, &mut outcome).with_context(|| format!("postprocess: {name}"))?;
    }
    Ok(outcome)
}

/// A tree path as it is called before `/etc` moves: without the leading slash, `usr/etc` as `etc`.
fn early_path(path: &str) -> &str {
    let path = path.trim_start_matches('/');
    match path.strip_prefix("usr/") {
        Some(rest) if rest == "etc" || rest.starts_with("etc/") => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree for a step's test: paths ending in `/` are directories, `a -> b` is a link, others are files.
    pub fn tree(entries: &[&str]) -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        for entry in entries {
            if let Some((path, target)) = entry.split_once(" -> ") {
                root.symlink(target, path).unwrap();
            } else if entry.ends_with('/') {
                root.make_dirs(entry).unwrap();
            } else {
                let (path, text) = entry.split_once('=').unwrap_or((entry, ""));
                root.write(path, text.as_bytes(), 0o644).unwrap();
            }
        }
        (dir, root)
    }

    pub fn apply(step: Step, root: &Root, options: &Options) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        step(root, options, &mut outcome).map(|()| outcome)
    }

    #[test]
    fn usr_etc_is_etc_until_the_end() {
        assert_eq!(early_path("/usr/etc/passwd"), "etc/passwd");
        assert_eq!(early_path("usr/etc"), "etc");
        assert_eq!(early_path("/usr/etcetera"), "usr/etcetera");
        assert_eq!(early_path("/etc/x"), "etc/x");
    }
}
