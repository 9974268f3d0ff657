//! The manifest: what goes into a tree, read from a treefile and everything it includes.
//!
//! ```text
//! file --node--> values with lines --keys--> Layer --include--> one Layer --flatten--> Manifest
//! ```
//!
//! Keys keep the meaning they have in `rpm-ostree compose tree`; a key that is not known is an error with its
//! file and line, since a key that is silently ignored makes a tree that differs from what its author meant.

mod flatten;
mod include;
mod keys;
mod node;
mod vars;
mod version;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::initramfs::{Maker, Program};
use crate::postprocess::Compressed;

pub use version::next_version;

/// A treefile with all its includes, in the form the compose works with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// Where the commit goes (`ref`).
    pub reference: Option<String>,
    /// Names of the enabled repositories, in the order of the manifest (`repos`).
    pub repos: Vec<String>,
    /// Folders that hold the `.repo` files: the treefile's own, then those of its includes.
    pub repo_dirs: Vec<PathBuf>,
    /// What to install, sorted (`packages`, `packages-$basearch`).
    pub packages: Vec<String>,
    /// What must not be in the tree, sorted (`exclude-packages`).
    pub exclude_packages: Vec<String>,
    /// Whether weak dependencies are installed (`recommends`, default true).
    pub recommends: bool,
    /// Whether files marked as documentation are installed (`documentation`, default true).
    pub documentation: bool,
    /// The value of `$releasever`.
    pub releasever: Option<String>,
    /// systemd units to enable (`units`).
    pub units: Vec<String>,
    /// systemd's default target (`default-target`).
    pub default_target: Option<String>,
    /// Files copied into the tree (`add-files`).
    pub add_files: Vec<AddFile>,
    /// Paths removed from the tree (`remove-files`).
    pub remove_files: Vec<String>,
    /// Compressed files that are stored plain (`uncompress`).
    pub uncompress: Vec<Compressed>,
    /// Start of the `version` in the commit metadata (`automatic-version-prefix`).
    pub automatic_version_prefix: Option<String>,
    /// More commit metadata (`add-commit-metadata`).
    pub add_commit_metadata: serde_json::Map<String, Value>,
    /// Whether the tree is made without an initramfs (`no-initramfs`, default false).
    pub no_initramfs: bool,
    /// How the initramfs is made (`initramfs`, `initramfs-modules`, `-program`, `-compression`, `-args`).
    pub initramfs: Option<Maker>,
    /// Whether `/tmp` is a directory instead of a link (`tmp-is-dir`, default false).
    pub tmp_is_dir: bool,
    /// Whether `/etc/machine-id` is an empty file (`machineid-compat`, default true).
    pub machineid_compat: bool,
    /// Inline scripts run at the end (`postprocess`).
    pub postprocess: Vec<String>,
    /// The RPM base architecture, for example `x86_64`.
    pub basearch: String,
}

/// One `add-files` pair.
#[derive(Clone, Debug, PartialEq)]
pub struct AddFile {
    /// The file on the host.
    pub source: PathBuf,
    /// The path in the tree as the manifest has it, for example `/etc/issue`.
    pub dest: String,
}

impl Manifest {
    /// Reads a treefile and everything it includes.
    pub fn load(path: &Path, basearch: &str) -> Result<Manifest> {
        let (layer, repo_dirs) = include::load(path, basearch)?;
        flatten::flatten(layer, repo_dirs, basearch)
    }

    /// The flattened manifest as JSON with sorted keys; host paths are left out.
    pub fn to_json(&self) -> Value {
        let mut json = json!({
            "ref": self.reference,
            "repos": self.repos,
            "packages": self.packages,
            "exclude-packages": self.exclude_packages,
            "recommends": self.recommends,
            "documentation": self.documentation,
            "releasever": self.releasever,
            "units": self.units,
            "default-target": self.default_target,
            "add-files": self.add_files.iter().map(|f| {
                let name = f.source.file_name().unwrap_or_default().to_string_lossy();
                json!([name, f.dest])
            }).collect::<Vec<_>>(),
            "remove-files": self.remove_files,
            "automatic-version-prefix": self.automatic_version_prefix,
            "add-commit-metadata": self.add_commit_metadata,
            "boot-location": "modules",
            "no-initramfs": self.no_initramfs,
            "tmp-is-dir": self.tmp_is_dir,
            "machineid-compat": self.machineid_compat,
            "postprocess": self.postprocess,
            "basearch": self.basearch,
        });
        // a manifest without keeps the input hash that it had
        if !self.uncompress.is_empty() {
            let names: Vec<_> =
                Compressed::ALL.iter().filter(|kind| self.uncompress.contains(kind)).collect();
            json["uncompress"] = names.iter().map(|kind| kind.name()).collect();
        }
        match &self.initramfs {
            Some(Maker::Rootling(options)) => {
                json["initramfs"] = json!("rootling");
                json["initramfs-modules"] = json!(options.modules);
                json["initramfs-compression"] = json!(options.compression.name());
                json["initramfs-program"] = match &options.program {
                    Program::Tree(path) => json!(path),
                    Program::Host(path) => json!(path.file_name().unwrap_or_default().to_string_lossy()),
                };
            }
            Some(Maker::Dracut(args)) => {
                json["initramfs"] = json!("dracut");
                json["initramfs-args"] = json!(args);
            }
            None => {}
        }
        json
    }
}
