//! The last step: defaults, variables, sorting.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::keys::Layer;
use super::vars::Vars;
use super::{AddFile, Manifest};

/// Makes the manifest out of the merged layers.
pub(crate) fn flatten(layer: Layer, repo_dirs: Vec<PathBuf>, basearch: &str) -> Result<Manifest> {
    let mut vars = Vars::new(basearch);
    let releasever = layer.releasever.map(|text| vars.expand(&text)).transpose().context("\"releasever\"")?;
    if let Some(releasever) = &releasever {
        vars.set("releasever", releasever);
    }
    let scalar = |value: Option<String>, key: &str| {
        value.map(|text| vars.expand(&text)).transpose().with_context(|| format!("{key:?}"))
    };
    let list = |values: Vec<String>, key: &str| {
        values
            .iter()
            .map(|text| vars.expand(text))
            .collect::<Result<Vec<_>>>()
            .with_context(|| format!("{key:?}"))
    };
    Ok(Manifest {
        reference: scalar(layer.reference, "ref")?,
        repos: unique(list(layer.repos, "repos")?),
        repo_dirs,
        packages: sorted(list(layer.packages, "packages")?),
        exclude_packages: sorted(list(layer.exclude_packages, "exclude-packages")?),
        recommends: layer.recommends.unwrap_or(true),
        documentation: layer.documentation.unwrap_or(true),
        releasever,
        units: unique(list(layer.units, "units")?),
        default_target: scalar(layer.default_target, "default-target")?,
        add_files: layer.add_files.into_iter().map(|(source, dest)| AddFile { source, dest }).collect(),
        remove_files: unique(layer.remove_files),
        automatic_version_prefix: scalar(layer.automatic_version_prefix, "automatic-version-prefix")?,
        add_commit_metadata: layer.add_commit_metadata,
        no_initramfs: layer.no_initramfs.unwrap_or(false),
        tmp_is_dir: layer.tmp_is_dir.unwrap_or(false),
        machineid_compat: layer.machineid_compat.unwrap_or(true),
        postprocess: layer.postprocess,
        basearch: basearch.to_string(),
    })
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list.dedup();
    list
}

fn unique(list: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    list.into_iter().filter(|item| seen.insert(item.clone())).collect()
}
