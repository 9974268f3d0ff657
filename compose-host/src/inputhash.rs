//! `rpmostree.inputhash`: a checksum over everything that goes into a tree.
//!
//! Equal to the previous commit's, a new commit would hold the same files, so none is made. It covers the flattened
//! manifest (and with it the postprocess scripts), name, version and checksum of every package, the content of
//! `add-files`, and [`RECIPE`].

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use rootling_object::{Checksum, Hasher};

use crate::initramfs::{Maker, Options, Program};
use crate::lock::Lock;
use crate::manifest::Manifest;

/// Counted up when the same inputs begin to make another tree.
const RECIPE: u32 = 1;

/// The checksum as hex.
pub fn inputhash(manifest: &Manifest, lock: &Lock) -> Result<String> {
    let mut text = format!("rootling-compose recipe {RECIPE}\nmanifest {}\n", manifest.to_json());
    for package in &lock.packages {
        writeln!(text, "package {} {}", package.nevra(), package.digest)
            .expect("writing to a String does not fail");
    }
    for file in &manifest.add_files {
        let content = content(&file.source).context("add-files")?;
        writeln!(text, "file {:?} {content}", file.dest).expect("writing to a String does not fail");
    }
    if let Some(Maker::Rootling(Options { program: Program::Host(path), .. })) = &manifest.initramfs {
        let content = content(path).context("initramfs-program")?;
        writeln!(text, "initramfs {content}").expect("writing to a String does not fail");
    }
    Ok(Checksum::of(text.as_bytes()).to_string())
}

/// Kind, mode and content of a file, or of everything in a folder.
fn content(path: &Path) -> Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = path.symlink_metadata().with_context(|| path.display().to_string())?;
    let mode = metadata.permissions().mode();
    let mut hasher = Hasher::new();
    if metadata.is_dir() {
        let mut names = Vec::new();
        for entry in path.read_dir().with_context(|| path.display().to_string())? {
            names.push(entry.with_context(|| path.display().to_string())?.file_name());
        }
        names.sort();
        for name in names {
            hasher.update(format!("{name:?} {}\n", content(&path.join(&name))?).as_bytes());
        }
    } else if metadata.is_symlink() {
        let target = path.read_link().with_context(|| path.display().to_string())?;
        hasher.update(target.as_os_str().as_encoded_bytes());
    } else {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        hasher.update(&bytes);
    }
    Ok(format!("{mode:o} {}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::AddFile;

    #[test]
    fn moves_with_every_input() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "one").unwrap();
        let add = AddFile { source: file.clone(), dest: "/etc/f".into() };
        let mut manifest = Manifest { add_files: vec![add], ..Manifest::default() };
        let digest = |hex: &str| crate::fetch::Digest::parse("sha256", &hex.repeat(32)).unwrap();
        let package = |hex: &str| crate::lock::Locked {
            name: "a".into(),
            evra: "1-1.noarch".into(),
            digest: digest(hex),
            place: None,
        };
        let text = r#"{"packages": {}}"#;
        std::fs::write(dir.path().join("lock"), text).unwrap();
        let mut lock = Lock::read(&dir.path().join("lock"), &manifest).unwrap();
        lock.packages.push(package("ab"));
        let mut seen = vec![inputhash(&manifest, &lock).unwrap()];
        assert_eq!(seen[0], inputhash(&manifest, &lock).unwrap());
        lock.packages[0] = package("cd");
        seen.push(inputhash(&manifest, &lock).unwrap());
        manifest.postprocess.push("true".into());
        seen.push(inputhash(&manifest, &lock).unwrap());
        std::fs::write(&file, "two").unwrap();
        seen.push(inputhash(&manifest, &lock).unwrap());
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len());
    }
}
