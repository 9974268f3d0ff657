//! `remove-files` and `add-files`.

use super::{Options, Outcome, early_path};
use crate::root::Root;
use anyhow::{Context as _, Result, bail, ensure};
use std::fs::FileType;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Removes what the manifest lists.
pub fn remove(tree: &Root, options: &Options, outcome: &mut Outcome) -> Result<()> {
    for path in &options.remove_files {
        ensure!(
            !early_path(path).trim_matches('/').is_empty(),
            "{path:?}: expected a path below the tree's top"
        );
        if !tree.remove(early_path(path))? {
            outcome.warnings.push(format!("remove-files: {path}: nothing there"));
        }
    }
    Ok(())
}

/// Copies files and directories from beside the manifest: root's, 0755 when executable or else 0644, so that the umask
/// of a checkout does not show.
pub fn add(tree: &Root, options: &Options, _: &mut Outcome) -> Result<()> {
    for (source, destination) in &options.add_files {
        let path = early_path(destination);
        let allowed = path.starts_with("usr/") || path.starts_with("etc/");
        ensure!(allowed, "{destination}: expected a path below /usr or /etc");
        let kind = std::fs::symlink_metadata(source).map(|metadata| metadata.file_type());
        copy(tree, source, path, kind.with_context(|| format!("{}: read", source.display()))?)?;
    }
    Ok(())
}

fn copy(tree: &Root, source: &Path, path: &str, kind: FileType) -> Result<()> {
    let context = || format!("{}: read", source.display());
    if kind.is_dir() {
        tree.make_dirs(path)?;
        let mut entries = std::fs::read_dir(source)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(context)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry
                .file_name()
                .into_string()
                .ok()
                .with_context(|| format!("{}: a name is not UTF-8", source.display()))?;
            copy(tree, &entry.path(), &format!("{path}/{name}"), entry.file_type()?)?;
        }
        return Ok(());
    }
    if kind.is_symlink() {
        let target = std::fs::read_link(source).with_context(context)?;
        tree.remove(path)?;
        return tree.symlink(
            target.to_str().with_context(|| format!("{}: target is not UTF-8", source.display()))?,
            path,
        );
    }
    if !kind.is_file() {
        bail!("{}: expected a file, a directory or a link", source.display());
    }
    let executable = std::fs::metadata(source).with_context(context)?.permissions().mode() & 0o111 != 0;
    let bytes = std::fs::read(source).with_context(context)?;
    tree.write(path, &bytes, if executable { 0o755 } else { 0o644 })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{apply as run, tree};
    use super::*;

    #[test]
    fn removes_below_the_old_place_of_etc() {
        let (_dir, root) = tree(&["etc/a", "usr/b/c", "kept"]);
        let remove_files = ["usr/etc/a", "usr/b", "gone"].map(str::to_owned).to_vec();
        let outcome = run(remove, &root, &Options { remove_files, ..Options::default() }).unwrap();
        assert!(
            !root.exists("etc/a").unwrap() && !root.exists("usr/b").unwrap() && root.exists("kept").unwrap()
        );
        assert_eq!(outcome.warnings, ["remove-files: gone: nothing there"]);
        let all = Options { remove_files: vec!["/".into()], ..Options::default() };
        assert!(run(remove, &root, &all).is_err());
    }

    #[test]
    fn adds_with_plain_modes() {
        let (_dir, root) = tree(&["etc/old=1"]);
        let source = tempfile::tempdir().unwrap();
        let file = source.path().join("tool");
        std::fs::write(&file, "x").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o770)).unwrap();
        std::fs::write(source.path().join("plain"), "y").unwrap();
        std::fs::set_permissions(source.path().join("plain"), std::fs::Permissions::from_mode(0o600))
            .unwrap();
        let add_files =
            vec![(file, "/usr/bin/tool".to_owned()), (source.path().to_owned(), "/etc/all".to_owned())];
        run(add, &root, &Options { add_files, ..Options::default() }).unwrap();
        let mode = |path: &str| root.place(path).unwrap().unwrap().stat().unwrap().unwrap().st_mode & 0o7777;
        assert_eq!(mode("usr/bin/tool"), 0o755);
        assert_eq!(mode("etc/all/plain"), 0o644);
        let outside =
            Options { add_files: vec![(source.path().to_owned(), "/opt/x".into())], ..Options::default() };
        let error = run(add, &root, &outside).unwrap_err();
        assert!(error.to_string().contains("expected a path below /usr or /etc"), "{error}");
    }
}
