//! The last step: defaults, variables, sorting.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::keys::{By, Layer};
use super::vars::Vars;
use super::{AddFile, Manifest};
use crate::initramfs::{self, Maker, Program};

/// Makes the manifest out of the merged layers.
pub(crate) fn flatten(layer: Layer, repo_dirs: Vec<PathBuf>, basearch: &str) -> Result<Manifest> {
    let initramfs = maker(&layer, basearch)?;
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
    let no_initramfs = layer.no_initramfs.unwrap_or(false);
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
        uncompress: layer.uncompress,
        automatic_version_prefix: scalar(layer.automatic_version_prefix, "automatic-version-prefix")?,
        add_commit_metadata: layer.add_commit_metadata,
        no_initramfs,
        initramfs,
        tmp_is_dir: layer.tmp_is_dir.unwrap_or(false),
        machineid_compat: layer.machineid_compat.unwrap_or(true),
        postprocess: layer.postprocess,
        basearch: basearch.to_string(),
    })
}

/// What `initramfs` and the keys beside it say, as far as they fit together; with `no-initramfs` the keys beside it mean nothing.
fn maker(layer: &Layer, basearch: &str) -> Result<Option<Maker>> {
    let no_initramfs = layer.no_initramfs.unwrap_or(false);
    let details = !layer.initramfs_modules.is_empty()
        || layer.initramfs_program.is_some()
        || layer.initramfs_compression.is_some();
    let (rootling, dracut) =
        (matches!(layer.initramfs, Some(By::Rootling)), matches!(layer.initramfs, Some(By::Dracut)));
    ensure!(
        !(no_initramfs && (rootling || dracut)),
        "initramfs: {} and no-initramfs: true, expected one of them",
        if rootling { "rootling" } else { "dracut" }
    );
    ensure!(
        rootling || !details || no_initramfs,
        "initramfs-modules, -program or -compression, expected initramfs: rootling with it"
    );
    ensure!(
        dracut || layer.initramfs_args.is_empty() || no_initramfs,
        "initramfs-args, expected initramfs: dracut with it"
    );
    Ok(layer.initramfs.map(|by| match by {
        By::Dracut => Maker::Dracut(layer.initramfs_args.clone()),
        By::Rootling => Maker::Rootling(initramfs::Options {
            modules: unique(layer.initramfs_modules.clone()),
            program: layer
                .initramfs_program
                .clone()
                .unwrap_or_else(|| Program::Tree(initramfs::PROGRAM.into())),
            compression: layer.initramfs_compression.unwrap_or_default(),
            basearch: basearch.into(),
        }),
    }))
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

#[cfg(test)]
mod tests {
    use super::super::Manifest;
    use super::*;
    use crate::initramfs::Compression;

    fn load(text: &str) -> Result<Manifest> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.yaml");
        std::fs::write(&path, text).unwrap();
        Manifest::load(&path, "aarch64")
    }

    #[test]
    fn an_initramfs_is_made_one_way() {
        assert_eq!(load("ref: a\n").unwrap().initramfs, None);
        let made = |text: &str| match load(text).unwrap().initramfs {
            Some(Maker::Rootling(options)) => options,
            other => panic!("{other:?}"),
        };
        let plain = made("initramfs: rootling\n");
        assert_eq!(plain.program, Program::Tree(initramfs::PROGRAM.into()));
        assert_eq!((plain.compression, plain.basearch.as_str()), (Compression::Gzip, "aarch64"));
        let text = "initramfs: rootling\ninitramfs-modules: [a b, a]\ninitramfs-program: p\ninitramfs-compression: xz\n";
        let own = made(text);
        assert_eq!((own.modules.join(" "), own.compression), ("a b".into(), Compression::Xz));
        assert!(matches!(own.program, Program::Host(path) if path.ends_with("p")));
        let dracut = load("initramfs: dracut\ninitramfs-args: [--add, 'a b']\n").unwrap();
        assert_eq!(dracut.initramfs, Some(Maker::Dracut(vec!["--add".into(), "a b".into()])));
        let json = dracut.to_json();
        assert_eq!((&json["initramfs"], &json["initramfs-args"][1]), (&"dracut".into(), &"a b".into()));
        for (text, error) in [
            ("initramfs: dracut\nno-initramfs: true\n", "initramfs: dracut and no-initramfs"),
            (
                "initramfs: dracut\ninitramfs-modules: [a]\n",
                "initramfs-modules, -program or -compression, expected",
            ),
            ("initramfs: rootling\ninitramfs-args: [a]\n", "initramfs-args, expected initramfs: dracut"),
            ("initramfs-args: [a]\n", "initramfs-args, expected initramfs: dracut"),
            ("initramfs: rootling\nno-initramfs: true\n", "initramfs: rootling and no-initramfs"),
            ("initramfs-modules: [a]\n", "initramfs-modules, -program or -compression, expected"),
        ] {
            assert!(load(text).unwrap_err().to_string().starts_with(error), "{text}");
        }
    }
}
