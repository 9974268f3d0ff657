//! Includes: included values come first, the including file has the last word.
//!
//! Scalars override, lists concatenate with the included entries in front; of several includes a later one's
//! entries come before an earlier one's, as rpm-ostree merges them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::keys::{self, Layer};
use super::node::Node;

/// How deep includes may nest.
const MAX_DEPTH: usize = 32;

/// Reads a file with all its includes; also gives the folders they are in.
pub(crate) fn load(path: &Path, basearch: &str) -> Result<(Layer, Vec<PathBuf>)> {
    let mut dirs = Vec::new();
    let layer = load_into(path, basearch, &mut Vec::new(), &mut dirs)?;
    Ok((layer, dirs))
}

fn load_into(
    path: &Path,
    basearch: &str,
    stack: &mut Vec<PathBuf>,
    dirs: &mut Vec<PathBuf>,
) -> Result<Layer> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let real = path.canonicalize().with_context(|| format!("{}", path.display()))?;
    let dir = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let real_dir = real.parent().unwrap_or(Path::new("/")).to_path_buf();
    if !dirs.contains(&real_dir) {
        dirs.push(real_dir);
    }
    let node = Node::parse(&path.display().to_string(), &text)?;
    let (mut layer, includes) = keys::read(node, &dir, basearch)?;
    stack.push(real);
    for include in includes {
        let name = include.path.replace("${basearch}", basearch);
        let target = dir.join(&name);
        let real =
            target.canonicalize().with_context(|| format!("{}: cannot include {name:?}", include.at))?;
        if stack.contains(&real) {
            bail!("{}: {name:?} includes itself", include.at);
        }
        if stack.len() >= MAX_DEPTH {
            bail!("{}: includes nest deeper than {MAX_DEPTH}", include.at);
        }
        let included = load_into(&target, basearch, stack, dirs)
            .with_context(|| format!("included from {}", include.at))?;
        merge(&mut layer, included);
    }
    stack.pop();
    Ok(layer)
}

/// Puts an included layer under `layer`.
fn merge(layer: &mut Layer, under: Layer) {
    fn scalar<T>(over: &mut Option<T>, under: Option<T>) {
        if over.is_none() {
            *over = under;
        }
    }
    fn list<T>(over: &mut Vec<T>, under: Vec<T>) {
        over.splice(0..0, under);
    }
    scalar(&mut layer.reference, under.reference);
    list(&mut layer.repos, under.repos);
    list(&mut layer.packages, under.packages);
    list(&mut layer.exclude_packages, under.exclude_packages);
    scalar(&mut layer.recommends, under.recommends);
    scalar(&mut layer.documentation, under.documentation);
    scalar(&mut layer.releasever, under.releasever);
    list(&mut layer.units, under.units);
    scalar(&mut layer.default_target, under.default_target);
    list(&mut layer.add_files, under.add_files);
    list(&mut layer.remove_files, under.remove_files);
    list(&mut layer.uncompress, under.uncompress);
    scalar(&mut layer.automatic_version_prefix, under.automatic_version_prefix);
    for (key, value) in under.add_commit_metadata {
        layer.add_commit_metadata.entry(key).or_insert(value);
    }
    scalar(&mut layer.no_initramfs, under.no_initramfs);
    scalar(&mut layer.initramfs, under.initramfs);
    list(&mut layer.initramfs_args, under.initramfs_args);
    list(&mut layer.initramfs_modules, under.initramfs_modules);
    scalar(&mut layer.initramfs_program, under.initramfs_program);
    scalar(&mut layer.initramfs_compression, under.initramfs_compression);
    scalar(&mut layer.tmp_is_dir, under.tmp_is_dir);
    scalar(&mut layer.machineid_compat, under.machineid_compat);
    list(&mut layer.postprocess, under.postprocess);
}

#[cfg(test)]
mod tests {
    use super::super::Manifest;

    fn load(files: &[(&str, &str)]) -> anyhow::Result<Manifest> {
        let dir = tempfile::tempdir()?;
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap())?;
            std::fs::write(path, text)?;
        }
        Manifest::load(&dir.path().join(files[0].0), "x86_64")
    }

    #[test]
    fn scalars_override_and_lists_concatenate_included_first() {
        let manifest = load(&[
            (
                "top.yaml",
                "include: [a.yaml, sub/b.json]\nref: top\nunits: [t]\npostprocess: [t]\npackages: [t]\n",
            ),
            (
                "a.yaml",
                "ref: a\nreleasever: 7\nunits: [a]\npostprocess: [a]\npackages: [a]\nrecommends: false\n",
            ),
            (
                "sub/b.json",
                r#"{"releasever": "8", "units": ["b"], "postprocess": ["b"], "include": "c.yaml",
                "add-commit-metadata": {"k": "b", "l": 1}}"#,
            ),
            ("sub/c.yaml", "units: [c]\nadd-commit-metadata: {k: c}\nadd-files: [[f, /etc/f]]\n"),
        ])
        .unwrap();
        assert_eq!(manifest.reference.as_deref(), Some("top"));
        assert_eq!(manifest.releasever.as_deref(), Some("7"));
        assert!(!manifest.recommends);
        assert_eq!(manifest.units, ["c", "b", "a", "t"]);
        assert_eq!(manifest.postprocess, ["b", "a", "t"]);
        assert_eq!(manifest.packages, ["a", "t"]);
        assert_eq!(manifest.add_commit_metadata["k"], "b");
        assert!(manifest.add_files[0].source.ends_with("sub/f"));
        assert_eq!(manifest.repo_dirs.len(), 2);
    }

    #[test]
    fn refuses_loops_and_names_the_included_file() {
        let error = load(&[("a.yaml", "include: b.yaml"), ("b.yaml", "\ninclude: a.yaml")]).unwrap_err();
        assert!(format!("{error:#}").contains("b.yaml:2: \"a.yaml\" includes itself"), "{error:#}");
        let error = load(&[("a.yaml", "include: b.yaml"), ("b.yaml", "ref: x\nnope: 1")]).unwrap_err();
        assert!(format!("{error:#}").contains("b.yaml:2: unknown key \"nope\""), "{error:#}");
        let error = load(&[("a.yaml", "ref: x\ninclude: gone.yaml")]).unwrap_err();
        assert!(format!("{error:#}").contains("a.yaml:2: cannot include \"gone.yaml\""), "{error:#}");
    }
}
