//! The files of one Debian package, as its RPM has them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use rpm::{FileOptions, PackageBuilder};

use super::deb::{Deb, Entry, Kind};
use super::distilled::Distilled;
use super::synthetic::base_folders;

/// Where a path lies once `/bin`, `/sbin` and `/lib*` are links into `/usr`.
fn merged(path: &str) -> String {
    let top = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let moves = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"].contains(&top);
    if moves { format!("/usr{path}") } else { path.to_owned() }
}

/// The files of the RPM by path: moved, without shared folders, with what the postinst adds.
pub(super) fn files(deb: &mut Deb, distilled: &Distilled) -> Result<BTreeMap<String, Entry>> {
    let shared: BTreeSet<String> = base_folders();
    let mut files: BTreeMap<String, Entry> = BTreeMap::new();
    for mut entry in std::mem::take(&mut deb.entries) {
        entry.path = merged(&entry.path);
        if let Kind::Hardlink(target) = &mut entry.kind {
            *target = merged(target);
        }
        let gone = distilled.remove.iter().any(|prefix| entry.path.starts_with(prefix.as_str()));
        if !gone && !shared.contains(&entry.path) {
            files.entry(entry.path.clone()).or_insert(entry);
        }
    }
    let made = |path: &String, body: Vec<u8>| Entry {
        path: path.clone(),
        mode: 0o644,
        user: "root".to_owned(),
        group: "root".to_owned(),
        mtime: deb.newest,
        kind: Kind::File(body),
    };
    for (path, template) in &distilled.copies {
        let source = files.get(template).map(|entry| &entry.kind);
        let Some(Kind::File(body)) = source else { bail!("{template}: no such file to copy to {path}") };
        let body = body.clone();
        files.insert(path.clone(), made(path, body));
        deb.conffiles.insert(path.clone());
    }
    for (path, text) in &distilled.files {
        files.insert(path.clone(), made(path, text.clone().into_bytes()));
        deb.conffiles.insert(path.clone());
    }
    if deb.field("Package") == "base-passwd" {
        for (path, text, mode) in super::accounts::databases(&files)? {
            let entry = Entry { mode, ..made(&path, text.into_bytes()) };
            deb.conffiles.insert(path.clone());
            files.insert(path, entry);
        }
    }
    for (path, attributes) in &distilled.attributes {
        let entry =
            files.get_mut(path).with_context(|| format!("{path}: no such file to give attributes"))?;
        let words: Vec<&str> = attributes.split(' ').collect();
        let [mode, user, group] = words[..] else { bail!("{path}: expected MODE USER GROUP") };
        entry.mode = u16::from_str_radix(mode, 8)?;
        (entry.user, entry.group) = (user.to_owned(), group.to_owned());
    }
    Ok(files)
}

/// Adds them to the package.
pub(super) fn add_files(
    builder: &mut PackageBuilder,
    mut files: BTreeMap<String, Entry>,
    conffiles: &BTreeSet<String>,
    distilled: &Distilled,
) -> Result<()> {
    let sets = hard_link_sets(&files);
    for (path, first) in &sets {
        let body = bytes(&files[first.as_str()])?;
        files.entry(path.clone()).and_modify(|entry| entry.kind = Kind::File(body));
    }
    let apart = interleaved(&sets);
    for entry in files.values_mut() {
        let mut options = options(entry, conffiles, distilled)?;
        if let Some(first) = sets.get(&entry.path).filter(|first| !apart.contains(first.as_str())) {
            options = options.hardlink(first);
        }
        match &mut entry.kind {
            Kind::Dir => builder.with_dir_entry(options)?,
            Kind::Symlink(_) => builder.with_symlink(options)?,
            Kind::File(body) => builder.with_file_contents(std::mem::take(body), options)?,
            Kind::Hardlink(first) => bail!("{}: hard link to {first}, which is not there", entry.path),
        };
    }
    for path in &distilled.ghosts {
        builder.with_ghost(FileOptions::ghost(path).permissions(0o644))?;
    }
    Ok(())
}

/// Each path with more than one name, by path, with the name that carries the bytes.
fn hard_link_sets(files: &BTreeMap<String, Entry>) -> BTreeMap<String, String> {
    let mut sets = BTreeMap::new();
    for (path, entry) in files {
        if let Kind::Hardlink(first) = &entry.kind
            && files.contains_key(first)
        {
            sets.insert(path.clone(), first.clone());
            sets.insert(first.clone(), first.clone());
        }
    }
    sets
}

/// Sets whose members do not follow each other in path order; they must be packaged as separate files.
///
/// The builder writes hard links in path order, but rpm's unpacker follows one set at a time and loses the bytes of
/// sets that interleave (seen with rpm 4.18).
fn interleaved(sets: &BTreeMap<String, String>) -> BTreeSet<&str> {
    let (mut seen, mut apart, mut last) = (BTreeSet::new(), BTreeSet::new(), "");
    for first in sets.values() {
        if first != last && !seen.insert(first.as_str()) {
            apart.insert(first.as_str());
        }
        last = first;
    }
    apart
}

fn bytes(entry: &Entry) -> Result<Vec<u8>> {
    let Kind::File(body) = &entry.kind else { bail!("{}: hard link to what is not a file", entry.path) };
    Ok(body.clone())
}

fn options(
    entry: &Entry,
    conffiles: &BTreeSet<String>,
    distilled: &Distilled,
) -> Result<rpm::FileOptionsBuilder> {
    let path = entry.path.as_str();
    let mut options = match &entry.kind {
        Kind::Dir => FileOptions::dir(path).permissions(entry.mode),
        Kind::Symlink(target) => FileOptions::symlink(path, target).permissions(0o777),
        _ => FileOptions::new(path).permissions(entry.mode),
    };
    options = options.user(&entry.user).group(&entry.group).modified_at(rpm::Timestamp(entry.mtime));
    if conffiles.contains(path) {
        options = options.config().noreplace();
    } else if path.starts_with("/usr/share/doc/") && path.ends_with("/copyright") {
        options = options.license();
    } else if ["/usr/share/doc/", "/usr/share/man/", "/usr/share/info/"]
        .iter()
        .any(|dir| path.starts_with(dir))
    {
        options = options.doc();
    }
    if let Some(caps) = distilled.caps.get(path) {
        options = options.caps(caps)?;
    }
    ensure!(!path.contains("//"), "{path}: empty path component");
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_what_the_merged_usr_links_cover() {
        for (path, expected) in [
            ("/bin/sh", "/usr/bin/sh"),
            ("/lib64/ld.so", "/usr/lib64/ld.so"),
            ("/library/x", "/library/x"),
            ("/usr/lib/x", "/usr/lib/x"),
            ("/etc/lib/x", "/etc/lib/x"),
        ] {
            assert_eq!(merged(path), expected);
        }
    }

    #[test]
    fn sets_that_interleave_are_taken_apart() {
        let sets = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(path, first)| ((*path).to_owned(), (*first).to_owned())).collect()
        };
        let apart =
            sets(&[("/a", "/a"), ("/b", "/b"), ("/c", "/a"), ("/d", "/b"), ("/e", "/e"), ("/f", "/e")]);
        assert_eq!(Vec::from_iter(interleaved(&apart)), ["/a", "/b"]);
        assert!(interleaved(&sets(&[("/a", "/a"), ("/b", "/a"), ("/c", "/d"), ("/d", "/d")])).is_empty());
    }
}
